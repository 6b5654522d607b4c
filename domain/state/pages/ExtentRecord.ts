/**
 * One extent of one inode in a page's bytes, as the difference from the extent before it: a file written after
 * another, its bytes behind the other's in one slice, takes two to four bytes. It knows one record, not the page.
 *
 *     head, then what it announces, as varints:
 *     bits 0-1  the inode after the last one; the same, where its last extent ends; the same, after a gap (follows);
 *               a later one (distance follows)
 *     bits 2-3  the same slice, where the last extent ends in it; the next slice, from its start; the same slice,
 *               elsewhere (follows); another slice (twice the distance, plus 1 if the offset in it follows)
 *     16        as many bytes as the last one; else they follow
 *     32        the slice's bytes follow; else it ends where the extent does, or is the same slice
 *     64        of another inode: the offset follows; else it is 0
 *     128       another slice's number follows instead of its distance, and the offset always
 */
import * as Extents from "#domain/Extents.ts"
import { readVarint, varintEnd, writeVarint } from "#domain/state/pages/Bytes.ts"

export const RECORD_BYTES_MAX = 1 + 7 * 8

const NEXT_INODE = 0
const CONTINUED = 1
const AFTER_GAP = 2
const LATER_INODE = 3

const SAME_SLICE = 0
const NEXT_SLICE = 1
const SAME_ELSEWHERE = 2
const OTHER_SLICE = 3

const SAME_LENGTH = 16
const SLICE_BYTES = 32
const OFFSET = 64
const NUMBER = 128

/** Beyond it four times the distance is no safe integer. */
const DISTANCE_MAX = 2 ** 50

export class ExtentRecord implements Extents.Extent {
  inode = 0
  offset = 0
  length = 0
  slice = 0
  sliceOffset = 0
  sliceBytes = 0

  /** Before the first record of a page. */
  start(): void {
    this.inode = 0
    this.offset = 0
    this.length = 0
    this.slice = 0
    this.sliceOffset = 0
    this.sliceBytes = 0
  }

  copy(from: ExtentRecord): void {
    this.inode = from.inode
    this.offset = from.offset
    this.length = from.length
    this.slice = from.slice
    this.sliceOffset = from.sliceOffset
    this.sliceBytes = from.sliceBytes
  }

  /** Whether it may follow the record `inode`, `end` in a page. */
  follows(inode: number, end: number): boolean {
    return this.inode >= 1 && this.inode <= Number.MAX_SAFE_INTEGER &&
      (this.inode > inode || (this.inode === inode && this.offset >= end)) &&
      this.slice <= Number.MAX_SAFE_INTEGER && Extents.isValid(this)
  }

  extent(): Extents.Extent {
    const { length, offset, slice, sliceBytes, sliceOffset } = this
    return { offset, length, slice, sliceOffset, sliceBytes }
  }

  /** Becomes the record at `at`, which comes after the one it was. Answers where it ends. */
  read(bytes: Uint8Array, at: number): number {
    const head = bytes[at] as number
    let end = at + 1
    const before = this.offset + this.length
    const sliceBefore = this.sliceOffset + this.length
    const key = head & 3
    if (key === CONTINUED) this.offset = before
    else if (key === AFTER_GAP) {
      this.offset = before + readVarint(bytes, end)
      end = varintEnd
    } else {
      if (key === NEXT_INODE) this.inode++
      else {
        this.inode += readVarint(bytes, end)
        end = varintEnd
      }
      this.offset = 0
      if ((head & OFFSET) !== 0) {
        this.offset = readVarint(bytes, end)
        end = varintEnd
      }
    }
    if ((head & SAME_LENGTH) === 0) {
      this.length = readVarint(bytes, end)
      end = varintEnd
    }
    return this.readSlice(bytes, end, head, sliceBefore)
  }

