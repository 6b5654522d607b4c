/**
 * The pages of one zone: numbered runs of bytes in the slab. What is in them is their owners' affair (`EntryTree`,
 * `InodeTable`, `ExtraTable`). A page number stays when the page grows and moves.
 *
 * A page may be absent: it lives, but its bytes are where the last snapshot put them, and whoever asks for them gets a
 * `PageFault`. Changes are marked before they are made, so that a snapshot can keep what was there before.
 */
import type { Slab } from "#domain/state/pages/Slab.ts"

/** What a page is; 0 is none. The numbers are stored. */
export const PageKind = {
  none: 0,
  entryLeaf: 1,
  entryBranch: 2,
  inodes: 3,
  inodeRanges: 4,
  extents: 5,
  texts: 6,
  recordOrder: 7
} as const

/** Pages that find others and are small beside them: they stay in memory until all go. */
const isIndex = (kind: number): boolean => kind === PageKind.inodeRanges || kind === PageKind.recordOrder

/** The bytes of a page are wanted, and not in memory. Nothing was changed; once they are there, it can be tried again. */
export class PageFault extends Error {
  override readonly name = "PageFault"
  readonly page: number
  /** Pages that will be wanted next, as far as that is known. */
  readonly others: ReadonlyArray<number>

  constructor(page: number, others: ReadonlyArray<number> = []) {
    super(`page ${page} is not in memory`)
    this.page = page
    this.others = others
  }
}

/** Set in an address when the page was used since the clock's hand passed. */
const USED = 2 ** 31
const ADDRESS = USED - 1

/** What `changes` has for pages that are as the last snapshot has them, and for those that one under way has copied. */
const CLEAN = 0
const COPIED = 2 ** 32 - 1

export class Pages {
  readonly slab: Slab
  /** Changes are marked with it. */
  epoch = 1
  /** Pages that live, and how many of them are absent. */
  count = 0
  absent = 0
  private addresses = new Uint32Array(16)
  private changes = new Uint32Array(16)
  private kinds = new Uint8Array(16)
  /** Page 0 is no page. */
  private top = 1
  private readonly released: Array<number> = []
  /** Pages changed in this epoch, those that came and went included, in order of their first change. */
  private dirty = new Uint32Array(16)
  private dirtied = 0
  /** The epoch whose pages a snapshot is copying, and who is told before one of them changes. */
  private closing = COPIED
  private keep: (page: number) => void = () => undefined
  private hand = 0

  /** Where `locate` found a page: its chunk, and its first byte in that. */
  bytes: Uint8Array = new Uint8Array(0)
  at = 0

  constructor(slab: Slab) {
    this.slab = slab
  }

  /** Page numbers are below this. */
  get limit(): number {
    return this.top
  }

  /** Pages changed since the last snapshot began. */
  get dirtyCount(): number {
    return this.dirtied
  }

  /** About how many bytes those have: as many as other pages in memory. */
  get dirtyBytes(): number {
    return this.dirtied * this.slab.usedBytes / Math.max(1, this.count - this.absent)
  }

  /** A new page of at least `bytes`, of undefined contents. */
  create(bytes: number, kind: number): number {
    const page = this.released.pop() ?? this.top++
    if (page >= this.addresses.length) this.grow(page + 1)
    this.addresses[page] = this.slab.allocate(bytes) + USED
    this.kinds[page] = kind
    this.touch(page)
    this.count++
    return page
  }

  /** Gives the page room for at least `bytes`, keeping its first `kept` bytes; less room than before is fine. */
  resize(page: number, bytes: number, kept: number): void {
    const { slab } = this
    this.touch(page)
    const from = this.addressOf(page)
    const to = slab.allocate(bytes)
    const start = slab.offsetOf(from)
    const source = slab.chunkOf(from)
    const target = slab.chunkOf(to)
    if (source === target) target.copyWithin(slab.offsetOf(to), start, start + kept)
    else target.set(source.subarray(start, start + kept), slab.offsetOf(to))
    slab.free(from)
    this.addresses[page] = to + USED
  }

  release(page: number): void {
    this.touch(page)
    this.slab.free(this.addressOf(page))
    this.addresses[page] = 0
    this.kinds[page] = PageKind.none
    this.released.push(page)
    this.count--
  }

  /** Points `bytes` and `at` to the page, until the next call of this or that gives a page room. */
  locate(page: number): void {
    const address = this.addressOf(page)
    this.bytes = this.slab.chunkOf(address)
    this.at = this.slab.offsetOf(address)
  }

  /** Where the page is in the slab, until it is changed. */
  addressOf(page: number): number {
    const address = this.addresses[page] as number
    if (address < USED) this.use(page, address)
    return address & ADDRESS
  }

  /** Bytes that the page may use where it is. */
  capacity(page: number): number {
    return this.slab.capacityAt(this.addressOf(page))
  }

