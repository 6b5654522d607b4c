/**
 * A packed page of the inode table: the attributes of up to 128 inodes with consecutive numbers, column by column.
 * It knows the bytes, not where they are kept. Folded, they follow from the contents alone.
 *
 *     format, range (6), inodes - 1, bytes (2), log entries, inodes removed in the log, columns (2),
 *     which slots are taken (16 bytes, unless all), where each column starts (2 bytes each), columns, log
 *
 * A column is left out when it says nothing: all zeros, or a ctime or atime that equals the mtime. Those two may be
 * kept as differences: ctime from mtime, atime from either.
 */
import { readUint, writeUint } from "#domain/state/pages/Bytes.ts"
import * as Columns from "#domain/state/pages/Column.ts"
import { RANKS } from "#domain/state/pages/Column.ts"
import { Column, COLUMNS, holds } from "#domain/state/pages/InodeColumns.ts"
import * as Log from "#domain/state/pages/InodeLog.ts"
import { SLOT_BYTES_MAX } from "#domain/state/pages/Slab.ts"

/** The first byte of a packed page, and of one whose contents are elsewhere for now. */
export const PACKED = 0x11
export const UNPACKED = 0x12

const RANGE = 1
const COUNT = 7
const LENGTH = 8
const LOGGED = 10
const GONE = 11
const MASK = 12
const HEADER_BYTES = 14
const PRESENCE_BYTES = RANKS / 8
const RANGE_MAX = 2 ** 46 - 1
const EVERY = (1 << COLUMNS) - 1

/** References of time columns: kept as it is, or as the difference from another time's column. */
const PLAIN = 0
const FROM_MTIME = 1
const FROM_CTIME = 2

/** What `pack` reads: values by column and rank, which slots are taken, how many; and where it writes. */
export const rows = new Float64Array(COLUMNS * RANKS)
export const presence = new Uint8Array(PRESENCE_BYTES)
export const packed = new Uint8Array(SLOT_BYTES_MAX)
const differences = new Float64Array(2 * RANKS)

export const rangeOf = (bytes: Uint8Array, at: number): number => readUint(bytes, at + RANGE, 6)
/** Inodes in the columns, those removed in the log included. */
export const countOf = (bytes: Uint8Array, at: number): number => (bytes[at + COUNT] as number) + 1
/** Bytes without the log. */
export const lengthOf = (bytes: Uint8Array, at: number): number => readUint(bytes, at + LENGTH, 2)
/** Bytes with the log. */
export const storedLengthOf = (bytes: Uint8Array, at: number): number =>
  lengthOf(bytes, at) + loggedOf(bytes, at) * Log.ENTRY_BYTES
export const loggedOf = (bytes: Uint8Array, at: number): number => bytes[at + LOGGED] as number
export const goneOf = (bytes: Uint8Array, at: number): number => bytes[at + GONE] as number

export const writeRange = (bytes: Uint8Array, at: number, range: number): void => writeUint(bytes, at + RANGE, 6, range)

export const setLogged = (bytes: Uint8Array, at: number, logged: number, gone: number): void => {
  bytes[at + LOGGED] = logged
  bytes[at + GONE] = gone
}

/** The rank of a slot among those taken, or -1. */
export const rankOf = (bytes: Uint8Array, at: number, slot: number): number => {
  if (bytes[at + COUNT] === RANKS - 1) return slot
  const bits = at + HEADER_BYTES
  const last = bits + (slot >> 3)
  if (((bytes[last] as number) & (1 << (slot & 7))) === 0) return -1
  let rank = ones((bytes[last] as number) & ((1 << (slot & 7)) - 1))
  for (let i = bits; i < last; i++) rank += ones(bytes[i] as number)
  return rank
}

const ones = (bits: number): number => {
  const pairs = bits - ((bits >> 1) & 0x55)
  const fours = (pairs & 0x33) + ((pairs >> 2) & 0x33)
  return (fours + (fours >> 4)) & 15
}