  private readSlice(bytes: Uint8Array, at: number, head: number, before: number): number {
    const kind = (head >> 2) & 3
    if (kind === SAME_SLICE) {
      this.sliceOffset = before
      return at
    }
    let end = at
    if (kind === NEXT_SLICE) {
      this.slice++
      this.sliceOffset = 0
    } else {
      if (kind === OTHER_SLICE) {
        const number = readVarint(bytes, end)
        end = varintEnd
        this.sliceOffset = 0
        if ((head & NUMBER) !== 0) this.slice = number
        else {
          const distance = Math.floor(number / 2)
          this.slice += distance % 2 === 0 ? distance / 2 : -(distance + 1) / 2
        }
        if ((head & NUMBER) !== 0 || number % 2 === 1) {
          this.sliceOffset = readVarint(bytes, end)
          end = varintEnd
        }
      } else {
        this.sliceOffset = readVarint(bytes, end)
        return varintEnd
      }
    }
    if ((head & SLICE_BYTES) === 0) this.sliceBytes = this.sliceOffset + this.length
    else {
      this.sliceBytes = readVarint(bytes, end)
      end = varintEnd
    }
    return end
  }

  /** Becomes that extent of an inode, and writes it as the one after the one it was. Answers where it ends. */
  writeExtent(bytes: Uint8Array, at: number, inode: number, extent: Extents.Extent): number {
    const { length, offset, slice, sliceBytes, sliceOffset } = extent
    return this.write(bytes, at, inode, offset, length, slice, sliceOffset, sliceBytes)
  }

  /** Becomes that record, and writes it as the one after the one it was. Answers where it ends. */
  write(
    bytes: Uint8Array,
    at: number,
    inode: number,
    offset: number,
    length: number,
    slice: number,
    sliceOffset: number,
    sliceBytes: number
  ): number {
    let head = 0
    let end = at + 1
    if (inode === this.inode) {
      const gap = offset - this.offset - this.length
      head = gap === 0 ? CONTINUED : AFTER_GAP
      if (gap !== 0) end = writeVarint(bytes, end, gap)
    } else {
      head = inode === this.inode + 1 ? NEXT_INODE : LATER_INODE
      if (head === LATER_INODE) end = writeVarint(bytes, end, inode - this.inode)
      if (offset !== 0) {
        head |= OFFSET
        end = writeVarint(bytes, end, offset)
      }
    }
    if (length === this.length) head |= SAME_LENGTH
    else end = writeVarint(bytes, end, length)
    const before = this.sliceOffset + this.length
    this.length = length
    bytes[at] = head
    end = this.writeSlice(bytes, end, at, before, slice, sliceOffset, sliceBytes)
    this.inode = inode
    this.offset = offset
    this.slice = slice
    this.sliceOffset = sliceOffset
    this.sliceBytes = sliceBytes
    return end
  }

  private writeSlice(
    bytes: Uint8Array,
    at: number,
    headAt: number,
    before: number,
    slice: number,
    sliceOffset: number,
    sliceBytes: number
  ): number {
    let head = bytes[headAt] as number
    let end = at
    if (slice === this.slice && sliceBytes === this.sliceBytes) {
      if (sliceOffset === before) return end
      bytes[headAt] = head | (SAME_ELSEWHERE << 2)
      return writeVarint(bytes, end, sliceOffset)
    }
    if (slice === this.slice + 1 && sliceOffset === 0) head |= NEXT_SLICE << 2
    else {
      head |= OTHER_SLICE << 2
      const distance = slice - this.slice
      const near = Math.abs(distance) <= DISTANCE_MAX
      if (near) {
        const folded = distance < 0 ? -2 * distance - 1 : 2 * distance
        end = writeVarint(bytes, end, 2 * folded + (sliceOffset === 0 ? 0 : 1))
      } else {
        head |= NUMBER
        end = writeVarint(bytes, end, slice)
      }
      if (!near || sliceOffset !== 0) end = writeVarint(bytes, end, sliceOffset)
    }
    if (sliceBytes !== sliceOffset + this.length) {
      head |= SLICE_BYTES
      end = writeVarint(bytes, end, sliceBytes)
    }
    bytes[headAt] = head
    return end
  }
}
