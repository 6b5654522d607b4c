/**
 * Changes a leaf of an `EntryTree` where it lies: a record comes, goes or gets another inode, the one behind it is
 * written anew, the rest is moved. It does not split or merge leaves, and says when that is due.
 */
import {
  baseOf,
  copy,
  countOf,
  INTERVAL_RECORDS,
  INTERVAL_RECORDS_MAX,
  intervalsOf,
  lastOf,
  LeafReader,
  lengthOf,
  putFollowing,
  putHead,
  putShort,
  RECORD_BYTES_MAX,
  RECORDS_MAX,
  recordsAt,
  ROW_BYTES,
  rowAt,
  short,
  streakOf
} from "#domain/state/pages/EntryLeaf.ts"
import type { Finger, LeafCursor } from "#domain/state/pages/EntryLeafCursor.ts"
import { KEY_BYTES_MAX } from "#domain/state/pages/KeyList.ts"
import type { Pages } from "#domain/state/pages/Pages.ts"
import { SLOT_BYTES_MAX } from "#domain/state/pages/Slab.ts"

/** Room stays for one more record, one that begins an interval, and its row. */
const LEAF_BYTES_MAX = SLOT_BYTES_MAX - 2 * RECORD_BYTES_MAX - ROW_BYTES
/** And for inodes as long as can be: entries may be pointed to others without being taken apart. */
const INODE_MORE_BYTES = 7

/** Whether so many bytes with so many records are all that a leaf takes. */
export const isFull = (length: number, count: number): boolean =>
  count >= RECORDS_MAX || length + INODE_MORE_BYTES * count > LEAF_BYTES_MAX

/** An insertion so few records behind the last one goes on with a run: other names may lie between. */
const RUN_STEP_MAX = 4
const STREAK_MAX = 255

const patch = new Uint8Array(4 * RECORD_BYTES_MAX)
const text = new Uint8Array(KEY_BYTES_MAX)
const reader = new LeafReader()

export class LeafEditor {
  private readonly pages: Pages
  private readonly cursor: LeafCursor
  private page = 0

  constructor(pages: Pages, cursor: LeafCursor) {
    this.pages = pages
    this.cursor = cursor
  }

  /** The index in the leaf of the place that the cursor found. */
  place(): number {
    const { cursor, pages: { at, bytes } } = this
    if (cursor.outside !== 0) return cursor.outside < 0 ? 0 : countOf(bytes, at)
    let place = cursor.within
    let row = rowAt(bytes, at, 0) + 2
    for (let interval = 0; interval < cursor.interval; interval++) {
      place += bytes[row] as number
      row += ROW_BYTES
    }
    return place
  }

  /** How long the run would be that an insertion at this place goes on with. */
  streakFor(place: number): number {
    const { at, bytes } = this.pages
    const step = place - lastOf(bytes, at)
    const streak = streakOf(bytes, at)
    return step > 0 && step <= RUN_STEP_MAX ? Math.min(streak + 1, STREAK_MAX) : streak >>> 1
  }

  /**
   * Adds a key at the cursor's place, and points the finger to it unless that takes a search. False, and no change, if
   * the leaf has to be taken apart for it.
   */
  insert(page: number, place: number, key: Uint8Array, length: number, inode: number, finger: Finger): boolean {
    const { cursor, pages } = this
    const { bytes, at } = pages
    const count = countOf(bytes, at)
    if (isFull(lengthOf(bytes, at), count)) return false
    // Every record adds something to the prefix.
    if (cursor.outside !== 0 || cursor.prefix === length) return false
    const streak = this.streakFor(place)
    this.page = page
    // What comes in order fills an interval and begins the next.
    const begins = place === count && cursor.within >= INTERVAL_RECORDS
    const below = begins ? 0 : cursor.below
    const before = begins ? baseOf(bytes, at) : cursor.before
    const from = cursor.prefix + below
    let end = putHead(patch, 0, below, length - from)
    end = putFollowing(patch, copy(patch, end, key, from, length - from), inode, before)
    finger.leaf = page
    finger.interval = begins ? cursor.interval + 1 : cursor.interval
    finger.within = begins ? 1 : cursor.within + 1
    finger.end = cursor.at - at + end + (begins ? ROW_BYTES : 0)
    finger.inode = inode
    let until = cursor.at
    if (cursor.isBefore) {
      // The record behind shares more with the new one than with the one before that.
      reader.openWithin(bytes, cursor.at, cursor.before, 1)
      reader.next()
      const more = cursor.above - reader.shared
      end = putHead(patch, end, cursor.above, reader.suffix - more)
      end = copy(patch, end, bytes, reader.suffixAt + more, reader.suffix - more)
      end = putFollowing(patch, end, reader.inode, inode)
      until = reader.end
    }
    const offset = cursor.at - recordsAt(bytes, at)
    this.splice(cursor.interval, cursor.at, until, end)
    if (begins) this.addRow(cursor.interval, offset, cursor.within)
    else this.grow(cursor.interval, 1)
    this.mark(count + 1, place, streak)
    if (!begins && cursor.records === INTERVAL_RECORDS_MAX) {
      this.cutInterval(cursor.interval)
      finger.leaf = 0
    }
    return true
  }

