/**
 * Memory for blocks that is used again: a fresh 4 MiB costs more to map, clear and collect than the block costs to
 * move. What is not given back is left to the garbage collector.
 */
import { Limits } from "#domain/Limits.ts"

/** Slabs kept for later. */
const SLABS_MAX = 32

export class BufferPool {
  private readonly slabs: Array<ArrayBuffer> = []

  /** Bytes with whatever was in them. More than a block comes from outside the pool. */
  take(bytes: number): Buffer<ArrayBuffer> {
    if (bytes > Limits.blockBytesMax) return Buffer.allocUnsafeSlow(bytes)
    const slab = this.slabs.pop() ?? Buffer.allocUnsafeSlow(Limits.blockBytesMax).buffer
    return Buffer.from(slab, 0, bytes)
  }

  /** The bytes are not used by anybody any more. */
  give(bytes: Buffer): void {
    const slab = bytes.buffer
    if (!(slab instanceof ArrayBuffer)) return
    if (slab.byteLength === Limits.blockBytesMax && this.slabs.length < SLABS_MAX) this.slabs.push(slab)
  }
}

/** One for the process. */
export const shared = new BufferPool()