const directoryOf = (bytes: Uint8Array, at: number): number =>
  at + HEADER_BYTES + (bytes[at + COUNT] === RANKS - 1 ? 0 : PRESENCE_BYTES)

/** Where a column starts, or 0 when it is left out. */
const placeOf = (bytes: Uint8Array, at: number, column: number): number => {
  const mask = readUint(bytes, at + MASK, 2)
  if ((mask & (1 << column)) === 0) return 0
  const before = mask & ((1 << column) - 1)
  const index = ones(before & 0xff) + ones(before >> 8)
  return at + readUint(bytes, directoryOf(bytes, at) + 2 * index, 2)
}

/** One value as the columns have it, whatever the log says. */
export const valueAt = (bytes: Uint8Array, at: number, column: number, rank: number): number => {
  const place = placeOf(bytes, at, column)
  if (place === 0) return column < Column.ctime ? 0 : valueAt(bytes, at, Column.mtime + (column & 1), rank)
  const value = Columns.valueAt(bytes, place, countOf(bytes, at), rank)
  const reference = Columns.referenceAt(bytes, place)
  if (reference === PLAIN) return value
  return value + valueAt(bytes, at, reference === FROM_MTIME ? Column.mtime + (column & 1) : column - 2, rank)
}

/** All values of one inode as the columns have them. */
export const readRow = (bytes: Uint8Array, at: number, rank: number, cells: Float64Array): void => {
  const mask = readUint(bytes, at + MASK, 2)
  const count = countOf(bytes, at)
  let directory = directoryOf(bytes, at)
  for (let column = 0; column < COLUMNS; column++) {
    if ((mask & (1 << column)) === 0) {
      cells[column] = column < Column.ctime ? 0 : cells[Column.mtime + (column & 1)] as number
      continue
    }
    const place = at + readUint(bytes, directory, 2)
    directory += 2
    const value = Columns.valueAt(bytes, place, count, rank)
    const reference = Columns.referenceAt(bytes, place)
    cells[column] = reference === PLAIN
      ? value
      : value + (cells[reference === FROM_MTIME ? Column.mtime + (column & 1) : column - 2] as number)
  }
}

/** Fills `rows` with what the columns have. */
const readColumns = (bytes: Uint8Array, at: number): void => {
  const count = countOf(bytes, at)
  for (let column = 0; column < COLUMNS; column++) {
    const place = placeOf(bytes, at, column)
    const from = column * RANKS
    if (place === 0) {
      if (column < Column.ctime) rows.fill(0, from, from + count)
      else rows.copyWithin(from, mtimeOf(column), mtimeOf(column) + count)
      continue
    }
    Columns.readAll(bytes, place, count, rows, from)
    const reference = Columns.referenceAt(bytes, place)
    if (reference === PLAIN) continue
    const other = reference === FROM_MTIME ? mtimeOf(column) : from - 2 * RANKS
    for (let i = 0; i < count; i++) rows[from + i] = (rows[from + i] as number) + (rows[other + i] as number)
  }
}

/** Where in `rows` the mtime that belongs to a time's column starts. */
const mtimeOf = (column: number): number => (Column.mtime + (column & 1)) * RANKS

/** Fills `rows` and `presence` with the page's contents, the log's changes included, and answers how many there are. */
export const unpack = (bytes: Uint8Array, at: number): number => {
  const count = countOf(bytes, at)
  copyPresence(bytes, at, presence)
  readColumns(bytes, at)
  applyLog(bytes, at)
  return goneOf(bytes, at) === 0 ? count : dropGone(bytes, at, count)
}

const applyLog = (bytes: Uint8Array, at: number): void => {
  const log = at + lengthOf(bytes, at)
  const end = log + loggedOf(bytes, at) * Log.ENTRY_BYTES
  for (let entry = log; entry < end; entry += Log.ENTRY_BYTES) {
    const group = bytes[entry + 1] as number
    const rank = rankOf(bytes, at, bytes[entry] as number)
    for (let column = Log.firstColumn(group); column < Log.endColumn(group); column++) {
      rows[column * RANKS + rank] = Log.get(bytes, entry, column)
    }
  }
}

