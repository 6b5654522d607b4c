/**
 * The journal with its archive: whoever reads gets the rows that have left Postgres from their segments, each proved as
 * it is read, and sees no difference. What cannot be read is an error, never a gap.
 */
import * as Timestamp from "#domain/Timestamp.ts"
import * as Archive from "#persistence/Archive.ts"
import { BlockStore } from "#persistence/blocks/BlockStore.ts"
import type { JournalRow } from "#persistence/Chain.ts"
import {
  HistoryDamaged,
  Journal,
  type JournalService,
  type JournalUnavailable,
  type SegmentRecord
} from "#persistence/Journal.ts"
import * as Effect from "effect/Effect"

/** Segments that are kept at hand: their readers come for the next page of the same ones. */
const KEPT = 4

type Rows = ReadonlyArray<JournalRow>

/** Rows come from the journal as long as it has them, else from the block store. */
export const make: Effect.Effect<JournalService, never, Journal | BlockStore> = Effect.gen(function*() {
  const journal = yield* Journal
  const store = yield* BlockStore
  /** By their keys, which name their contents; the one that was asked for last is the last. */
  const kept = new Map<string, Rows>()

  const load = (record: SegmentRecord) =>
    Effect.gen(function*() {
      const key = Archive.keyOf(record)
      const rows = kept.get(key) ?? (yield* Effect.provideService(Archive.load(record), BlockStore, store))
      kept.delete(key)
      kept.set(key, rows)
      for (const oldest of kept.keys()) {
        if (kept.size <= KEPT) break
        kept.delete(oldest)
      }
      return rows
    })

  const atHand = (zone: number, sequence: number): Rows | undefined => {
    for (const rows of kept.values()) {
      const first = rows[0]
      if (first?.zone === zone && first.first <= sequence && sequence <= (rows.at(-1)?.last ?? 0)) return rows
    }
    return undefined
  }

  /**
   * The journal has nothing to give: is this the end, or has the next row left? A row below the head that is not in the
   * journal must be in the archive, because it was recorded there before it left; asked in this order, no moment in
   * between can deceive.
   */
  const beyond = (
    zone: number,
    sequence: number,
    rowsMax: number,
    bytesMax: number
  ): Effect.Effect<Rows, JournalUnavailable | HistoryDamaged> =>
    Effect.gen(function*() {
      const head = yield* journal.head(zone)
      if (head.sequence <= sequence) return []
      const appended = yield* journal.read(zone, sequence, rowsMax, bytesMax)
      if (appended.length > 0) return appended
      const record = yield* journal.segmentAt(zone, sequence + 1)
      if (record !== undefined && sequence < record.head.sequence) {
        return pageOf(yield* load(record), sequence, rowsMax, bytesMax)
      }
      const reason = "they are neither in Postgres nor archived; bring them back from a backup of Postgres"
      return yield* new HistoryDamaged({ zone, first: sequence + 1, last: head.sequence, reason })
    })

  return {
    ...journal,
    read: (zone, sequence, rowsMax, bytesMax) =>
      Effect.suspend(() => {
        const rows = atHand(zone, sequence + 1)
        if (rows !== undefined) return Effect.succeed(pageOf(rows, sequence, rowsMax, bytesMax))
        return Effect.flatMap(
          journal.read(zone, sequence, rowsMax, bytesMax),
          (page) => page.length > 0 ? Effect.succeed(page) : beyond(zone, sequence, rowsMax, bytesMax)
        )
      }),
    sequenceAt: (zone, seconds, nanos) =>
      Effect.gen(function*() {
        const found = yield* journal.sequenceAt(zone, seconds, nanos)
        if (found > 0) return found
        const record = yield* journal.segmentAtTime(zone, seconds, nanos)
        if (record === undefined) return 0
        if (Timestamp.compare(record.ends, { seconds, nanos }) <= 0) return record.head.sequence
        const rows = yield* load(record)
        return rows.findLast(({ time }) => Timestamp.compare(time, { seconds, nanos }) <= 0)?.last ?? 0
      })
  }
})

/** As the journal cuts its pages. */
const pageOf = (rows: Rows, sequence: number, rowsMax: number, bytesMax: number): Rows => {
  const page: Array<JournalRow> = []
  let bytes = 0
  for (const row of rows) {
    if (row.last <= sequence) continue
    if (page.length >= rowsMax || (bytes > 0 && bytes + row.payload.length > bytesMax)) break
    page.push(row)
    bytes += row.payload.length
  }
  return page
}
