/**
 * Sealed segments in the block store: how a run of rows becomes an object with a record, and how it is read again. The
 * record is written last, once the object was read back, so what is recorded is there and is those rows.
 *
 * Which rows make a segment, and when, is `actors/Archiver`'s affair.
 */
import { BlockStore, type ReadError, type WriteError } from "#persistence/blocks/BlockStore.ts"
import * as Chain from "#persistence/Chain.ts"
import { HistoryDamaged, Journal, JournalUnavailable, type SegmentRecord } from "#persistence/Journal.ts"
import * as SegmentCodec from "#persistence/SegmentCodec.ts"
import { type Steps, through } from "#persistence/Turn.ts"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"

/** Why rows were not archived. They are in the journal still, and nothing is recorded. */
export type SealError = WriteError | JournalUnavailable | HistoryDamaged

const NUMBER_WIDTH = 16
/** A bit that turned on the way is whole the next time; one that turned in the store is not. */
const READS_MAX = 5
/** Bytes and rows of a step. */
const DIGESTED_AT_ONCE = 256 * 1024
const COMPARED_AT_ONCE = 64

/**
 * It names the very rows, which never change: whoever else archives them stores the same bytes under the same key, and
 * whoever cuts the journal elsewhere stores them under another one.
 */
export const keyOf = ({ first, head, zone }: Pick<SegmentRecord, "zone" | "first" | "head">): string =>
  beginningOf({ zone, first }) + padded(head.sequence)

const beginningOf = ({ first, zone }: Pick<SegmentRecord, "zone" | "first">): string =>
  `journal/${zone}/${padded(first)}-`

const padded = (sequence: number): string => String(sequence).padStart(NUMBER_WIDTH, "0")

/**
 * Stores the rows that follow where the archive ends, reads them back, and records them. False if the archive ends
 * elsewhere by now: another owner was faster.
 */
export const seal = (
  from: Chain.ChainHead,
  rows: readonly [Chain.JournalRow, ...ReadonlyArray<Chain.JournalRow>]
): Effect.Effect<boolean, SealError, BlockStore | Journal> =>
  Effect.gen(function*() {
    const store = yield* BlockStore
    const journal = yield* Journal
    const [{ first, time: begins, zone }] = rows
    const last = rows[rows.length - 1] as Chain.JournalRow
    const encoded = yield* through(SegmentCodec.encoding({ zone, from, rows }))
    const bytes = yield* Effect.mapError(encoded, (reason) =>
      new HistoryDamaged({
        zone,
        first,
        last: last.last,
        reason: `${reason} (cadastre audit verify --zone ${zone} shows more)`
      }))
    const record: SegmentRecord = {
      zone,
      first,
      previous: from.hash,
      head: Chain.headOf(last),
      begins,
      ends: last.time,
      rows: rows.length,
      bytes: bytes.length,
      digest: yield* digestOf(bytes)
    }
    yield* store.put(keyOf(record), bytes)
    const stored = yield* load(record)
    const lost = yield* through(firstLost(rows, stored))
    if (lost !== undefined) {
      return yield* damaged(record, `the row of event ${lost.first} does not come back as it is`)
    }
    const isAdded = yield* journal.addSegment(record)
    const recorded = isAdded ? record : yield* journal.segmentAt(zone, first)
    if (recorded?.first === first) yield* removeOthers(recorded)
    return isAdded
  })

/**
 * Removes what owners that died, or were slower, stored of the same rows cut elsewhere: one segment begins at an event,
 * and that is recorded. What holds another history, as after an older backup was brought back, stays.
 */
const removeOthers = (recorded: SegmentRecord): Effect.Effect<void, never, BlockStore | Journal> =>
  Effect.gen(function*() {
    const store = yield* BlockStore
    const own = keyOf(recorded)
    yield* store.list(beginningOf(recorded)).pipe(
      Stream.filter(({ key }) => key !== own),
      Stream.runForEach(({ key }) =>
        Effect.flatMap(isOfJournal(key), (isCopy) =>
          isCopy
            ? store.remove(key)
            : Effect.logWarning(`${key} is no segment and not of this journal either; it stays`))
      ),
      Effect.catchAll(({ message }) => Effect.logWarning(`objects beside segment ${own} stay: ${message}`))
    )
  })