  kindOf(page: number): number {
    return this.kinds[page] as number
  }

  /** The page's contents are about to change. */
  touch(page: number): void {
    if (this.changes[page] !== this.epoch) this.mark(page)
  }

  /** The epoch of the page's last change; 0 when it is as the last snapshot has it. */
  changedIn(page: number): number {
    return this.changes[page] as number
  }

  /**
   * Ends the epoch for a snapshot, and answers the pages changed in it: those of kind `none` have gone. `keep` is told
   * of each that has not been `copied` yet before it changes again, with its bytes still there. The last one must have
   * been settled.
   */
  cut(keep: (page: number) => void): Uint32Array {
    const pages = this.dirty.slice(0, this.dirtied)
    // A number that is free may be taken again before the snapshot comes to it.
    for (const page of pages) if (this.kinds[page] === PageKind.none) this.changes[page] = COPIED
    this.dirty = new Uint32Array(16)
    this.dirtied = 0
    this.closing = this.epoch
    this.keep = keep
    this.epoch++
    return pages
  }

  /** Whether a snapshot under way still wants the page's bytes: it was changed before the cut, and not since. */
  isPending(page: number): boolean {
    return this.changes[page] === this.closing
  }

  /** The snapshot under way has the page's bytes. */
  copied(page: number): void {
    this.changes[page] = COPIED
  }

  /** The page's bytes are stored; unless it has changed since, it may become absent. */
  stored(page: number): void {
    if (this.changes[page] === COPIED) this.changes[page] = CLEAN
  }

  /** The snapshot is at its end. Those of its pages that were not stored are the next one's. */
  endCut(pages: Uint32Array): void {
    this.closing = COPIED
    this.keep = () => undefined
    for (const page of pages) {
      if (this.changes[page] !== CLEAN && this.changes[page] !== this.epoch) this.mark(page)
    }
  }

  /** Page numbers below `limit` may be declared, `count` of them live, all of them absent. Only before the first page. */
  open(limit: number, count: number): void {
    this.top = limit
    this.count = count
    this.absent = count
    this.grow(limit)
  }

  /** A page that is absent, as its snapshot tells, or `none`: a number that is free. */
  declare(page: number, kind: number): void {
    if (kind === PageKind.none) this.released.push(page)
    else this.kinds[page] = kind
  }

  /** Whether the page's bytes are in memory. */
  isHere(page: number): boolean {
    return this.addresses[page] !== 0
  }

  isAbsent(page: number): boolean {
    return this.addresses[page] === 0 && this.kinds[page] !== PageKind.none
  }

  /** Brings back an absent page, as the snapshot has it. */
  adopt(page: number, bytes: Uint8Array): void {
    const { slab } = this
    const address = slab.allocate(bytes.length)
    slab.chunkOf(address).set(bytes, slab.offsetOf(address))
    this.addresses[page] = address
    this.absent--
  }

  /**
   * Makes pages absent until at most `bytes` are in use, those first that were not used for long; index pages only
   * if all must go. Pages that no snapshot has stay. It ends after so many looks at a page: two rounds if not told, as
   * the first may do no more than forget what was used.
   */
  evict(bytes: number, looks = 2 * this.top): void {
    const { addresses, changes, kinds, slab } = this
    for (let left = looks; left > 0 && slab.usedBytes > bytes; left--) {
      this.hand = this.hand + 1 < this.top ? this.hand + 1 : 1
      const page = this.hand
      const address = addresses[page] as number
      if (address === 0 || changes[page] !== CLEAN || (bytes > 0 && isIndex(kinds[page] as number))) continue
      if (address >= USED && bytes > 0) addresses[page] = address - USED
      else {
        slab.free(address & ADDRESS)
        addresses[page] = 0
        this.absent++
      }
    }
  }

  /** Gives all memory back when every page is absent. */
  trim(): void {
    this.slab.trim()
    if (this.slab.heldBytes === 0) this.bytes = new Uint8Array(0)
  }

  private use(page: number, address: number): void {
    if (address === 0) throw new PageFault(page)
    this.addresses[page] = address + USED
  }

  private mark(page: number): void {
    if (this.changes[page] === this.closing) this.keep(page)
    this.changes[page] = this.epoch
    if (this.dirtied === this.dirty.length) {
      const dirty = new Uint32Array(2 * this.dirtied)
      dirty.set(this.dirty)
      this.dirty = dirty
    }
    this.dirty[this.dirtied++] = page
  }

  private grow(least: number): void {
    if (least <= this.addresses.length) return
    const length = Math.max(least, 2 * this.addresses.length)
    const addresses = new Uint32Array(length)
    addresses.set(this.addresses)
    this.addresses = addresses
    const changes = new Uint32Array(length)
    changes.set(this.changes)
    this.changes = changes
    const kinds = new Uint8Array(length)
    kinds.set(this.kinds)
    this.kinds = kinds
  }
}
