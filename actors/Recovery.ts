/**
 * How a zone comes back: the newest snapshot that is good, then the journal's rows after it, every link of the
 * chain checked on the way. It decides nothing and appends nothing.
 */
import * as Batch from "#domain/Batch.ts"
import * as BatchCodec from "#domain/codec/BatchCodec.ts"
import { Malformed } from "#domain/codec/Reader.ts"
import * as StateCodec from "#domain/codec/StateCodec.ts"
import { Contradiction, ZoneState } from "#domain/state/ZoneState.ts"
import type { BlockStore } from "#persistence/blocks/BlockStore.ts"
import * as Chain from "#persistence/Chain.ts"
import { Journal, type JournalUnavailable, type SnapshotRecord } from "#persistence/Journal.ts"
import * as Snapshot from "#persistence/Snapshot.ts"
import * as Elapsed from "#shards/Elapsed.ts"
import { ZoneDamaged } from "#shards/ZoneError.ts"
import * as Effect from "effect/Effect"

const ROWS_PER_PAGE = 256
const BYTES_PER_PAGE = 8 * 1024 * 1024
/** How long rows are applied before other work of the process gets a turn, in milliseconds. */
const TURN_MILLIS = 10

export interface Recovered {
  readonly state: ZoneState
  readonly head: Chain.ChainHead
  /** Last event of the snapshot that it started from; 0 if none. */
  readonly snapshotSequence: number
}

/** The zone's state at the end of its journal, which nobody else may append to meanwhile. */
export const recover = (
  zone: number,
  end: Chain.ChainHead
): Effect.Effect<Recovered, ZoneDamaged | JournalUnavailable, Journal | BlockStore> =>
  Effect.gen(function*() {
    const journal = yield* Journal
    const records = yield* journal.snapshots(zone)
    const start = yield* newestGood(zone, records)
    const { state } = start
    let { head } = start
    while (head.sequence < end.sequence) {
      const rows = yield* readRows(zone, head.sequence)
      if (rows.length === 0) {
        return yield* damaged(zone, head.sequence + 1, `the journal ends there, but ended at ${end.sequence} before`)
      }
      head = yield* replay(state, head, rows)
    }
    return { state, head, snapshotSequence: start.snapshotSequence }
  })

/**
 * The zone's state right after the command that event `sequence` belongs to, or at the journal's end if that comes
 * first. The journal may grow meanwhile.
 */
export const stateAt = (
  zone: number,
  sequence: number
): Effect.Effect<ZoneState, ZoneDamaged | JournalUnavailable, Journal | BlockStore> =>
  Effect.gen(function*() {
    const journal = yield* Journal
    const records = yield* journal.snapshots(zone)
    const start = yield* newestGood(zone, records.filter(({ head }) => head.sequence <= sequence))
    const { state } = start
    let { head } = start
    while (head.sequence < sequence) {
      const rows = yield* readRows(zone, head.sequence)
      const whole = rows.filter(({ last }) => last <= sequence)
      head = yield* replay(state, head, whole)
      const cut = rows[whole.length]
      if (cut !== undefined) {
        const problem = Chain.problemOf(head, cut) ?? applyStart(state, cut, sequence)
        if (problem !== undefined) return yield* damaged(zone, head.sequence + 1, problem)
        break
      }
      if (rows.length === 0) break
    }
    return state
  })

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
  state: ZoneState,
  from: Chain.ChainHead,
  rows: ReadonlyArray<Chain.JournalRow>
): Effect.Effect<Chain.ChainHead, ZoneDamaged> =>
  Effect.gen(function*() {
    let head = from
    let turn = yield* Elapsed.millis
    const answered = floorsOf(rows)
    for (const row of rows) {
      const problem = Chain.problemOf(head, row) ?? applyRow(state, row, answered)
      if (problem !== undefined) return yield* damaged(state.zone, head.sequence + 1, problem)
      head = Chain.headOf(row)
      const now = yield* Elapsed.millis
      if (now - turn > TURN_MILLIS) {
        yield* otherWork
        turn = now
      }
    }
    return head
  })

/** A turn for what else the process has to do. A timer of no time would leave the core idle for a millisecond. */
const otherWork: Effect.Effect<void> = Effect.async((resume) => void setImmediate(() => resume(Effect.void)))

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

/** Why the row cannot be what happened, if it cannot; else its commands are applied to the one of event `until`. */
const applyStart = (state: ZoneState, row: Chain.JournalRow, until: number): string | undefined =>
  problemIn(() => Batch.apply(state, Batch.upTo(BatchCodec.decode(row.payload, row.time), row.first, until)))

/** Why the row cannot be what happened, if it cannot; else it is applied. */
const applyRow = (
  state: ZoneState,
  row: Chain.JournalRow,
  answered: ReadonlyMap<number, number>
): string | undefined => {
  const problem = problemIn(() => Batch.applyPayload(state, row.payload, row.time, answered))
  if (problem !== undefined) return problem
  return state.sequence === row.last ? undefined : `the row holds events to ${state.sequence}, it says ${row.last}`
}

const problemIn = (apply: () => void): string | undefined => {
  try {
    apply()
    return undefined
  } catch (cause) {
    if (cause instanceof Malformed || cause instanceof Contradiction) return cause.message
    throw cause
  }
}

const newestGood = (
  zone: number,
  records: ReadonlyArray<SnapshotRecord>
): Effect.Effect<Recovered, never, BlockStore> =>
  Effect.gen(function*() {
    for (const record of records) {
      const loaded = yield* Effect.either(Effect.flatMap(Snapshot.load(record), (bytes) => decode(bytes)))
      if (loaded._tag === "Right") {
        return { state: loaded.right, head: record.head, snapshotSequence: record.head.sequence }
      }
      yield* Effect.logWarning(
        `zone ${record.zone}: the snapshot at event ${record.head.sequence} is not used, an older one is: ` +
          loaded.left.message
      )
    }
    return { state: new ZoneState(zone), head: Chain.START, snapshotSequence: 0 }
  })

const decode = (bytes: Uint8Array): Effect.Effect<ZoneState, Malformed> =>
  Effect.try({
    try: () => StateCodec.decode(bytes),
    catch: (cause) => {
      if (cause instanceof Malformed) return cause
      throw cause
    }
  })

const damaged = (zone: number, sequence: number, reason: string): ZoneDamaged =>
  new ZoneDamaged({ zone, sequence, reason })
