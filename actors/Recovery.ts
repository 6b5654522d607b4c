/**
 * How a zone comes back: the newest snapshot that is good, its pages left where they are, then the journal's rows after
 * it, every link of the chain checked on the way. It decides nothing and appends nothing.
 */
import * as Batch from "#domain/Batch.ts"
import * as BatchCodec from "#domain/codec/BatchCodec.ts"
import { Malformed } from "#domain/codec/Reader.ts"
import { Contradiction, type ZoneState } from "#domain/state/ZoneState.ts"
import { missing, warm } from "#domain/Warm.ts"
import { BlockStore, type StoreUnavailable } from "#persistence/blocks/BlockStore.ts"
import * as Chain from "#persistence/Chain.ts"
import { type Claim, type Fenced, Journal, JournalUnavailable, type SnapshotRecord } from "#persistence/Journal.ts"
import * as Manifest from "#persistence/pages/Manifest.ts"
import { fresh, open, type PageLost, type SnapshotLost, type ZonePages } from "#persistence/pages/ZonePages.ts"
import * as Snapshot from "#persistence/Snapshot.ts"
import { others } from "#persistence/Turn.ts"
import * as Elapsed from "#shards/Elapsed.ts"
import { ZoneDamaged } from "#shards/ZoneError.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

const ROWS_PER_PAGE = 256
const BYTES_PER_PAGE = 8 * 1024 * 1024
/** How long rows are applied before other work of the process gets a turn, in milliseconds. */
const TURN_MILLIS = 3

/** What a state is at, and its pages. */
interface Start {
  readonly pages: ZonePages
  readonly head: Chain.ChainHead
}

export interface Recovered extends Start {
  readonly snapshots: Snapshot.ZoneSnapshots
  /** Last event of the newest snapshot; 0 if there is none. */
  readonly snapshotSequence: number
}

/** How a zone keeps its pages. */
export interface PagesConfig {
  /** Bytes that its pages may take in memory. Those that changed stay until a snapshot has them. */
  readonly memoryBytes: number
  /** Whether its snapshots store cold pages deflated. */
  readonly deflatesPages: boolean
  /** Turns that this runner's zones take at snapshots. */
  readonly snapshots: Effect.Semaphore
}

/** The zone's state at the end of its journal, which nobody else may append to since the claim. */
export const recover = (
  zone: number,
  { epoch, head: end }: Claim,
  { deflatesPages, memoryBytes, snapshots: turns }: PagesConfig
): Effect.Effect<
  Recovered,
  ZoneDamaged | Fenced | JournalUnavailable | PageLost | StoreUnavailable,
  Journal | BlockStore
> =>
  Effect.gen(function*() {
    const start = yield* newestGood(zone, memoryBytes)
    const { pages } = start
    const snapshots = yield* Snapshot.ZoneSnapshots.make(pages, epoch, deflatesPages)
    let { head } = start
    let snapshotSequence = head.sequence
    while (head.sequence < end.sequence) {
      const rows = yield* readRows(zone, head.sequence)
      if (rows.length === 0) {
        return yield* damaged(zone, head.sequence + 1, `the journal ends there, but ended at ${end.sequence} before`)
      }
      head = yield* replay(pages, head, rows)
      if (pages.isCrowded) {
        // So that a long way back neither fills the memory nor has to be gone twice.
        const at = head.sequence
        snapshotSequence = yield* Effect.suspend(() => snapshots.begin(head).write).pipe(
          turns.withPermits(1),
          Effect.as(at),
          Effect.catchTags({
            StoreFull: (error) => noSnapshot(zone, at, error, snapshotSequence),
            StoreUnavailable: (error) => noSnapshot(zone, at, error, snapshotSequence)
          })
        )
      }
      yield* pages.bound
    }
    return { pages, head, snapshots, snapshotSequence }
  })

const noSnapshot = (zone: number, sequence: number, { message }: Error, before: number): Effect.Effect<number> =>
  Effect.as(Effect.logWarning(`zone ${zone}: no snapshot at event ${sequence}, on its way back: ${message}`), before)

