/**
 * One file of a simulated disk: what its readers see, in the page cache, and how much of it a power cut leaves.
 * It is written from its beginning to its end, as every file of ours is; it does not know its name.
 */
import type { Dice } from "#domain/testing/Dice.ts"

/** What the kernel writes as one, unless the power goes meanwhile. */
const PAGE_BYTES = 4096
/** What the disk writes as one, whatever happens. */
const SECTOR_BYTES = 512
/** What may lie on a disk where nothing was written yet. */
const STALE = 0xa5

export class DiskFile {
  /** Grows as is needed; only the first `length` bytes are the file's. */
  private buffer = new Uint8Array(0)
  private length = 0
  /** Bytes from the start that are on the disk. */
  private durable = 0

  get size(): number {
    return this.length
  }

  /** Whether a power cut may take something of it. */
  get isDirty(): boolean {
    return this.durable < this.length
  }

  append(bytes: Uint8Array): void {
    const end = this.length + bytes.length
    if (end > this.buffer.length) {
      const buffer = new Uint8Array(this.length === 0 ? end : 2 * end)
      buffer.set(this.buffer.subarray(0, this.length))
      this.buffer = buffer
    }
    this.buffer.set(bytes, this.length)
    this.length = end
  }

  /** Fills the buffer from this offset; the result is how many bytes there were. */
  read(into: Uint8Array, offset: number): number {
    const found = this.buffer.subarray(Math.min(offset, this.length), Math.min(offset + into.length, this.length))
    into.set(found)
    return found.length
  }

  sync(): void {
    this.durable = this.length
  }

  /** What was not synced is forgotten, as Linux does with pages that it could not write; so many bytes. */
  dropDirty(): number {
    const dropped = this.length - this.durable
    this.length = this.durable
    return dropped
  }

  /** The power is cut: of what was not synced any pages may have come to the disk, whole, in part or not at all. */
  cut(dice: Dice): void {
    if (!this.isDirty) return
    this.length = lengthAfter(this.durable, this.length, dice)
    for (let page = this.durable - (this.durable % PAGE_BYTES); page < this.length; page += PAGE_BYTES) {
      const from = Math.max(page, this.durable)
      const to = Math.min(page + PAGE_BYTES, this.length)
      const kept = dice.weighted([[4, to], [3, from], [1, from + SECTOR_BYTES * (1 + dice.below(7))]])
      if (kept < to) this.buffer.fill(dice.chance(50) ? 0 : STALE, kept, to)
    }
    this.durable = this.length
  }

  /** One bit turns on the disk, and nobody is told. */
  rot(offset: number, bit: number): void {
    const byte = this.buffer[offset]
    if (byte === undefined || offset >= this.length) throw new RangeError(`the file has no byte ${offset}`)
    this.buffer[offset] = byte ^ (1 << bit)
  }

  truncate(bytes: number): void {
    this.length = Math.min(this.length, bytes)
    this.durable = Math.min(this.durable, bytes)
  }
}

/** The size may be on the disk without the pages, and the pages without the size. */
const lengthAfter = (durable: number, length: number, dice: Dice): number => {
  if (dice.chance(50)) return length
  if (dice.chance(50)) return durable
  return durable + dice.below(length - durable)
}
