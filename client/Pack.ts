/**
 * Many small files in one block: their bytes lie one behind the other in one slice, so that a thousand files cost
 * one object and one sync. Plain and synchronous while it is filled.
 */
import type { Piece } from "#client/FileWriter.ts"
import { Limits } from "#domain/Limits.ts"

/** Larger files get slices of their own. */
export const SMALL_FILE_BYTES_MAX = 1024 * 1024

export class Pack {
  private readonly bytes = Buffer.allocUnsafeSlow(Limits.blockBytesMax)
  filled = 0

  /** Room for a file's bytes, to be read into, or undefined when the pack cannot take it. */
  room(bytes: number): Buffer | undefined {
    return bytes <= this.bytes.length - this.filled ? this.bytes.subarray(this.filled, this.filled + bytes) : undefined
  }

  /** The last room given holds a file of this many bytes. Returns where it lies. */
  keep(bytes: number): number {
    const at = this.filled
    this.filled += bytes
    return at
  }

  /** What to store, once nothing is added any more. */
  contents(): Uint8Array {
    return this.bytes.subarray(0, this.filled)
  }

  /** Where a file's bytes are, for a `write` command. */
  piece(slice: number, sliceOffset: number, length: number): Piece {
    return { length, slice, sliceOffset, sliceBytes: this.filled }
  }
}
