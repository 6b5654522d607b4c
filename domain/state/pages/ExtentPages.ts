/**
 * The extents of all regular files of one zone, a record each, ordered by inode and offset. A file without extents
 * takes nothing.
 */
import * as Extents from "#domain/Extents.ts"
import type { InodeNumber } from "#domain/InodeNumber.ts"
import { ExtentRecord, RECORD_BYTES_MAX } from "#domain/state/pages/ExtentRecord.ts"
import { PageKind } from "#domain/state/pages/Pages.ts"
import {
  BYTES_MAX,
  countOf,
  HEADER_BYTES,
  lengthOf,
  packed,
  RecordPages,
  RECORDS_MAX,
  validateHeader
} from "#domain/state/pages/RecordPages.ts"

export const EXTENTS = 0x21

/** Up to so many extents are replaced without a look at which of them stay. */
const FEW = 8
const ALL = -1
/** Numbers of one record in the batch. */
const FIELDS = 6
const BATCH_KEPT = 4096 * FIELDS

export class ExtentPages extends RecordPages {
  protected readonly format = EXTENTS
  protected readonly kind = PageKind.extents
  protected readonly recordsMax = RECORDS_MAX
  protected records = 0
  private batch = new Float64Array(128 * FIELDS)
  private readonly record = new ExtentRecord()
  /** The last record of `tail`. */
  private readonly last = new ExtentRecord()
  /** The record before a change. */
  private readonly before = new ExtentRecord()
  private readonly run = { end: 0, length: 0 }
  /** What `rewrite` replaces: extents of an inode from an offset on; and what comes instead. */
  private inode = 0
  private from = 0
  private added: Extents.Extents = Extents.empty

  get(inode: InodeNumber): Extents.Extents {
    let extents: Array<Extents.Extent> | undefined
    this.visit(inode, (record) => {
      if (extents === undefined) extents = [record.extent()]
      else extents.push(record.extent())
    })
    return extents ?? Extents.empty
  }

  dataBytes(inode: InodeNumber): number {
    let sum = 0
    this.visit(inode, (record) => {
      sum += record.length
    })
    return sum
  }

  set(inode: InodeNumber, extents: Extents.Extents): void {
    check(inode, extents)
    const [first] = extents
    if (first !== undefined && extents.length === 1 && this.append(inode, first)) return
    const same = extents.length <= FEW ? 0 : this.countSame(inode, extents)
    if (same === ALL) return
    const kept = extents[same - 1]
    this.inode = inode
    this.from = kept === undefined ? 0 : Extents.end(kept)
    this.added = same === 0 ? extents : extents.slice(same)
    if (!this.spliceInPlace()) this.rewrite(inode)
    this.added = Extents.empty
  }

  /** How many extents at the start stay as they are, or `ALL` of both: a file that grows changes its last page. */
  private countSame(inode: InodeNumber, extents: Extents.Extents): number {
    let same = 0
    let differs = false
    this.visit(inode, (record) => {
      const extent = extents[same]
      if (!differs && extent !== undefined && isSame(record, extent)) same++
      else differs = true
    })
    return !differs && same === extents.length ? ALL : same
  }

  /** Replaces what `compareTo` calls equal if that is in one page, and stays there. Only the next record changes. */
  private spliceInPlace(): boolean {
    const { added, before, inode, order, pages, record } = this
    if (!order.seek(inode) || order.nextKey() <= inode) return false
    pages.locate(order.page)
    const { at, bytes } = pages
    const count = countOf(bytes, at)
    let start = at + HEADER_BYTES
    let end = start
    let index = 0
    let place = -1
    record.start()
    before.start()
    while (index < count) {
      end = record.read(bytes, start)
      place = this.compareTo(record.inode, record.offset)
      if (place >= 0) break
      before.copy(record)
      start = end
      index++
    }
    let next = index
    while (next < count && place === 0) {
      next++
      if (next === count) break
      end = record.read(bytes, end)
      place = this.compareTo(record.inode, record.offset)
    }
    const records = count - (next - index) + added.length
    if (records === 0 || records > RECORDS_MAX) return false
    let length = 0
    for (const extent of added) length = before.writeExtent(packed, length, inode, extent)
    if (next < count) length = before.writeExtent(packed, length, record.inode, record)
    return this.putSplice(start - at, end - at, length, records, index === 0, next === count)
  }

  /** Puts `length` bytes of `packed` in the place of the cursor's page from `start` to `end`. */
  private putSplice(
    start: number,
    end: number,
    length: number,
    records: number,
    isFirst: boolean,
    isLast: boolean
  ): boolean {
    const { order, pages } = this
    const { page } = order
    const before = lengthOf(pages.bytes, pages.at)
    const after = before - (end - start) + length
    if (after > BYTES_MAX) return false
    if (length === end - start && packed.compare(pages.bytes, pages.at + start, pages.at + end, 0, length) === 0) {
      return true
    }
    if (after > pages.capacity(page)) {
      this.fit(page, after)
      pages.locate(page)
    } else pages.touch(page)
    const { at, bytes } = pages
    bytes.copyWithin(at + start + length, at + end, at + before)
    bytes.set(packed.subarray(0, length), at + start)
    this.writeHeader(bytes, at, records, after)
    if (isFirst) order.setKey(firstOf(bytes, at).inode)
    if (isLast && page === this.tail) this.last.copy(this.before)
    if (page !== this.tail) this.fit(page, after)
    return true
  }