/** A zone as it was, and the snapshot that its absent pages are in; undefined if none is absent, nor will be. */
export interface Past {
  readonly pages: ZonePages
  readonly record: SnapshotRecord | undefined
}

/**
 * The zone's state right after the command that event `sequence` belongs to, or at the journal's end if that comes
 * first. Its pages are brought back as they are met, from the newest snapshot before it that can be read and whose
 * manifest is not among those to `avoid`. The zone lives on meanwhile: it may remove that snapshot.
 */
export const stateAt = (
  zone: number,
  sequence: number,
  memoryBytes: number,
  avoid: ReadonlySet<string>
): Effect.Effect<Past, ZoneDamaged | JournalUnavailable, Journal | BlockStore> =>
  Effect.gen(function*() {
    const journal = yield* Journal
    const records = (yield* journal.snapshots(zone)).filter(({ head }) => head.sequence <= sequence)
    for (const record of records) {
      if (avoid.has(Manifest.keyOf(record))) continue
      const pages = yield* Effect.tap(open(record, memoryBytes), (pages) => replayTo(pages, record.head, sequence))
        .pipe(
          Effect.catchTags({ SnapshotLost: (lost) => notUsed(record, lost), PageLost: (lost) => notUsed(record, lost) })
        )
      if (pages !== undefined) return { pages, record }
    }
    const pages = fresh(zone, yield* BlockStore, memoryBytes)
    yield* Effect.catchTag(replayTo(pages, Chain.START, sequence), "PageLost", Effect.die)
    return { pages, record: undefined }
  }).pipe(Effect.catchTag("StoreUnavailable", ({ message }) => unreadable(message)))

/** Goes on from an event to the command that another one belongs to, or to the journal's end. */
const replayTo = (pages: ZonePages, from: Chain.ChainHead, sequence: number) =>
  Effect.gen(function*() {
    const { zone } = pages.state
    let head = from
    while (head.sequence < sequence) {
      const rows = yield* readRows(zone, head.sequence)
      const whole = rows.filter(({ last }) => last <= sequence)
      head = yield* replay(pages, head, whole)
      const cut = rows[whole.length]
      if (cut !== undefined) {
        const problem = Chain.problemOf(head, cut) ?? (yield* applyAsking(pages, cut, new Map(), sequence))
        if (problem !== undefined) return yield* damaged(zone, head.sequence + 1, problem)
      }
      yield* pages.bound
      if (cut !== undefined || rows.length === 0) return
    }
  })

const unreadable = (reason: string): JournalUnavailable =>
  new JournalUnavailable({ operation: "read a snapshot", reason, uncertain: false })

/** A page of the zone's rows after an event. */
const readRows = (
  zone: number,
  after: number
): Effect.Effect<ReadonlyArray<Chain.JournalRow>, ZoneDamaged | JournalUnavailable, Journal> =>
  Effect.flatMap(Journal, (journal) => journal.read(zone, after, ROWS_PER_PAGE, BYTES_PER_PAGE)).pipe(
    Effect.catchTag("HistoryDamaged", ({ first, reason }) => damaged(zone, first, reason))
  )

/** Applies rows to a state, each one checked against the chain. Returns where the chain stands then. */
export const replay = (
  pages: ZonePages,
  from: Chain.ChainHead,
  rows: ReadonlyArray<Chain.JournalRow>
): Effect.Effect<Chain.ChainHead, ZoneDamaged | PageLost | StoreUnavailable> =>
  Effect.gen(function*() {
    const { state } = pages
    let head = from
    let turn = yield* Elapsed.millis
    const answered = floorsOf(rows)
    for (const row of rows) {
      const asks = state.pages.absent > 0
      const apply = asks ? applyAsking(pages, row, answered) : applyRow(pages, row, answered)
      const problem = Chain.problemOf(head, row) ?? (yield* apply)
      if (problem !== undefined) return yield* damaged(state.zone, head.sequence + 1, problem)
      head = Chain.headOf(row)
      const now = yield* Elapsed.millis
      if (now - turn > TURN_MILLIS) {
        yield* asks ? Effect.sleep(Duration.zero) : others
        turn = now
      }
    }
    return head
  })

