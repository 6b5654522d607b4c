/**
 * Records in order of inode and of something below it, in pages of bounded length. How a record is written, always as
 * the difference from the one before it in the page, its heirs know; here pages are found, rewritten, split and
 * given back.
 *
 *     format, records, bytes (2), records
 *
 * A change unpacks the pages that it meets into `batch`, replaces records there, and packs them again; what is
 * added at the very end is written behind the last record.
 */
import { readUint, writeUint } from "#domain/state/pages/Bytes.ts"
import { PageOrder } from "#domain/state/pages/PageOrder.ts"
import type { Pages } from "#domain/state/pages/Pages.ts"
import { capacityFor, SLOT_BYTES_MAX } from "#domain/state/pages/Slab.ts"

/** Of any page. */
export const RECORDS_MAX = 128
/** Of a page with more than one record. */
export const BYTES_MAX = 4096
export const HEADER_BYTES = 4

const COUNT = 1
const LENGTH = 2

export const countOf = (bytes: Uint8Array, at: number): number => bytes[at + COUNT] as number
export const lengthOf = (bytes: Uint8Array, at: number): number => readUint(bytes, at + LENGTH, 2)

/** Why the bytes do not even begin like a page. */
export const validateHeader = (bytes: Uint8Array, at: number, length: number): string | undefined => {
  if (length <= HEADER_BYTES || length > SLOT_BYTES_MAX || at + length > bytes.length) {
    return `a page of ${length} bytes`
  }
  if (lengthOf(bytes, at) !== length) return `says it has ${lengthOf(bytes, at)} bytes, has ${length}`
  const count = countOf(bytes, at)
  return count < 1 || count > RECORDS_MAX ? `${count} records` : undefined
}

/** Where pages are written before they go to their slots. */
export const packed = Buffer.alloc(SLOT_BYTES_MAX)

export abstract class RecordPages {
  protected readonly pages: Pages
  readonly order: PageOrder
  /** The last page, when its last record is known; else 0. */
  protected tail = 0

  constructor(pages: Pages) {
    this.pages = pages
    this.order = new PageOrder(pages)
  }

  /** The first byte of these pages, and their `PageKind`. */
  protected abstract readonly format: number
  protected abstract readonly kind: number
  /** Records of one page, at most RECORDS_MAX. */
  protected abstract readonly recordsMax: number
  /** Records in the batch. */
  protected abstract records: number
  /** Empties the batch. */
  protected abstract clear(): void
  /** Adds a page's records to the batch. */
  protected abstract load(bytes: Uint8Array, at: number): void
  protected abstract inodeAt(index: number): number
  /** Whether a record of the batch comes before what is to be replaced (-1), is it (0), or comes after it (1). */
  protected abstract compare(index: number): number
  /** The same, of a page's first record. */
  protected abstract compareFirst(bytes: Uint8Array, at: number): number
  /** Puts what is new in the place of records of the batch. */
  protected abstract splice(from: number, to: number): void
  /** Writes records of the batch to `packed`, as many as both limits allow, but one at least. */
  protected abstract encode(from: number, recordsMax: number, bytesMax: number): { end: number; length: number }
  /** Reads the last page so that `tail` can be written on. */
  protected abstract readTail(bytes: Uint8Array, at: number): void

  /** The pages in order. */
  list(): Array<number> {
    return this.order.list()
  }

  /** Adds all inodes that have a record. */
  collect(inodes: Set<number>): void {
    for (const page of this.order.list()) {
      this.clear()
      this.pages.locate(page)
      this.load(this.pages.bytes, this.pages.at)
      for (let index = 0; index < this.records; index++) inodes.add(this.inodeAt(index))
    }
    this.clear()
  }

  /** Looks at all pages that a change of the inode may meet: where one is absent it is asked for. */
  warm(inode: number): void {
    const { order, pages } = this
    if (!order.last()) return
    pages.addressOf(order.page)
    order.seek(inode)
    do pages.addressOf(order.page)
    while (order.nextKey() <= inode && order.next())
  }

  /** Replaces an inode's records that `compare` calls equal, and puts what is new in their place. */
  protected rewrite(inode: number): void {
    this.clear()
    const taken = this.order.seek(inode) ? this.unpack(inode) : 0
    let from = 0
    while (from < this.records && this.compare(from) < 0) from++
    let to = from
    while (to < this.records && this.compare(to) === 0) to++
    const after = this.records - to
    this.splice(from, to)
    this.write(taken, from, after)
    this.clear()
  }