/** Closes the gaps that removed inodes leave in `rows`. */
const dropGone = (bytes: Uint8Array, at: number, count: number): number => {
  const log = at + lengthOf(bytes, at)
  const logged = loggedOf(bytes, at)
  let kept = 0
  let rank = 0
  for (let slot = 0; rank < count; slot++) {
    if (!isPresent(presence, slot)) continue
    if (Log.find(bytes, log, logged, slot, Log.REMOVED) === 0) {
      if (kept < rank) { for (let at = 0; at < rows.length; at += RANKS) rows[at + kept] = rows[at + rank] as number }
      kept++
    } else presence[slot >> 3] = (presence[slot >> 3] as number) & ~(1 << (slot & 7))
    rank++
  }
  return kept
}

/** Which slots are taken, those removed in the log left out. */
export const readPresence = (bytes: Uint8Array, at: number, into: Uint8Array): void => {
  copyPresence(bytes, at, into)
  const log = at + lengthOf(bytes, at)
  const end = log + loggedOf(bytes, at) * Log.ENTRY_BYTES
  for (let entry = log; entry < end; entry += Log.ENTRY_BYTES) {
    const slot = bytes[entry] as number
    if (bytes[entry + 1] === Log.REMOVED) into[slot >> 3] = (into[slot >> 3] as number) & ~(1 << (slot & 7))
  }
}

const copyPresence = (bytes: Uint8Array, at: number, into: Uint8Array): void => {
  const bits = at + HEADER_BYTES
  if (bytes[at + COUNT] === RANKS - 1) into.fill(255)
  else for (let i = 0; i < PRESENCE_BYTES; i++) into[i] = bytes[bits + i] as number
}

export const isPresent = (presence: Uint8Array, slot: number): boolean =>
  ((presence[slot >> 3] as number) & (1 << (slot & 7))) !== 0

/** Writes `rows` and `presence` to `packed` as a page of `count` inodes, and answers its bytes. */
export const pack = (range: number, count: number): number => {
  const mask = maskOf(count)
  return writeColumns(count, mask, begin(range, count, mask))
}

/** Which columns say something. */
const maskOf = (count: number): number => {
  let mask = 0
  for (let column = 0; column < COLUMNS; column++) {
    const from = column * RANKS
    const other = column < Column.ctime ? -1 : mtimeOf(column)
    for (let i = 0; i < count; i++) {
      if (rows[from + i] !== (other < 0 ? 0 : rows[other + i])) {
        mask |= 1 << column
        break
      }
    }
  }
  return mask
}

/** Writes all that comes before the columns, and answers where they start. */
const begin = (range: number, count: number, mask: number): number => {
  packed[0] = PACKED
  writeRange(packed, 0, range)
  packed[COUNT] = count - 1
  setLogged(packed, 0, 0, 0)
  writeUint(packed, MASK, 2, mask)
  if (count < RANKS) packed.set(presence, HEADER_BYTES)
  return directoryOf(packed, 0) + 2 * (ones(mask & 0xff) + ones(mask >> 8))
}

const writeColumns = (count: number, mask: number, start: number): number => {
  let directory = directoryOf(packed, 0)
  let end = start
  for (let column = 0; column < COLUMNS; column++) {
    if ((mask & (1 << column)) === 0) continue
    writeUint(packed, directory, 2, end)
    directory += 2
    end = writeColumn(column, count, end)
  }
  writeUint(packed, LENGTH, 2, end)
  return end
}