/** Whether the journal has the object's last row, and so all of them. */
const isOfJournal = (
  key: string
): Effect.Effect<boolean, ReadError | JournalUnavailable | HistoryDamaged, BlockStore | Journal> =>
  Effect.gen(function*() {
    const bytes = yield* Effect.flatMap(BlockStore, (store) => store.get(key))
    const segment = yield* Effect.option(SegmentCodec.decode(bytes))
    const last = Option.isSome(segment) ? segment.value.rows.at(-1) : undefined
    if (last === undefined) return false
    const journal = yield* Journal
    const [row] = yield* journal.read(last.zone, last.first - 1, 1, 1)
    return equal(last, row)
  })

/** The segment's rows, proved against its record. */
export const load = (
  record: SegmentRecord
): Effect.Effect<ReadonlyArray<Chain.JournalRow>, HistoryDamaged | JournalUnavailable, BlockStore> =>
  Effect.gen(function*() {
    const store = yield* BlockStore
    const bytes = yield* store.get(keyOf(record)).pipe(
      Effect.retry({ times: READS_MAX - 1, while: ({ _tag }) => _tag === "ObjectCorrupt" }),
      Effect.mapError((error) => unread(record, error))
    )
    if (Buffer.compare(yield* digestOf(bytes), record.digest) !== 0) {
      return yield* damaged(record, "it does not give the digest that was recorded")
    }
    const decoded = yield* through(SegmentCodec.decoding(bytes))
    const { from, rows, zone } = yield* Effect.mapError(decoded, (reason) => damaged(record, reason))
    const last = rows[rows.length - 1]
    const isRecorded = zone === record.zone && from.sequence === record.first - 1 &&
      Buffer.compare(from.hash, record.previous) === 0 &&
      last?.last === record.head.sequence && Buffer.compare(last.hash, record.head.hash) === 0
    return isRecorded ? rows : yield* damaged(record, "it holds other rows than those that were recorded")
  })

const digestOf = (bytes: Uint8Array): Effect.Effect<Uint8Array> => Effect.suspend(() => through(digesting(bytes)))

function* digesting(bytes: Uint8Array): Steps<Uint8Array> {
  const hash = createHash("sha256")
  for (let at = 0; at < bytes.length; at += DIGESTED_AT_ONCE) {
    hash.update(bytes.subarray(at, at + DIGESTED_AT_ONCE))
    yield
  }
  return hash.digest()
}

/** The first row that is another one there. */
function* firstLost(
  rows: ReadonlyArray<Chain.JournalRow>,
  stored: ReadonlyArray<Chain.JournalRow>
): Steps<Chain.JournalRow | undefined> {
  for (const [index, row] of rows.entries()) {
    if (!equal(row, stored[index])) return row
    if (index % COMPARED_AT_ONCE === 0) yield
  }
  return undefined
}

/** An object that is gone or wrong stays so until a person brings it back; a store that is away comes back by itself. */
const unread = (record: SegmentRecord, error: ReadError): HistoryDamaged | JournalUnavailable =>
  error._tag === "StoreUnavailable"
    ? new JournalUnavailable({ operation: "read a segment", reason: error.message, uncertain: false })
    : damaged(record, error.message)

const damaged = (record: SegmentRecord, reason: string): HistoryDamaged =>
  new HistoryDamaged({
    zone: record.zone,
    first: record.first,
    last: record.head.sequence,
    reason: `they are archived in ${keyOf(record)}: ${reason}; bring that object back from a copy of the block store`
  })

const equal = (a: Chain.JournalRow, b: Chain.JournalRow | undefined): boolean =>
  b !== undefined && a.zone === b.zone && a.first === b.first && a.last === b.last && a.epoch === b.epoch &&
  a.time.seconds === b.time.seconds && a.time.nanos === b.time.nanos && a.codec === b.codec &&
  Buffer.compare(a.payload, b.payload) === 0 && Buffer.compare(a.previous, b.previous) === 0 &&
  Buffer.compare(a.hash, b.hash) === 0
