/**
 * A leaf of an `EntryTree`: up to 128 entries in one page, front-coded record by record and read where they lie.
 * It is bytes and functions over them; who owns the page, and what happens when it is full, is `EntryTree`'s affair.
 *
 *     count 1 | intervals 1 | last insertion 1 | streak 1 | length 2 | prefix length 2 | base inode 7 | prefix
 *     per interval of up to 31 records: offset of its first record 2, records 1
 *     records: shared << 4 | suffix length, 15 meaning 15 and a byte more; suffix; inode
 *
 * A key is the directory's number and the name. All keys of a leaf begin with the prefix, and `shared` counts from
 * there; the first record of an interval shares nothing, so that a search may begin at it. An inode is a varint of its
 * difference to the one before (to the base, in the first record of an interval), or 0 and the number in 7 bytes:
 * other zones' numbers are far away. Numbers are little-endian, except the directory's, which orders keys.
 */
import { KEY_BYTES_MAX, type KeyList } from "#domain/state/pages/KeyList.ts"

export const RECORDS_MAX = 128
export const INTERVAL_RECORDS = 16
/** An interval that would reach twice the usual length is cut in two. */
export const INTERVAL_RECORDS_MAX = 2 * INTERVAL_RECORDS - 1

export const HEADER_BYTES = 15
export const ROW_BYTES = 3
/** A head with both extensions, a whole key, a raw inode. */
export const RECORD_BYTES_MAX = 3 + KEY_BYTES_MAX + 8

/** Differences of inodes below this go into varints of at most 31 bits. */
const DIFFERENCE_MAX = 2 ** 29
const HIGH = 2 ** 32

export const countOf = (bytes: Uint8Array, at: number): number => bytes[at] as number
export const intervalsOf = (bytes: Uint8Array, at: number): number => bytes[at + 1] as number
export const lastOf = (bytes: Uint8Array, at: number): number => bytes[at + 2] as number
export const streakOf = (bytes: Uint8Array, at: number): number => bytes[at + 3] as number
export const lengthOf = (bytes: Uint8Array, at: number): number => short(bytes, at + 4)
export const prefixOf = (bytes: Uint8Array, at: number): number => short(bytes, at + 6)
export const baseOf = (bytes: Uint8Array, at: number): number => readInode(bytes, at + 8)
/** Where the row of an interval is. */
export const rowAt = (bytes: Uint8Array, at: number, interval: number): number =>
  at + HEADER_BYTES + prefixOf(bytes, at) + ROW_BYTES * interval
/** Where the records begin. */
export const recordsAt = (bytes: Uint8Array, at: number): number => rowAt(bytes, at, intervalsOf(bytes, at))

export const short = (bytes: Uint8Array, at: number): number => (bytes[at] as number) | ((bytes[at + 1] as number) << 8)

export const putShort = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}

export const readInode = (bytes: Uint8Array, at: number): number => {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  const high = (bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8) | ((bytes[at + 6] as number) << 16)
  return high * HIGH + (low >>> 0)
}

const putInode = (bytes: Uint8Array, at: number, inode: number): void => {
  const high = Math.floor(inode / HIGH)
  const low = inode >>> 0
  bytes[at] = low
  bytes[at + 1] = low >>> 8
  bytes[at + 2] = low >>> 16
  bytes[at + 3] = low >>> 24
  bytes[at + 4] = high
  bytes[at + 5] = high >>> 8
  bytes[at + 6] = high >>> 16
}

/** Writes an inode as it follows another; answers where it ends. */
export const putFollowing = (bytes: Uint8Array, at: number, inode: number, previous: number): number => {
  const difference = inode - previous - 1
  if (difference >= DIFFERENCE_MAX || difference < -DIFFERENCE_MAX) {
    bytes[at] = 0
    putInode(bytes, at + 1, inode)
    return at + 8
  }
  let code = (difference < 0 ? -2 * difference - 1 : 2 * difference) + 1
  let end = at
  while (code > 127) {
    bytes[end++] = (code & 127) | 128
    code >>>= 7
  }
  bytes[end++] = code
  return end
}

/** Reads an inode as it follows another. */
export const readFollowing = (bytes: Uint8Array, at: number, previous: number): number => {
  let end = at
  let code = bytes[end++] as number
  if (code === 0) return readInode(bytes, end)
  if (code > 127) {
    code &= 127
    let shift = 7
    let byte = 128
    while (byte > 127 && shift < 35) {
      byte = bytes[end++] as number
      code |= (byte & 127) << shift
      shift += 7
    }
  }
  code--
  return previous + 1 + ((code >>> 1) ^ -(code & 1))
}

/** Writes a record up to its suffix; answers where that goes. */
export const putHead = (bytes: Uint8Array, at: number, shared: number, suffix: number): number => {
  let end = at + 1
  if (shared >= 15) bytes[end++] = shared - 15
  if (suffix >= 15) bytes[end++] = suffix - 15
  bytes[at] = (Math.min(shared, 15) << 4) | Math.min(suffix, 15)
  return end
}

