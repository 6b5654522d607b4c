/**
 * Keys, each with a number, one after another in one buffer: what a leaf or a branch of an `EntryTree` is taken
 * apart into and put together from. It is scratch for rare work (splits and merges), never state.
 */
import { Limits } from "#domain/Limits.ts"

/** A directory's number, most significant byte first, so that keys order as bytes. */
export const DIRECTORY_BYTES = 7
export const KEY_BYTES_MAX = DIRECTORY_BYTES + Limits.nameBytesMax

/** Two full pages and what is added to them. */
const KEYS_MAX = 2 * 128 + 2

export class KeyList {
  count = 0
  readonly bytes = new Uint8Array(KEYS_MAX * KEY_BYTES_MAX)
  /** Where each key starts; the entry behind the last is where that ends. */
  readonly starts = new Int32Array(KEYS_MAX + 1)
  readonly numbers = new Float64Array(KEYS_MAX)

  clear(): void {
    this.count = 0
  }

  /** Adds the first `shared` bytes of the last key, then `length` bytes of the source. */
  push(shared: number, source: Uint8Array, from: number, length: number, number: number): void {
    const { bytes, count, starts } = this
    const start = starts[count] as number
    if (shared > 0) {
      const last = starts[count - 1] as number
      for (let i = 0; i < shared; i++) bytes[start + i] = bytes[last + i] as number
    }
    this.numbers[count] = number
    this.starts[count + 1] = start + shared
    this.count = count + 1
    this.extend(source, from, length)
  }

  /** Adds bytes to the last key. */
  extend(source: Uint8Array, from: number, length: number): void {
    const { bytes, count, starts } = this
    const end = starts[count] as number
    for (let i = 0; i < length; i++) bytes[end + i] = source[from + i] as number
    starts[count] = end + length
  }

  lengthOf(index: number): number {
    return (this.starts[index + 1] as number) - (this.starts[index] as number)
  }

  /** How many bytes two keys have in common from their start, of which `known` are known to be. */
  sharedOf(one: number, other: number, known: number): number {
    const { bytes, starts } = this
    const a = starts[one] as number
    const b = starts[other] as number
    const end = Math.min(this.lengthOf(one), this.lengthOf(other))
    let shared = known
    while (shared < end && bytes[a + shared] === bytes[b + shared]) shared++
    return shared
  }
}