  /** Fills the batch from the pages that may hold what is to be replaced; the cursor is on the first of them. */
  private unpack(inode: number): number {
    const { order, pages } = this
    while (order.nextKey() === inode) {
      order.mark()
      order.next()
      pages.locate(order.page)
      if (this.compareFirst(pages.bytes, pages.at) < 0) continue
      order.reset()
      break
    }
    order.mark()
    let taken = 0
    do {
      pages.locate(order.page)
      this.load(pages.bytes, pages.at)
      taken++
      if (order.page === this.tail) this.tail = 0
    } while (this.compare(this.records - 1) <= 0 && order.nextKey() <= inode && order.next())
    order.reset()
    return taken
  }

  /**
   * Packs the batch into the pages it came from, `taken` from the cursor on, and others, or fewer. What is new begins
   * at `changed` and has `after` records behind it.
   */
  private write(taken: number, changed: number, after: number): void {
    const { order, pages, records } = this
    let { recordsMax } = this
    let bytesMax = BYTES_MAX
    let written = 0
    for (let from = 0; from < records;) {
      let run = this.encode(from, recordsMax, bytesMax)
      if (written === 0 && run.end < records && after > 0) {
        // What comes nearly in order leaves a full page behind; otherwise there is room on both sides.
        const nearEnd = changed >= 0.75 * recordsMax && changed <= recordsMax
        const pieces = Math.ceil(records / (0.75 * recordsMax))
        bytesMax = records <= recordsMax ? BYTES_MAX / 2 : BYTES_MAX
        recordsMax = nearEnd ? changed : Math.ceil(records / pieces)
        run = this.encode(from, recordsMax, bytesMax)
        if (nearEnd) recordsMax = this.recordsMax
      }
      this.writeHeader(packed, 0, run.end - from, run.length)
      if (written < taken) {
        if (written > 0) order.next()
        order.setKey(this.inodeAt(from))
        this.fit(order.page, run.length)
      } else order.insertNext(this.inodeAt(from), pages.create(run.length, this.kind))
      pages.touch(order.page)
      pages.locate(order.page)
      pages.bytes.set(packed.subarray(0, run.length), pages.at)
      written++
      from = run.end
    }
    if (written > 0 && written < taken) order.next()
    for (; written < taken; written++) {
      pages.release(order.page)
      order.remove()
    }
  }

  /**
   * Where a record of at most `bytes` bytes goes that comes after all others; its `inode` begins a page when the last
   * one is full, which `tail` then is not any more what it was.
   */
  protected roomAtEnd(inode: number, bytes: number): number {
    const { pages } = this
    pages.locate(this.tail)
    const length = lengthOf(pages.bytes, pages.at)
    if (countOf(pages.bytes, pages.at) >= this.recordsMax || length + bytes > BYTES_MAX) {
      this.fit(this.tail, length)
      const page = pages.create(HEADER_BYTES + bytes, this.kind)
      this.order.last()
      this.order.insertNext(inode, page)
      pages.locate(page)
      this.writeHeader(pages.bytes, pages.at, 0, HEADER_BYTES)
      this.tail = page
      this.startPage()
      return pages.at + HEADER_BYTES
    }
    if (length + bytes > pages.capacity(this.tail)) {
      pages.resize(this.tail, length + Math.max(bytes, length >> 2), length)
      pages.locate(this.tail)
    } else pages.touch(this.tail)
    return pages.at + length
  }

  /** A page begins: there is no record before the next one. */
  protected abstract startPage(): void

  /** The record that `roomAtEnd` made room for was written, and ends there. */
  protected wroteAtEnd(end: number): void {
    const { pages } = this
    this.writeHeader(pages.bytes, pages.at, countOf(pages.bytes, pages.at) + 1, end - pages.at)
  }

  /** Makes `tail` the last page, if there is one. */
  protected findTail(): boolean {
    if (this.tail !== 0) return true
    if (!this.order.last()) return false
    this.tail = this.order.page
    this.pages.locate(this.tail)
    this.readTail(this.pages.bytes, this.pages.at)
    return true
  }

  protected writeHeader(bytes: Uint8Array, at: number, count: number, length: number): void {
    bytes[at] = this.format
    bytes[at + COUNT] = count
    writeUint(bytes, at + LENGTH, 2, length)
  }

  /** Moves a page to the slot that so many bytes need, keeping what it has. */
  protected fit(page: number, length: number): void {
    const capacity = this.pages.capacity(page)
    if (capacity !== capacityFor(length)) this.pages.resize(page, length, Math.min(length, capacity))
  }
}
