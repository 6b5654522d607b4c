/**
 * Looks for a key in a leaf of an `EntryTree`, and tells where it is or would be. It never changes the leaf.
 *
 * The search never builds a key: it carries how many bytes the last record has in common with the key. A record that
 * shares more than that with the one before it differs from the key where that one did; one that shares less is behind
 * the key; only one that shares as much has to be compared.
 */
import { HEADER_BYTES, readInode, ROW_BYTES } from "#domain/state/pages/EntryLeaf.ts"

/** A record that the next one is expected to come behind. */
export class Finger {
  /** Its leaf's page, 0 while there is none. */
  leaf = 0
  interval = 0
  /** Records of the interval to its own. */
  within = 0
  /** Where it ends, from the page's start on. */
  end = 0
  inode = 0
}

/** The key is followed by a zero byte, which no name has. */
export class LeafCursor {
  /** The key lacks the leaf's prefix: it comes before all records (-1) or behind them (1), 0 if it does not. */
  outside = 0
  /** Bytes of the leaf's prefix that the key has. */
  prefix = 0
  interval = 0
  /** Records of the interval before the place, and in all. */
  within = 0
  records = 0
  /** Where the found record is, or the one behind the place, or the end of the interval. */
  at = 0
  /** Bytes behind the prefix that the key has in common with the record before the place, and with that behind it. */
  below = 0
  above = 0
  /** Of the record at the place. */
  shared = 0
  suffix = 0
  suffixAt = 0
  /** The inode of the record before the place, or what stands for it. */
  before = 0

  /** Whether the key is there. */
  seek(bytes: Uint8Array, at: number, key: Uint8Array, length: number): boolean {
    const prefix = (bytes[at + 6] as number) | ((bytes[at + 7] as number) << 8)
    const rows = at + HEADER_BYTES + prefix
    const from = at + HEADER_BYTES
    for (let i = 0; i < prefix; i++) {
      if (bytes[from + i] !== key[i]) {
        this.outside = (key[i] as number) < (bytes[from + i] as number) ? -1 : 1
        this.prefix = i
        return false
      }
    }
    this.outside = 0
    this.prefix = prefix
    const intervals = bytes[at + 1] as number
    const records = rows + ROW_BYTES * intervals
    const interval = intervalFor(bytes, rows, intervals, records, key, prefix)
    const row = rows + ROW_BYTES * interval
    this.interval = interval
    this.within = 0
    this.below = 0
    this.at = records + ((bytes[row] as number) | ((bytes[row + 1] as number) << 8))
    this.before = readInode(bytes, at + 8)
    return this.scan(bytes, bytes[row + 2] as number, key, length)
  }

  /**
   * Looks on from behind a record, which the key is behind and has its first `shared` bytes, the leaf's prefix among
   * them. The place is right if `isBefore`, or if the key belongs to this leaf and comes before the next interval.
   */
  seekOn(bytes: Uint8Array, at: number, finger: Finger, key: Uint8Array, length: number, shared: number): boolean {
    this.outside = 0
    this.prefix = (bytes[at + 6] as number) | ((bytes[at + 7] as number) << 8)
    this.interval = finger.interval
    this.within = finger.within
    this.below = shared - this.prefix
    this.at = at + finger.end
    this.before = finger.inode
    const row = at + HEADER_BYTES + this.prefix + ROW_BYTES * finger.interval
    return this.scan(bytes, bytes[row + 2] as number, key, length)
  }

  private scan(bytes: Uint8Array, records: number, key: Uint8Array, length: number): boolean {
    const { prefix } = this
    let { at, below: matched, before: inode, within } = this
    let shared = 0
    let suffix = 0
    let above = -1
    let text = at
    let found = false
    for (; within < records; within++) {
      text = at + 1
      const head = bytes[at] as number
      shared = head >>> 4
      suffix = head & 15
      if (shared === 15) shared += bytes[text++] as number
      if (suffix === 15) suffix += bytes[text++] as number
      if (shared < matched) {
        above = shared
        break
      }
      if (shared === matched) {
        const wanted = prefix + matched
        let i = 0
        while (i < suffix && bytes[text + i] === key[wanted + i]) i++
        found = i === suffix && wanted + i === length
        if (found || (i < suffix && (bytes[text + i] as number) > (key[wanted + i] as number))) {
          above = matched + i
          break
        }
        matched += i
      }
      at = text + suffix
      let code = bytes[at++] as number
      if (code === 0) {
        inode = readInode(bytes, at)
        at += 7
        continue
      }
      if (code > 127) {
        code &= 127
        let shift = 7
        let byte = 128
        while (byte > 127) {
          byte = bytes[at++] as number
          code |= (byte & 127) << shift
          shift += 7
        }
      }
      code--
      inode += 1 + ((code >>> 1) ^ -(code & 1))
    }
    this.records = records
    this.within = within
    this.at = at
    this.below = matched
    this.above = above
    this.shared = shared
    this.suffix = suffix
    this.suffixAt = text
    this.before = inode
    return found
  }

  /** Whether the key comes before the interval behind the place, if there is one. */
  isBeforeNext(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
    const intervals = bytes[at + 1] as number
    const next = this.interval + 1
    if (next === intervals) return true
    const rows = at + HEADER_BYTES + this.prefix
    return !isBehindFirst(bytes, rows, next, rows + ROW_BYTES * intervals, key, this.prefix)
  }

  /** Whether a record of the same interval is at the place. */
  get isBefore(): boolean {
    return this.within < this.records
  }
}

/** The last interval that begins at or before the key; the first if none does. */
const intervalFor = (
  bytes: Uint8Array,
  rows: number,
  intervals: number,
  records: number,
  key: Uint8Array,
  prefix: number
): number => {
  let low = 1
  let high = intervals
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBehindFirst(bytes, rows, middle, records, key, prefix)) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** Whether the key is the first of an interval, or behind it. */
const isBehindFirst = (
  bytes: Uint8Array,
  rows: number,
  interval: number,
  records: number,
  key: Uint8Array,
  prefix: number
): boolean => {
  const row = rows + ROW_BYTES * interval
  let at = records + ((bytes[row] as number) | ((bytes[row + 1] as number) << 8))
  let suffix = bytes[at++] as number
  // It shares nothing, so the head is the suffix's length.
  if (suffix === 15) suffix += bytes[at++] as number
  let i = 0
  while (i < suffix && bytes[at + i] === key[prefix + i]) i++
  return i === suffix || (bytes[at + i] as number) < (key[prefix + i] as number)
}
