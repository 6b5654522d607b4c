/**
 * The attributes of all inodes of one zone, in pages of 128 consecutive numbers, packed column by column. What only
 * some inodes have (targets, extents, extended attributes) is in `ExtraTable`, their names in the entries.
 *
 * A page that inodes are added to is unpacked for a while; a change elsewhere waits in a short log behind its page.
 * Neither shows from outside: once packed, a page without a log has the bytes that follow from its contents.
 */
import type { InodeNumber } from "#domain/InodeNumber.ts"
import { RANKS } from "#domain/state/pages/Column.ts"
import { Column, COLUMNS, holds, InodeRow } from "#domain/state/pages/InodeColumns.ts"
import * as Log from "#domain/state/pages/InodeLog.ts"
import * as Page from "#domain/state/pages/InodePage.ts"
import { PageKind, type Pages } from "#domain/state/pages/Pages.ts"
import { RangeIndex } from "#domain/state/pages/RangeIndex.ts"
import { capacityFor } from "#domain/state/pages/Slab.ts"

/** Pages unpacked at a time: the one that grows, and a few that shrink or take numbers from elsewhere. */
const UNPACKED_MAX = 4
/** A log grows by several entries at once, so that not each of them moves the page. */
const LOG_STEP_BYTES = 4 * Log.ENTRY_BYTES
/** Bytes of a page whose contents are unpacked: its format, its range and which one of them. */
const STUB_BYTES = 8

/** The contents of a page while it is unpacked, by column and slot. */
class Unpacked {
  page = 0
  range = 0
  count = 0
  /** When it was last changed, in changes of any unpacked page. */
  changed = 0
  readonly presence = new Uint8Array(RANKS / 8)
  readonly values = new Float64Array(COLUMNS * RANKS)
}

export interface InodeRoots {
  readonly inodes: number
  /** The tables of the first level, by the upper bits of ranges. */
  readonly ranges: ReadonlyArray<readonly [number, number]>
}

export class InodeTable {
  /** Inodes. */
  size = 0
  /** What `read` fills and `add` takes. */
  readonly row = new InodeRow()
  private readonly pages: Pages
  private readonly index: RangeIndex
  private readonly cells = new Float64Array(COLUMNS)
  /** By number; those with page 0 are free. */
  private readonly unpacked: Array<Unpacked> = []
  private changes = 0
  /** The range asked for last, and its page: most come in runs. */
  private range = -1
  private page = 0
  /** The directory that `stamp` gave a moment last, unless its times were set since: most creations follow another. */
  private stamped = -1
  private stampedSeconds = 0
  private stampedNanos = 0

  /** The inode created last and what it was put into, unless that changed since. */
  private latest = -1
  private latestWork: Unpacked | undefined

  /** Where `locate` found an inode: unpacked, or at a rank in its page's bytes. */
  private slot = 0
  private work: Unpacked | undefined
  private bytes: Uint8Array
  private at = 0
  private rank = 0

  constructor(pages: Pages) {
    this.pages = pages
    this.index = new RangeIndex(pages)
    this.bytes = pages.bytes
  }

  /** What finds all pages again. */
  get roots(): InodeRoots {
    return { inodes: this.size, ranges: [...this.index.roots] }
  }

  /** Takes back what `roots` was. */
  open({ inodes, ranges }: InodeRoots): void {
    this.size = inodes
    this.index.open(ranges)
  }

  /** Looks at the pages that a change of the inode may meet: where one is absent it is asked for. */
  warm(inode: InodeNumber): void {
    const page = this.index.get(Math.floor(inode / RANKS))
    if (page !== 0) this.pages.addressOf(page)
  }

  /** The absent pages of these inodes. */
  absentOf(inodes: ReadonlyArray<InodeNumber>): Array<number> {
    const ranges = new Set<number>()
    for (const inode of inodes) ranges.add(Math.floor(inode / RANKS))
    const absent: Array<number> = []
    for (const range of ranges) {
      const page = this.index.get(range)
      if (page !== 0 && !this.pages.isHere(page)) absent.push(page)
    }
    return absent
  }

  /** Why these bytes are no folded page of such a table, or undefined. */
  static validate(bytes: Uint8Array, at: number, length: number): string | undefined {
    return Page.validate(bytes, at, length)
  }