export const copy = (to: Uint8Array, at: number, from: Uint8Array, start: number, length: number): number => {
  for (let i = 0; i < length; i++) to[at + i] = from[start + i] as number
  return at + length
}

/** One record after another, from the start of an interval on. */
export class LeafReader {
  bytes: Uint8Array = new Uint8Array(0)
  /** Records that are left: of the interval, and of the leaf behind it. */
  private rest = 0
  private intervals = 0
  private row = 0
  private base = 0
  /** The record that `next` read: where it is, what it shares, where its suffix, its inode and its end are. */
  start = 0
  shared = 0
  suffix = 0
  suffixAt = 0
  inodeAt = 0
  inode = 0
  end = 0

  open(bytes: Uint8Array, at: number, interval: number): void {
    this.bytes = bytes
    this.base = baseOf(bytes, at)
    this.intervals = intervalsOf(bytes, at) - interval
    this.row = rowAt(bytes, at, interval)
    this.end = recordsAt(bytes, at) + short(bytes, this.row)
    this.rest = 0
  }

  /** Reads on behind a record of the interval, of which so many records are left. */
  openWithin(bytes: Uint8Array, end: number, inode: number, rest: number): void {
    this.bytes = bytes
    this.end = end
    this.inode = inode
    this.rest = rest
    this.intervals = 0
  }

  next(): boolean {
    if (this.rest === 0) {
      if (this.intervals === 0) return false
      this.intervals--
      this.rest = this.bytes[this.row + 2] as number
      this.row += ROW_BYTES
      this.inode = this.base
    }
    this.rest--
    const { bytes } = this
    let at = this.start = this.end
    const head = bytes[at++] as number
    this.shared = head >>> 4
    this.suffix = head & 15
    if (this.shared === 15) this.shared += bytes[at++] as number
    if (this.suffix === 15) this.suffix += bytes[at++] as number
    this.suffixAt = at
    at += this.suffix
    this.inodeAt = at
    let code = bytes[at++] as number
    if (code === 0) {
      this.inode = readInode(bytes, at)
      at += 7
    } else {
      if (code > 127) {
        code &= 127
        let shift = 7
        let byte = 128
        while (byte > 127 && shift < 35) {
          byte = bytes[at++] as number
          code |= (byte & 127) << shift
          shift += 7
        }
      }
      code--
      this.inode += 1 + ((code >>> 1) ^ -(code & 1))
    }
    this.end = at
    return true
  }
}

const reader = new LeafReader()

/**
 * Adds the records of a leaf to the list, and one more key before record `place` (none if that is negative).
 *
 * A record that shares bytes with the one before it shares them with a key between the two as well.
 */
export const takeApart = (
  bytes: Uint8Array,
  at: number,
  list: KeyList,
  place: number,
  key: Uint8Array,
  length: number,
  inode: number
): void => {
  const prefix = prefixOf(bytes, at)
  let index = 0
  reader.open(bytes, at, 0)
  while (reader.next()) {
    if (index++ === place) list.push(0, key, 0, length, inode)
    if (reader.shared === 0) {
      list.push(0, bytes, at + HEADER_BYTES, prefix, reader.inode)
      list.extend(bytes, reader.suffixAt, reader.suffix)
    } else list.push(prefix + reader.shared, bytes, reader.suffixAt, reader.suffix, reader.inode)
  }
  if (index === place) list.push(0, key, 0, length, inode)
}

/** Writes a leaf of the list's keys `from` to `to`; answers its length. */
export const putTogether = (
  bytes: Uint8Array,
  list: KeyList,
  from: number,
  to: number,
  last: number,
  streak: number
): number => {
  // Every suffix has a byte at least, even that of a leaf's only record.
  const prefix = Math.min(list.sharedOf(from, to - 1, 0), list.lengthOf(from) - 1)
  const base = (list.numbers[from] as number) - 1
  const intervals = Math.ceil((to - from) / INTERVAL_RECORDS)
  bytes[0] = to - from
  bytes[1] = intervals
  bytes[2] = last
  bytes[3] = streak
  putShort(bytes, 6, prefix)
  putInode(bytes, 8, base)
  copy(bytes, HEADER_BYTES, list.bytes, list.starts[from] as number, prefix)
  const records = HEADER_BYTES + prefix + ROW_BYTES * intervals
  let end = records
  for (let index = from; index < to; index++) {
    const within = (index - from) % INTERVAL_RECORDS
    if (within === 0) {
      const row = HEADER_BYTES + prefix + (ROW_BYTES * (index - from)) / INTERVAL_RECORDS
      putShort(bytes, row, end - records)
      bytes[row + 2] = Math.min(INTERVAL_RECORDS, to - index)
    }
    const shared = within === 0 ? prefix : list.sharedOf(index - 1, index, prefix)
    const suffix = list.lengthOf(index) - shared
    end = putHead(bytes, end, shared - prefix, suffix)
    end = copy(bytes, end, list.bytes, (list.starts[index] as number) + shared, suffix)
    end = putFollowing(
      bytes,
      end,
      list.numbers[index] as number,
      within === 0 ? base : list.numbers[index - 1] as number
    )
  }
  putShort(bytes, 4, end)
  return end
}