const writeColumn = (column: number, count: number, at: number): number => {
  const from = column * RANKS
  let least = Columns.plan(rows, from, count)
  if (column < Column.ctime) return Columns.write(rows, from, count, PLAIN, packed, at)
  let reference = PLAIN
  let planned = PLAIN
  const references = column < Column.atime ? FROM_MTIME : FROM_CTIME
  for (let candidate = FROM_MTIME; candidate <= references; candidate++) {
    const other = candidate === FROM_MTIME ? mtimeOf(column) : from - 2 * RANKS
    // What differs from one value varies as much as it does itself.
    if (isConstant(other, count)) continue
    const to = (candidate - 1) * RANKS
    for (let i = 0; i < count; i++) differences[to + i] = (rows[from + i] as number) - (rows[other + i] as number)
    const size = Columns.plan(differences, to, count)
    planned = candidate
    if (size >= least) continue
    least = size
    reference = candidate
  }
  const values = reference === PLAIN ? rows : differences
  const start = reference === PLAIN ? from : (reference - 1) * RANKS
  if (planned !== reference) Columns.plan(values, start, count)
  return Columns.write(values, start, count, reference, packed, at)
}

const isConstant = (from: number, count: number): boolean => {
  const first = rows[from]
  for (let i = from + count - 1; i > from; i--) if (rows[i] !== first) return false
  return true
}

/** Why these bytes are no folded page; undefined when they are one, to the last bit. */
export const validate = (bytes: Uint8Array, at: number, length: number): string | undefined => {
  if (length < HEADER_BYTES || length > SLOT_BYTES_MAX || at + length > bytes.length) return `a page of ${length} bytes`
  if (bytes[at] !== PACKED) return `format ${bytes[at]}`
  if (lengthOf(bytes, at) !== length) return `says it has ${lengthOf(bytes, at)} bytes, has ${length}`
  if (rangeOf(bytes, at) > RANGE_MAX) return `range ${rangeOf(bytes, at)}`
  if (countOf(bytes, at) > RANKS) return `${countOf(bytes, at)} inodes`
  if (loggedOf(bytes, at) !== 0 || goneOf(bytes, at) !== 0) return "is not folded"
  const reason = validateLayout(bytes, at, at + length)
  if (reason !== undefined) return reason
  const count = unpack(bytes, at)
  for (let column = 0; column < COLUMNS; column++) {
    for (let i = 0; i < count; i++) {
      const value = rows[column * RANKS + i] as number
      if (!holds(column, value)) return `column ${column} has ${value}`
    }
  }
  if (pack(rangeOf(bytes, at), count) !== length) return "is not as it would be written"
  for (let i = 0; i < length; i++) {
    if (packed[i] !== bytes[at + i]) return `byte ${i} is not as it would be written`
  }
  return undefined
}

const validateLayout = (bytes: Uint8Array, at: number, limit: number): string | undefined => {
  const count = countOf(bytes, at)
  const mask = readUint(bytes, at + MASK, 2)
  if (mask > EVERY) return `columns ${mask}`
  let directory = directoryOf(bytes, at)
  let end = directory + 2 * (ones(mask & 0xff) + ones(mask >> 8))
  if (end > limit) return "ends before its columns"
  let taken = 0
  for (let i = at + HEADER_BYTES; i < directory; i++) taken += ones(bytes[i] as number)
  if (count < RANKS && taken !== count) return `${count} inodes in ${taken} slots`
  for (let column = 0; column < COLUMNS; column++) {
    if ((mask & (1 << column)) === 0) continue
    if (at + readUint(bytes, directory, 2) !== end) return `column ${column} is not where the last one ends`
    directory += 2
    const bytesOf = Columns.lengthAt(bytes, end, limit, count)
    if (bytesOf === 0) return `column ${column} is malformed`
    const references = column < Column.ctime ? PLAIN : column < Column.atime ? FROM_MTIME : FROM_CTIME
    if (Columns.referenceAt(bytes, end) > references) return `column ${column} is a difference from nothing`
    end += bytesOf
  }
  return end === limit ? undefined : "goes on after its columns"
}