  has(inode: InodeNumber): boolean {
    return this.locate(inode)
  }

  /** Points `value` to an inode, until the next call of anything else. */
  locate(inode: InodeNumber): boolean {
    const range = Math.floor(inode / RANKS)
    if (range !== this.range) {
      this.page = this.index.get(range)
      this.range = range
    }
    if (this.page === 0) return false
    const slot = inode - range * RANKS
    this.slot = slot
    this.pages.locate(this.page)
    const { at, bytes } = this.pages
    if (bytes[at] === Page.UNPACKED) {
      const work = this.unpacked[bytes[at + STUB_BYTES - 1] as number] as Unpacked
      this.work = work
      return Page.isPresent(work.presence, slot)
    }
    this.work = undefined
    this.bytes = bytes
    this.at = at
    this.rank = Page.rankOf(bytes, at, slot)
    return this.rank >= 0 && (Page.goneOf(bytes, at) === 0 || this.logEntry(Log.REMOVED) === 0)
  }

  /** The located inode's value of a `Column`. */
  value(column: number): number {
    if (this.work !== undefined) return this.work.values[column * RANKS + this.slot] as number
    return this.valueIn(this.logEntry(Log.groupOf(column)), column)
  }

  /** Fills `row`; false if there is no such inode. */
  read(inode: InodeNumber): boolean {
    if (!this.locate(inode)) return false
    const { cells, slot, work } = this
    if (work !== undefined) {
      for (let column = 0; column < COLUMNS; column++) cells[column] = work.values[column * RANKS + slot] as number
    } else {
      Page.readRow(this.bytes, this.at, this.rank, cells)
      if (Page.loggedOf(this.bytes, this.at) > 0) this.readLog()
    }
    this.row.load(cells)
    return true
  }

  /** Adds an inode that is not there yet, with the values of `row`. */
  add(inode: InodeNumber): void {
    const { cells } = this
    this.row.store(cells)
    for (let column = 0; column < COLUMNS; column++) check(column, cells[column] as number)
    if (this.locate(inode)) throw new RangeError(`inode ${inode} is there already`)
    const work = this.page === 0 ? this.begin(this.range) : this.work ?? this.unpack()
    this.pages.touch(work.page)
    const slot = inode - work.range * RANKS
    for (let column = 0; column < COLUMNS; column++) work.values[column * RANKS + slot] = cells[column] as number
    this.added(work, slot)
  }

  /** Adds an inode as it is created: closed and empty, its times one moment. False, and no change, if it is there. */
  create(
    inode: InodeNumber,
    mode: number,
    uid: number,
    gid: number,
    nlink: number,
    rdev: number,
    parent: InodeNumber,
    seconds: number,
    nanos: number
  ): boolean {
    check(Column.mode, mode)
    // Nearly always a glance is enough.
    if (!isWord(uid) || !isWord(gid) || rdev !== 0 || parent !== 0 || !isWord(seconds) || !isWord(nanos)) {
      check(Column.uid, uid)
      check(Column.gid, gid)
      check(Column.rdev, rdev)
      check(Column.parent, parent)
      check(Column.mtime, seconds)
    }
    check(Column.mtimeNanos, nanos)
    if (this.locate(inode)) return false
    const work = this.page === 0 ? this.begin(this.range) : this.work ?? this.unpack()
    this.pages.touch(work.page)
    const slot = inode - work.range * RANKS
    const { values } = work
    values[Column.mode * RANKS + slot] = mode
    values[Column.uid * RANKS + slot] = uid
    values[Column.gid * RANKS + slot] = gid
    values[Column.nlink * RANKS + slot] = nlink
    values[Column.opens * RANKS + slot] = 0
    values[Column.size * RANKS + slot] = 0
    values[Column.rdev * RANKS + slot] = rdev
    values[Column.parent * RANKS + slot] = parent
    values[Column.mtime * RANKS + slot] = seconds
    values[Column.mtimeNanos * RANKS + slot] = nanos
    values[Column.ctime * RANKS + slot] = seconds
    values[Column.ctimeNanos * RANKS + slot] = nanos
    values[Column.atime * RANKS + slot] = seconds
    values[Column.atimeNanos * RANKS + slot] = nanos
    this.latest = inode
    this.latestWork = work
    this.added(work, slot)
    return true
  }