/** The highest floors that the rows tell. One that is damaged ends the look; it is named when its turn comes. */
const floorsOf = (rows: ReadonlyArray<Chain.JournalRow>): ReadonlyMap<number, number> => {
  const highest = new Map<number, number>()
  try {
    for (const { payload } of rows) Batch.noteFloors(BatchCodec.floors(payload), highest)
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
  }
  return highest
}

type Applied<E> = Effect.Effect<string | undefined, E>

/** Why the row cannot be what happened, if it cannot; else it is applied. All pages must be there. */
const applyRow = ({ state }: ZonePages, row: Chain.JournalRow, answered: ReadonlyMap<number, number>): Applied<never> =>
  Effect.sync(() => problemIn(() => Batch.applyPayload(state, row.payload, row.time, answered)) ?? shortOf(state, row))

/**
 * The same where pages may be absent: they are brought back as they are met, those of the whole row at once. Of a row
 * that goes on behind event `until`, only what led to that.
 */
const applyAsking = (
  pages: ZonePages,
  row: Chain.JournalRow,
  answered: ReadonlyMap<number, number>,
  until = row.last
): Applied<PageLost | StoreUnavailable> =>
  Effect.gen(function*() {
    const { state } = pages
    let batch: Batch.Batch | undefined
    let problem = problemIn(() => batch = Batch.upTo(BatchCodec.decode(row.payload, row.time), row.first, until))
    if (batch === undefined) return problem
    const events = batch.records.flatMap((record) => record.events)
    const ask = () => missing(events, (event) => warm(state, event))
    for (let asked = ask(); asked.size > 0; asked = ask()) yield* pages.load(asked)
    state.time = batch.time
    for (const record of batch.records) {
      // What a record before it made may lead to others.
      yield* pages.retry(() => problem = problemIn(() => record.events.forEach((event) => warm(state, event))))
      problem ??= problemIn(() => Batch.replayRecord(state, record, answered))
      if (problem !== undefined) return problem
    }
    Batch.raiseFloors(state, batch.floors)
    return until < row.last ? undefined : shortOf(state, row)
  })

const problemIn = (apply: () => void): string | undefined => {
  try {
    apply()
    return undefined
  } catch (cause) {
    if (cause instanceof Malformed || cause instanceof Contradiction) return cause.message
    throw cause
  }
}

const shortOf = ({ sequence }: ZoneState, { last }: Chain.JournalRow): string | undefined =>
  sequence === last ? undefined : `the row holds events to ${sequence}, it says ${last}`

/** The newest snapshot that can be opened. A record of one that is damaged goes. */
const newestGood = (
  zone: number,
  memoryBytes: number
): Effect.Effect<Start, JournalUnavailable | PageLost | StoreUnavailable, Journal | BlockStore> =>
  Effect.gen(function*() {
    const journal = yield* Journal
    for (const record of yield* journal.snapshots(zone)) {
      const opened = yield* open(record, memoryBytes).pipe(
        Effect.catchTag("SnapshotLost", (lost) =>
          lost.damaged
            ? Effect.zipLeft(notUsed(record, lost), journal.removeSnapshot(zone, record.head.sequence))
            : notUsed(record, lost))
      )
      if (opened !== undefined) return { pages: opened, head: record.head }
    }
    return { pages: fresh(zone, yield* BlockStore, memoryBytes), head: Chain.START }
  })

const notUsed = ({ head, zone }: SnapshotRecord, { message }: SnapshotLost | PageLost): Effect.Effect<undefined> =>
  Effect.as(
    Effect.logWarning(`zone ${zone}: the snapshot at event ${head.sequence} is not used: ${message}`),
    undefined
  )

const damaged = (zone: number, sequence: number, reason: string): ZoneDamaged =>
  new ZoneDamaged({ zone, sequence, reason })
