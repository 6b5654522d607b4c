/**
 * The bytes of a segment: a run of a zone's rows, each column as it was. Pure functions over bytes; where a segment
 * lies and who has recorded it is `Archive`'s affair.
 *
 *     "CDJ" and the version, 1             4 bytes
 *     zone                                 u16
 *     rows                                 u32
 *     last event and hash before the run   u64, 32 bytes
 *     of each row:
 *       last event, epoch                  u64, u64
 *       time                               i64 seconds, u32 nanoseconds
 *       codec, bytes of the payload        u8, u32
 *       hash, payload                      32 bytes, the payload's
 *
 * Numbers are little-endian. A row's first event and the hash that it follows are those of the row before it, so only a
 * run whose chain is whole can be written, and what is read needs nothing but the chain to be proved.
 */
import * as Chain from "#persistence/Chain.ts"
import { atOnce, type Steps } from "#persistence/Turn.ts"
import * as Either from "effect/Either"

/** "CDJ" and 1, read as a little-endian u32. */
const MAGIC = 0x01_4a_44_43
const HEADER_BYTES = 4 + 2 + 4 + 8 + Chain.HASH_BYTES
const ROW_BYTES = 8 + 8 + 8 + 4 + 1 + 4 + Chain.HASH_BYTES

/** Rows of a step. */
const ROWS_AT_ONCE = 16

/** A run of rows, and where the chain stands before it. */
export interface Segment {
  readonly zone: number
  readonly from: Chain.ChainHead
  readonly rows: ReadonlyArray<Chain.JournalRow>
}

/** The bytes of a run, or why it is none: rows of another zone, or a chain with a broken link. */
export const encode = (segment: Segment): Either.Either<Uint8Array, string> => atOnce(encoding(segment))

/** The same in steps. */
export function* encoding({ from, rows, zone }: Segment): Steps<Either.Either<Uint8Array, string>> {
  const problem = yield* problemOf({ from, rows, zone })
  if (problem !== undefined) return Either.left(problem)
  const bytes = Buffer.allocUnsafe(rows.reduce((sum, { payload }) => sum + ROW_BYTES + payload.length, HEADER_BYTES))
  bytes.writeUInt32LE(MAGIC, 0)
  bytes.writeUInt16LE(zone, 4)
  bytes.writeUInt32LE(rows.length, 6)
  bytes.writeBigUInt64LE(BigInt(from.sequence), 10)
  bytes.set(from.hash, 18)
  let at = HEADER_BYTES
  for (const [index, { codec, epoch, hash, last, payload, time }] of rows.entries()) {
    if (index % ROWS_AT_ONCE === 0) yield
    bytes.writeBigUInt64LE(BigInt(last), at)
    bytes.writeBigUInt64LE(BigInt(epoch), at + 8)
    bytes.writeBigInt64LE(BigInt(time.seconds), at + 16)
    bytes.writeUInt32LE(time.nanos, at + 24)
    bytes.writeUInt8(codec, at + 28)
    bytes.writeUInt32LE(payload.length, at + 29)
    bytes.set(hash, at + 33)
    bytes.set(payload, at + ROW_BYTES)
    at += ROW_BYTES + payload.length
  }
  return Either.right(bytes)
}

/** The run that the bytes hold, its chain proved, or what is wrong with them. Payloads and hashes are views. */
export const decode = (given: Uint8Array): Either.Either<Segment, string> => atOnce(decoding(given))

/** The same in steps. */
export function* decoding(given: Uint8Array): Steps<Either.Either<Segment, string>> {
  const bytes = Buffer.from(given.buffer, given.byteOffset, given.byteLength)
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) {
    return Either.left("it does not begin as a segment of this version does")
  }
  const zone = bytes.readUInt16LE(4)
  const count = bytes.readUInt32LE(6)
  const from = { sequence: Number(bytes.readBigUInt64LE(10)), hash: bytes.subarray(18, HEADER_BYTES) }
  const rows: Array<Chain.JournalRow> = []
  let head: Chain.ChainHead = from
  let at = HEADER_BYTES
  while (rows.length < count) {
    if (rows.length % ROWS_AT_ONCE === 0) yield
    if (at + ROW_BYTES > bytes.length) return Either.left(`it ends within row ${rows.length} of ${count}`)
    const end = at + ROW_BYTES + bytes.readUInt32LE(at + 29)
    if (end > bytes.length) return Either.left(`it ends within row ${rows.length} of ${count}`)
    const row = {
      zone,
      first: head.sequence + 1,
      last: Number(bytes.readBigUInt64LE(at)),
      epoch: Number(bytes.readBigUInt64LE(at + 8)),
      time: { seconds: Number(bytes.readBigInt64LE(at + 16)), nanos: bytes.readUInt32LE(at + 24) },
      codec: bytes.readUInt8(at + 28),
      payload: bytes.subarray(at + ROW_BYTES, end),
      previous: head.hash,
      hash: bytes.subarray(at + 33, at + ROW_BYTES)
    }
    if (![row.first, row.last, row.epoch, row.time.seconds].every(Number.isSafeInteger)) {
      return Either.left(`row ${rows.length} of ${count} holds a number that no row can have`)
    }
    rows.push(row)
    head = Chain.headOf(row)
    at = end
  }
  if (at !== bytes.length) return Either.left(`${bytes.length - at} bytes follow its last row`)
  const segment = { zone, from, rows }
  const problem = yield* problemOf(segment)
  return problem === undefined ? Either.right(segment) : Either.left(problem)
}

function* problemOf({ from, rows, zone }: Segment): Steps<string | undefined> {
  if (rows.length === 0) return "it has no row"
  let head = from
  for (const [index, row] of rows.entries()) {
    if (index % ROWS_AT_ONCE === 0) yield
    const problem = row.zone === zone ? Chain.problemOf(head, row) : `the row is of zone ${row.zone}`
    if (problem !== undefined) return `event ${head.sequence + 1}: ${problem}`
    head = Chain.headOf(row)
  }
  return undefined
}