  /**
   * Adds an inode with the attributes of the one that `create` or this added last, whose number is one less. False, and
   * no change, if something else came between or its place is in another page.
   */
  createNext(inode: InodeNumber): boolean {
    const work = this.latestWork
    const slot = inode % RANKS
    if (work === undefined || inode !== this.latest + 1 || slot === 0 || Page.isPresent(work.presence, slot)) {
      return false
    }
    this.pages.touch(work.page)
    const { values } = work
    for (let at = slot; at < COLUMNS * RANKS; at += RANKS) values[at] = values[at - 1] as number
    this.latest = inode
    this.added(work, slot)
    return true
  }

  private added(work: Unpacked, slot: number): void {
    work.presence[slot >> 3] = (work.presence[slot >> 3] as number) | (1 << (slot & 7))
    work.count++
    work.changed = ++this.changes
    this.size++
    if (work.count === RANKS) this.pack(work)
  }

  /** Sets a directory's mtime and ctime. */
  stamp(inode: InodeNumber, seconds: number, nanos: number): void {
    this.setTime(inode, Column.mtime, seconds, nanos)
    this.setTime(inode, Column.ctime, seconds, nanos)
    this.stamped = inode
    this.stampedSeconds = seconds
    this.stampedNanos = nanos
  }

  /** Whether the inode is there and a `stamp` of this moment would change nothing; false if that is not known. */
  isStamped(inode: InodeNumber, seconds: number, nanos: number): boolean {
    return inode === this.stamped && nanos === this.stampedNanos && seconds === this.stampedSeconds
  }

  /** Sets a column that is not part of a time. */
  set(inode: InodeNumber, column: number, value: number): void {
    check(column, value)
    this.expect(inode)
    const { work } = this
    if (work !== undefined) this.putUnpacked(work, column, value)
    else {
      const group = Log.groupOf(column)
      let entry = this.logEntry(group)
      if (this.valueIn(entry, column) === value) return
      if (entry === 0 && this.isLogFull()) return this.putUnpacked(this.unpack(), column, value)
      // It may move the page, and so change `bytes`.
      entry = this.change(entry, group)
      Log.set(this.bytes, entry, column, value)
    }
  }

  /** Sets a time: `Column.mtime`, `Column.ctime` or `Column.atime`. */
  setTime(inode: InodeNumber, column: number, seconds: number, nanos: number): void {
    check(column, seconds)
    check(column + 1, nanos)
    if (inode === this.stamped) this.stamped = -1
    this.expect(inode)
    const { work } = this
    if (work !== undefined) {
      this.putUnpacked(work, column, seconds)
      this.putUnpacked(work, column + 1, nanos)
      return
    }
    const group = Log.groupOf(column)
    let entry = this.logEntry(group)
    if (this.valueIn(entry, column) === seconds && this.valueIn(entry, column + 1) === nanos) return
    if (entry === 0 && this.isLogFull()) {
      const fresh = this.unpack()
      this.putUnpacked(fresh, column, seconds)
      this.putUnpacked(fresh, column + 1, nanos)
      return
    }
    entry = this.change(entry, group)
    Log.set(this.bytes, entry, column, seconds)
    Log.set(this.bytes, entry, column + 1, nanos)
  }

  remove(inode: InodeNumber): boolean {
    if (!this.locate(inode)) return false
    if (inode === this.stamped) this.stamped = -1
    this.size--
    this.pages.touch(this.page)
    if (this.work === undefined && Page.loggedOf(this.bytes, this.at) < Log.ENTRIES_MAX) {
      const { page } = this
      const gone = Page.goneOf(this.bytes, this.at) + 1
      if (gone === Page.countOf(this.bytes, this.at)) this.release(page, this.range)
      else {
        this.appendEntry(Log.REMOVED)
        Page.setLogged(this.bytes, this.at, Page.loggedOf(this.bytes, this.at), gone)
      }
      return true
    }
    // Where so many go, more will: from here on it costs a bit each.
    const work = this.work ?? this.unpack()
    if (work === this.latestWork) this.latestWork = undefined
    work.presence[this.slot >> 3] = (work.presence[this.slot >> 3] as number) & ~(1 << (this.slot & 7))
    work.count--
    work.changed = ++this.changes
    if (work.count === 0) this.pack(work)
    return true
  }