  /** Points the found entry to another inode. */
  replace(page: number, inode: number): void {
    const { cursor, pages: { bytes } } = this
    this.page = page
    reader.openWithin(bytes, cursor.at, cursor.before, cursor.records - cursor.within)
    reader.next()
    const from = reader.inodeAt
    let end = putFollowing(patch, 0, inode, cursor.before)
    if (reader.next()) {
      end = copy(patch, end, bytes, reader.start, reader.inodeAt - reader.start)
      end = putFollowing(patch, end, reader.inode, inode)
    }
    this.splice(cursor.interval, from, reader.end, end)
  }

  /** Takes out the found entry. The leaf may be empty afterwards, which it must not stay. */
  delete(page: number): void {
    const { cursor, pages: { at, bytes } } = this
    this.page = page
    reader.openWithin(bytes, cursor.at, cursor.before, cursor.records - cursor.within)
    reader.next()
    const { shared, suffixAt } = reader
    let end = 0
    if (reader.next()) {
      // What the record behind shared with the one that goes, and that not with the one before, it has now itself.
      const more = Math.max(0, reader.shared - shared)
      end = putHead(patch, 0, Math.min(shared, reader.shared), more + reader.suffix)
      end = copy(patch, end, bytes, suffixAt, more)
      end = copy(patch, end, bytes, reader.suffixAt, reader.suffix)
      end = putFollowing(patch, end, reader.inode, cursor.before)
    }
    const count = countOf(bytes, at) - 1
    this.splice(cursor.interval, cursor.at, reader.end, end)
    if (cursor.records === 1) this.dropRow(cursor.interval)
    else this.grow(cursor.interval, -1)
    this.pages.bytes[this.pages.at] = count
    this.shrink()
  }

  /** Replaces bytes of the interval's records by those of the patch, and moves what is behind them. */
  private splice(interval: number, from: number, to: number, size: number): void {
    const { pages } = this
    const start = from - pages.at
    const more = size - (to - from)
    if (more !== 0) {
      this.resize(to - pages.at, more)
      const { at, bytes } = pages
      let row = rowAt(bytes, at, interval + 1)
      for (const end = recordsAt(bytes, at); row < end; row += ROW_BYTES) putShort(bytes, row, short(bytes, row) + more)
    } else pages.touch(this.page)
    copy(pages.bytes, pages.at + start, patch, 0, size)
  }

  /** Moves the bytes of the page from an offset on. */
  private resize(from: number, more: number): void {
    const { page, pages } = this
    const length = lengthOf(pages.bytes, pages.at)
    if (more > 0 && length + more > pages.capacity(page)) {
      pages.resize(page, length + more, length)
      pages.locate(page)
    } else pages.touch(page)
    const { at, bytes } = pages
    if (from < length) bytes.copyWithin(at + from + more, at + from, at + length)
    putShort(bytes, at + 4, length + more)
  }

  private grow(interval: number, more: number): void {
    const { at, bytes } = this.pages
    const row = rowAt(bytes, at, interval) + 2
    bytes[row] = (bytes[row] as number) + more
  }

  private mark(count: number, place: number, streak: number): void {
    const { at, bytes } = this.pages
    bytes[at] = count
    bytes[at + 2] = place
    bytes[at + 3] = streak
  }

  /** Begins an interval with the record at an offset, which has its whole key, behind `kept` records of this one. */
  private addRow(interval: number, offset: number, kept: number): void {
    const { pages } = this
    this.resize(rowAt(pages.bytes, pages.at, interval + 1) - pages.at, ROW_BYTES)
    const { at, bytes } = pages
    bytes[at + 1] = intervalsOf(bytes, at) + 1
    const row = rowAt(bytes, at, interval)
    const records = bytes[row + 2] as number
    bytes[row + 2] = kept
    putShort(bytes, row + ROW_BYTES, offset)
    bytes[row + ROW_BYTES + 2] = Math.max(1, records - kept)
  }

  private dropRow(interval: number): void {
    const { pages } = this
    this.resize(rowAt(pages.bytes, pages.at, interval + 1) - pages.at, -ROW_BYTES)
    pages.bytes[pages.at + 1] = intervalsOf(pages.bytes, pages.at) - 1
  }

  /** The record in the middle gets its whole key and begins an interval. */
  private cutInterval(interval: number): void {
    const { at, bytes } = this.pages
    reader.open(bytes, at, interval)
    for (let index = 0; index <= INTERVAL_RECORDS; index++) {
      reader.next()
      copy(text, reader.shared, bytes, reader.suffixAt, reader.suffix)
    }
    const length = reader.shared + reader.suffix
    let end = copy(patch, putHead(patch, 0, 0, length), text, 0, length)
    end = putFollowing(patch, end, reader.inode, baseOf(bytes, at))
    const offset = reader.start - recordsAt(bytes, at)
    this.splice(interval, reader.start, reader.end, end)
    this.addRow(interval, offset, INTERVAL_RECORDS)
  }

  /** Gives back room that deletions left. */
  private shrink(): void {
    const { page, pages } = this
    const length = lengthOf(pages.bytes, pages.at)
    if (length * 4 >= pages.capacity(page) * 3 || length <= 64) return
    pages.resize(page, length, length)
    pages.locate(page)
  }
}
