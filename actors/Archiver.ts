/**
 * Archives a zone's journal while the zone lives: whenever enough was committed since the last segment, it seals the
 * next one, and lets go of rows that the retention releases. It decides nothing about the zone, and two of them for one
 * zone do no harm: they store the same bytes under the same keys, and one of them records them.
 *
 *     put -> read back -> recorded -> rows removed
 *      a crash here       and here    and here: the next activation goes on from what is recorded
 */
import * as Timestamp from "#domain/Timestamp.ts"
import * as Archive from "#persistence/Archive.ts"
import type { BlockStore } from "#persistence/blocks/BlockStore.ts"
import * as Chain from "#persistence/Chain.ts"
import { Journal, type JournalUnavailable } from "#persistence/Journal.ts"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

export interface ArchiveConfig {
  /** A segment is sealed at the row with which it reaches so many bytes of payloads, or so many rows. */
  readonly segmentBytes: number
  readonly segmentRows: number
  /** How old rows that are archived may get in Postgres; undefined: they stay. */
  readonly retention: Duration.Duration | undefined
}

/** What a segment usually is. */
export const keeping = (retention: Duration.Duration | undefined): ArchiveConfig => ({
  segmentBytes: SEGMENT_BYTES,
  segmentRows: SEGMENT_ROWS,
  retention
})

const SEGMENT_BYTES = 4 * 1024 * 1024
const SEGMENT_ROWS = 16_384

/** Of one runner at a time, because each holds a segment in memory a few times over. */
export const ARCHIVERS_AT_ONCE = 4

const ROWS_PER_PAGE = 1024
/** Segments whose rows leave in one go, before the next one is sealed. */
const REMOVALS_MAX = 64
const NANOS_PER_MILLI = 1_000_000n
const RETRY = Schedule.exponential(Duration.seconds(1), 2).pipe(
  Schedule.union(Schedule.spaced(Duration.minutes(1))),
  Schedule.jittered
)

/** What was committed since the last look, and the one who waits until that is enough. Plain and synchronous. */
export class Backlog {
  private rows = 0
  private bytes = 0
  private readonly filled = Effect.unsafeMakeLatch(false)
  private wanted = { rows: 0, bytes: 0 }

  add({ payload }: Chain.JournalRow): void {
    this.rows++
    this.bytes += payload.length
    if (this.rows >= this.wanted.rows || this.bytes >= this.wanted.bytes) this.filled.unsafeOpen()
  }

  /** Begins to count anew. */
  reset(): void {
    this.rows = 0
    this.bytes = 0
  }

  /** Returns once so many rows or so many bytes were added since the count began. */
  awaitMore(rows: number, bytes: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.wanted = { rows, bytes }
      if (this.rows >= rows || this.bytes >= bytes) return Effect.void
      this.filled.unsafeClose()
      return this.filled.await
    })
  }
}

/** Never ends by itself. What keeps it from its work is logged, and tried again. */
export const archive = (
  zone: number,
  config: ArchiveConfig,
  backlog: Backlog,
  turns: Effect.Semaphore
): Effect.Effect<never, never, Journal | BlockStore> =>
  Effect.forever(
    (config.retention === undefined ? Effect.void : release(zone, config.retention)).pipe(
      Effect.zipRight(awaitSegment(zone, config, backlog)),
      Effect.zipRight(turns.withPermits(1)(sealNext(zone, config))),
      Effect.tapError(({ message }) =>
        Effect.logWarning(`zone ${zone}: its journal waits to be archived: ${message}; this is tried again`)
      ),
      Effect.retry(RETRY),
      // The schedule has no end.
      Effect.orDie
    )
  )

/** Where the archive of the zone ends. */
const endOf = (zone: number) =>
  Effect.gen(function*() {
    const journal = yield* Journal
    const last = yield* journal.segmentAt(zone, Number.MAX_SAFE_INTEGER)
    return last?.head ?? Chain.START
  })

/** Returns once the journal has a whole segment that is not archived. */
const awaitSegment = (zone: number, { segmentBytes, segmentRows }: ArchiveConfig, backlog: Backlog) =>
  Effect.gen(function*() {
    const journal = yield* Journal
    while (true) {
      // Counted before it is measured, so that nothing is missed; what is counted twice costs one more look.
      backlog.reset()
      const end = yield* endOf(zone)
      const { bytes, rows } = yield* journal.measure(zone, end.sequence, segmentRows)
      if (rows >= segmentRows || bytes >= segmentBytes) return
      yield* backlog.awaitMore(segmentRows - rows, segmentBytes - bytes)
    }
  })

const sealNext = (zone: number, config: ArchiveConfig) =>
  Effect.gen(function*() {
    const end = yield* endOf(zone)
    const [first, ...rest] = yield* nextRows(zone, end, config)
    if (first === undefined) return
    // If another owner was faster, its segment is as good.
    if (yield* Archive.seal(end, [first, ...rest])) {
      const last = rest.at(-1) ?? first
      yield* Effect.logDebug(`zone ${zone}: events ${first.first} to ${last.last} are archived`)
    }
  })

/** The rows of the next segment; none if they do not fill it yet. */
const nextRows = (zone: number, end: Chain.ChainHead, { segmentBytes, segmentRows }: ArchiveConfig) =>
  Effect.gen(function*() {
    const journal = yield* Journal
    const rows: Array<Chain.JournalRow> = []
    let bytes = 0
    while (rows.length < segmentRows && bytes < segmentBytes) {
      const after = rows.at(-1)?.last ?? end.sequence
      const page = yield* journal.read(zone, after, ROWS_PER_PAGE, Math.max(1, segmentBytes - bytes))
      if (page.length === 0) return []
      for (const row of page) {
        if (rows.length >= segmentRows || bytes >= segmentBytes) break
        rows.push(row)
        bytes += row.payload.length
      }
    }
    return rows
  })

/** Lets rows go that are archived, old enough, and not needed by any snapshot. */
const release = (
  zone: number,
  retention: Duration.Duration
): Effect.Effect<void, JournalUnavailable, Journal> =>
  Effect.gen(function*() {
    const journal = yield* Journal
    const now = yield* Clock.currentTimeNanos
    const nanos = now - BigInt(Math.round(Duration.toMillis(retention))) * NANOS_PER_MILLI
    const { nanos: rest, seconds } = Timestamp.fromNanos(nanos)
    for (let removals = 0; removals < REMOVALS_MAX; removals++) {
      const rows = yield* journal.removeArchived(zone, seconds, rest)
      if (rows === 0) return
      yield* Effect.logDebug(`zone ${zone}: ${rows} archived rows have left Postgres`)
    }
  })