  /** Visits inodes from `from` on in ascending order, until `visit` answers false. Nothing may change meanwhile. */
  walk(visit: (inode: InodeNumber) => boolean, from: InodeNumber = 0): void {
    const presence = new Uint8Array(RANKS / 8)
    this.index.walk(Math.floor(from / RANKS), (range, page) => {
      this.presenceOf(page, presence)
      const first = range * RANKS
      for (let slot = Math.max(0, from - first); slot < RANKS; slot++) {
        if (Page.isPresent(presence, slot) && !visit(first + slot)) return false
      }
      return true
    })
  }

  /** All pages, by ascending numbers of their inodes. */
  pagesInOrder(): Array<number> {
    const pages: Array<number> = []
    this.index.walk(0, (_, page) => pages.push(page) > 0)
    return pages
  }

  /** Packs what is unpacked, and gives its memory back. A snapshot asks for it, and a zone that rests. */
  packAll(): void {
    for (const work of this.unpacked) if (work.page !== 0) this.pack(work)
    this.unpacked.length = 0
    // It would keep a chunk of the slab that may be given back.
    this.bytes = new Uint8Array(0)
  }

  private expect(inode: InodeNumber): void {
    if (!this.locate(inode)) throw new RangeError(`inode ${inode} is not there`)
  }

  private putUnpacked(work: Unpacked, column: number, value: number): void {
    const at = column * RANKS + this.slot
    if (work.values[at] === value) return
    if (work === this.latestWork) this.latestWork = undefined
    this.pages.touch(work.page)
    work.values[at] = value
    work.changed = ++this.changes
  }

  /** Where so much has changed, more will: unpacked, it costs nothing more until the page is packed again. */
  private isLogFull(): boolean {
    return Page.loggedOf(this.bytes, this.at) === Log.ENTRIES_MAX
  }

  /** The located inode's value, which is in its log entry if it has one. */
  private valueIn(entry: number, column: number): number {
    return entry === 0
      ? Page.valueAt(this.bytes, this.at, column, this.rank)
      : Log.get(this.bytes, entry, column)
  }

  /** The located inode's entry of a group, to be changed; a new one when there is none. */
  private change(entry: number, group: number): number {
    this.pages.touch(this.page)
    return entry === 0 ? this.appendEntry(group) : entry
  }

  /** Where the located slot's entry of a group is in the log; 0 when there is none. */
  private logEntry(group: number): number {
    const { at, bytes } = this
    const logged = Page.loggedOf(bytes, at)
    return logged === 0 ? 0 : Log.find(bytes, at + Page.lengthOf(bytes, at), logged, this.slot, group)
  }

  /** A new entry with the values that the located inode has in the columns. */
  private appendEntry(group: number): number {
    const logged = Page.loggedOf(this.bytes, this.at)
    const length = Page.lengthOf(this.bytes, this.at)
    const end = length + logged * Log.ENTRY_BYTES
    if (end + Log.ENTRY_BYTES > this.pages.capacity(this.page)) {
      this.pages.resize(this.page, end + LOG_STEP_BYTES, end)
      this.pages.locate(this.page)
      this.bytes = this.pages.bytes
      this.at = this.pages.at
    }
    const { at, bytes } = this
    const entry = at + end
    bytes[entry] = this.slot
    bytes[entry + 1] = group
    for (let column = Log.firstColumn(group); column < Log.endColumn(group); column++) {
      Log.set(bytes, entry, column, Page.valueAt(bytes, at, column, this.rank))
    }
    Page.setLogged(bytes, at, logged + 1, Page.goneOf(bytes, at))
    return entry
  }

  private readLog(): void {
    const { at, bytes, cells, slot } = this
    const log = at + Page.lengthOf(bytes, at)
    const end = log + Page.loggedOf(bytes, at) * Log.ENTRY_BYTES
    for (let entry = log; entry < end; entry += Log.ENTRY_BYTES) {
      if (bytes[entry] !== slot) continue
      const group = bytes[entry + 1] as number
      for (let column = Log.firstColumn(group); column < Log.endColumn(group); column++) {
        cells[column] = Log.get(bytes, entry, column)
      }
    }
  }