  /** Visits an inode's extents, each valid until the next. */
  private visit(inode: InodeNumber, visit: (record: ExtentRecord) => void): void {
    const { order, pages, record } = this
    if (!order.seek(inode)) return
    do {
      pages.locate(order.page)
      const { at, bytes } = pages
      record.start()
      for (let i = countOf(bytes, at), end = at + HEADER_BYTES; i > 0; i--) {
        end = record.read(bytes, end)
        if (record.inode < inode) continue
        if (record.inode > inode) return
        visit(record)
      }
    } while (order.nextKey() <= inode && order.next())
  }

  /** Writes the only extent of an inode behind all others, if it comes after them. */
  private append(inode: InodeNumber, extent: Extents.Extent): boolean {
    if (!this.findTail() || inode <= this.last.inode) return false
    const at = this.roomAtEnd(inode, RECORD_BYTES_MAX)
    this.wroteAtEnd(this.last.writeExtent(this.pages.bytes, at, inode, extent))
    return true
  }

  protected startPage(): void {
    this.last.start()
  }

  protected readTail(bytes: Uint8Array, at: number): void {
    this.last.start()
    for (let i = countOf(bytes, at), end = at + HEADER_BYTES; i > 0; i--) end = this.last.read(bytes, end)
  }

  protected clear(): void {
    this.records = 0
    if (this.batch.length > BATCH_KEPT) this.batch = new Float64Array(128 * FIELDS)
  }

  protected load(bytes: Uint8Array, at: number): void {
    const { record } = this
    const count = countOf(bytes, at)
    this.reserve(this.records + count)
    record.start()
    for (let i = 0, end = at + HEADER_BYTES; i < count; i++) {
      end = record.read(bytes, end)
      this.put(this.records++, record.inode, record)
    }
  }

  protected inodeAt(index: number): number {
    return this.batch[index * FIELDS] as number
  }

  protected compare(index: number): number {
    return this.compareTo(this.batch[index * FIELDS] as number, this.batch[index * FIELDS + 1] as number)
  }

  protected compareFirst(bytes: Uint8Array, at: number): number {
    this.record.start()
    this.record.read(bytes, at + HEADER_BYTES)
    return this.compareTo(this.record.inode, this.record.offset)
  }

  private compareTo(inode: number, offset: number): number {
    return inode !== this.inode ? Math.sign(inode - this.inode) : offset < this.from ? -1 : 0
  }

  protected splice(from: number, to: number): void {
    const { added, records } = this
    const after = from + added.length
    this.reserve(records + added.length)
    this.batch.copyWithin(after * FIELDS, to * FIELDS, records * FIELDS)
    let index = from
    for (const extent of added) this.put(index++, this.inode, extent)
    this.records = records - (to - from) + added.length
  }

  protected encode(from: number, recordsMax: number, bytesMax: number): { end: number; length: number } {
    const { batch, record, records, run } = this
    let length = HEADER_BYTES
    let index = from
    record.start()
    for (const limit = Math.min(records, from + recordsMax); index < limit; index++) {
      if (length + RECORD_BYTES_MAX > bytesMax) break
      const at = index * FIELDS
      length = record.write(
        packed,
        length,
        batch[at] as number,
        batch[at + 1] as number,
        batch[at + 2] as number,
        batch[at + 3] as number,
        batch[at + 4] as number,
        batch[at + 5] as number
      )
    }
    run.end = index
    run.length = length
    return run
  }

  private put(index: number, inode: number, extent: Extents.Extent): void {
    const at = index * FIELDS
    const { batch } = this
    batch[at] = inode
    batch[at + 1] = extent.offset
    batch[at + 2] = extent.length
    batch[at + 3] = extent.slice
    batch[at + 4] = extent.sliceOffset
    batch[at + 5] = extent.sliceBytes
  }

  private reserve(records: number): void {
    if (records * FIELDS <= this.batch.length) return
    const batch = new Float64Array(2 * records * FIELDS)
    batch.set(this.batch)
    this.batch = batch
  }
}

const isSame = (a: Extents.Extent, b: Extents.Extent): boolean =>
  a.offset === b.offset && a.length === b.length && a.slice === b.slice && a.sliceOffset === b.sliceOffset &&
  a.sliceBytes === b.sliceBytes

const check = (inode: InodeNumber, extents: Extents.Extents): void => {
  let end = 0
  for (const extent of extents) {
    if (!Extents.isValid(extent) || extent.offset < end) {
      throw new RangeError(`inode ${inode} cannot have ${JSON.stringify(extent)} after its first ${end} bytes`)
    }
    end = Extents.end(extent)
  }
}

/** The inode and offset that a page's first record has. */
export const firstOf = (bytes: Uint8Array, at: number): ExtentRecord => {
  const record = new ExtentRecord()
  record.read(bytes, at + HEADER_BYTES)
  return record
}

/** Why these bytes are no such page; undefined when they are one, to the last bit. */
export const validate = (bytes: Uint8Array, at: number, length: number): string | undefined => {
  const reason = validateHeader(bytes, at, length)
  if (reason !== undefined) return reason
  const record = new ExtentRecord()
  const again = new ExtentRecord()
  let end = at + HEADER_BYTES
  for (let i = 0; i < countOf(bytes, at); i++) {
    const { inode, length, offset } = record
    const start = end
    end = record.read(bytes, end)
    if (!(end <= at + lengthOf(bytes, at))) return `record ${i} is cut off`
    if (!record.follows(inode, offset + length)) return `record ${i} is no extent after the one before it`
    const written = again.writeExtent(packed, 0, record.inode, record)
    if (packed.compare(bytes, start, end, 0, written) !== 0) return `record ${i} is not as it would be written`
  }
  return end === at + length ? undefined : "goes on after its records"
}