/** Writes the key of a record; answers its length. */
const keyAt = (bytes: Uint8Array, at: number, index: number, text: Uint8Array): number => {
  const prefix = prefixOf(bytes, at)
  copy(text, 0, bytes, at + HEADER_BYTES, prefix)
  let end = prefix
  for (let rest = open(bytes, at, index); rest >= 0; rest--) {
    reader.next()
    end = copy(text, prefix + reader.shared, bytes, reader.suffixAt, reader.suffix)
  }
  return end
}

/** Opens the reader at the interval that a record is in; answers how many records of it come before that one. */
const open = (bytes: Uint8Array, at: number, index: number): number => {
  let rest = index
  let interval = 0
  for (let row = rowAt(bytes, at, 0) + 2; rest >= (bytes[row] as number); row += ROW_BYTES) {
    rest -= bytes[row] as number
    interval++
  }
  reader.open(bytes, at, interval)
  return rest
}

/** Bytes that two keys have in common from their start. */
const sharedOf = (one: Uint8Array, length: number, other: Uint8Array, otherLength: number): number => {
  const end = Math.min(length, otherLength)
  let shared = 0
  while (shared < end && one[shared] === other[shared]) shared++
  return shared
}

/** How many of its first bytes tell a record from the key before it; they are in `edge` then. */
export const separatorOf = (bytes: Uint8Array, at: number, index: number, key: Uint8Array, length: number): number =>
  sharedOf(edge, keyAt(bytes, at, index, edge), key, length) + 1

/** The same, from the record before it. */
export const separatorAt = (bytes: Uint8Array, at: number, index: number): number =>
  separatorOf(bytes, at, index, other, keyAt(bytes, at, index - 1, other))

/** A key at the edge of a part of a leaf, another one, and the one that a walk is at. */
export const edge = new Uint8Array(KEY_BYTES_MAX)
const other = new Uint8Array(KEY_BYTES_MAX)
const text = new Uint8Array(KEY_BYTES_MAX)

/** Writes the leaf that `putTogether` makes of another's records `from` to `to`, from record to record; its length. */
export const part = (
  target: Uint8Array,
  bytes: Uint8Array,
  at: number,
  from: number,
  to: number,
  last: number,
  streak: number
): number => {
  const first = keyAt(bytes, at, from, edge)
  const prefix = Math.min(sharedOf(edge, first, other, keyAt(bytes, at, to - 1, other)), first - 1)
  const intervals = Math.ceil((to - from) / INTERVAL_RECORDS)
  const records = HEADER_BYTES + prefix + ROW_BYTES * intervals
  const before = prefixOf(bytes, at)
  target[0] = to - from
  target[1] = intervals
  target[2] = last
  target[3] = streak
  putShort(target, 6, prefix)
  copy(target, HEADER_BYTES, edge, 0, prefix)
  copy(text, 0, edge, 0, first)
  for (let rest = open(bytes, at, from); rest > 0; rest--) reader.next()
  let base = 0
  let length = 0
  let end = records
  for (let index = 0; index < to - from; index++) {
    const previous = reader.inode
    reader.next()
    const { inode, suffix, suffixAt } = reader
    const start = before + reader.shared
    let shared = start
    // The first of an interval does not say what it shares.
    if (reader.shared === 0) {
      const most = Math.min(length - start, suffix)
      while (shared - start < most && text[shared] === bytes[suffixAt + shared - start]) shared++
    }
    if (index > 0) copy(text, start, bytes, suffixAt, suffix)
    length = index > 0 ? start + suffix : first
    if (index === 0) {
      base = inode - 1
      putInode(target, 8, base)
    }
    const begins = index % INTERVAL_RECORDS === 0
    if (begins) {
      const row = HEADER_BYTES + prefix + (ROW_BYTES * index) / INTERVAL_RECORDS
      putShort(target, row, end - records)
      target[row + 2] = Math.min(INTERVAL_RECORDS, to - from - index)
      shared = prefix
    }
    end = putHead(target, end, shared - prefix, length - shared)
    end = copy(target, end, text, shared, length - shared)
    end = putFollowing(target, end, inode, begins ? base : previous)
  }
  putShort(target, 4, end)
  return end
}

/** The first record that begins in the second half of a leaf's bytes; neither half is empty. */
export const middleOf = (bytes: Uint8Array, at: number): number => {
  const half = (recordsAt(bytes, at) + at + lengthOf(bytes, at)) / 2
  let index = 1
  reader.open(bytes, at, 0)
  while (reader.next() && reader.end < half) index++
  return Math.min(index, countOf(bytes, at) - 1)
}

/** Writes the leaf's first key; answers its length. */
export const firstKey = (bytes: Uint8Array, at: number, text: Uint8Array): number => {
  const prefix = prefixOf(bytes, at)
  copy(text, 0, bytes, at + HEADER_BYTES, prefix)
  reader.open(bytes, at, 0)
  reader.next()
  return copy(text, prefix, bytes, reader.suffixAt, reader.suffix)
}