  /** Gives a page the `length` bytes in `Page.packed`, in a slot no larger than they need. */
  private settle(page: number, length: number): void {
    const { pages } = this
    if (pages.capacity(page) === capacityFor(length)) pages.touch(page)
    else pages.resize(page, length, 0)
    pages.locate(page)
    pages.bytes.set(Page.packed.subarray(0, length), pages.at)
  }

  /** A page for a range that has none, unpacked. */
  private begin(range: number): Unpacked {
    const page = this.pages.create(STUB_BYTES, PageKind.inodes)
    this.index.set(range, page)
    const work = this.takeUnpacked(page, range)
    work.presence.fill(0)
    work.count = 0
    this.writeStub(work)
    this.page = page
    this.range = range
    return work
  }

  /** The located inode's page, or that of its place, unpacked. */
  private unpack(): Unpacked {
    const { page, range } = this
    const work = this.takeUnpacked(page, range)
    // Making room may have used what `locate` found.
    this.pages.locate(page)
    const { at, bytes } = this.pages
    work.count = Page.unpack(bytes, at)
    work.presence.set(Page.presence)
    for (let slot = 0, rank = 0; rank < work.count; slot++) {
      if (!Page.isPresent(work.presence, slot)) continue
      for (let from = 0; from < Page.rows.length; from += RANKS) {
        work.values[from + slot] = Page.rows[from + rank] as number
      }
      rank++
    }
    this.pages.touch(page)
    this.writeStub(work)
    this.page = page
    this.range = range
    return work
  }

  /** One that is free, or was not changed for the longest time. */
  private takeUnpacked(page: number, range: number): Unpacked {
    let index = 0
    for (let i = 1; i < this.unpacked.length; i++) {
      if ((this.unpacked[i] as Unpacked).changed < (this.unpacked[index] as Unpacked).changed) index = i
    }
    const busy = this.unpacked[index]
    if (busy === undefined || (busy.page !== 0 && this.unpacked.length < UNPACKED_MAX)) {
      index = this.unpacked.push(new Unpacked()) - 1
    } else if (busy.page !== 0) this.pack(busy)
    const work = this.unpacked[index] as Unpacked
    work.page = page
    work.range = range
    work.changed = ++this.changes
    return work
  }

  private writeStub(work: Unpacked): void {
    this.pages.locate(work.page)
    const { at, bytes } = this.pages
    bytes[at] = Page.UNPACKED
    Page.writeRange(bytes, at, work.range)
    bytes[at + STUB_BYTES - 1] = this.unpacked.indexOf(work)
  }

  /** Packs what is unpacked, and frees its place. */
  private pack(work: Unpacked): void {
    const { count, page, presence, range, values } = work
    work.page = 0
    work.changed = 0
    if (work === this.latestWork) this.latestWork = undefined
    if (count === 0) return this.release(page, range)
    if (count === RANKS) Page.rows.set(values)
    else {
      for (let slot = 0, rank = 0; rank < count; slot++) {
        if (!Page.isPresent(presence, slot)) continue
        for (let from = 0; from < values.length; from += RANKS) Page.rows[from + rank] = values[from + slot] as number
        rank++
      }
    }
    Page.presence.set(presence)
    this.settle(page, Page.pack(range, count))
  }

  private release(page: number, range: number): void {
    this.index.delete(range)
    this.pages.release(page)
    this.range = -1
    this.page = 0
  }

  private presenceOf(page: number, presence: Uint8Array): void {
    this.pages.locate(page)
    const { at, bytes } = this.pages
    if (bytes[at] === Page.UNPACKED) {
      presence.set((this.unpacked[bytes[at + STUB_BYTES - 1] as number] as Unpacked).presence)
    } else Page.readPresence(bytes, at, presence)
  }
}

const isWord = (value: number): boolean => value === value >>> 0

const check = (column: number, value: number): void => {
  if (!holds(column, value)) {
    const name = Object.entries(Column).find(([, number]) => number === column)?.[0]
    throw new RangeError(`${value} is no ${name} of an inode`)
  }
}
