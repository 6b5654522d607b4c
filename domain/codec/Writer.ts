/**
 * A growing run of bytes that codecs write to, little-endian. Reusable: `reset` keeps the memory.
 */
import type { ByteString } from "#domain/ByteString.ts"

const VARINT_BYTES_MAX = 8
const TWO_28 = 2 ** 28
const TWO_48 = 2 ** 48

export class Writer {
  private bytes: Buffer
  length = 0

  constructor(capacity = 1024) {
    this.bytes = Buffer.allocUnsafe(capacity)
  }

  reset(): void {
    this.length = 0
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    const out = new Uint8Array(this.length)
    out.set(this.bytes.subarray(0, this.length))
    return out
  }

  /** What was written, valid until the next write. */
  view(from = 0): Uint8Array {
    return this.bytes.subarray(from, this.length)
  }

  /** What was written, as a byte string. */
  text(): ByteString {
    return this.bytes.latin1Slice(0, this.length)
  }

  u8(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  u16(value: number): void {
    this.reserve(2)
    this.bytes[this.length++] = value
    this.bytes[this.length++] = value >>> 8
  }

  u32(value: number): void {
    this.reserve(4)
    this.bytes.writeUInt32LE(value >>> 0, this.length)
    this.length += 4
  }

  /** A safe integer from 0 in seven bytes. */
  u56(value: number): void {
    this.reserve(7)
    const high = Math.floor(value / TWO_48)
    this.bytes.writeUIntLE(value - high * TWO_48, this.length, 6)
    this.bytes[this.length + 6] = high
    this.length += 7
  }

  /** A safe integer from 0 in 1 to 8 bytes, seven bits each, lowest first. */
  varint(value: number): void {
    this.reserve(VARINT_BYTES_MAX)
    let rest = value
    while (rest >= TWO_28) {
      this.bytes[this.length++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    while (rest > 127) {
      this.bytes[this.length++] = (rest & 127) | 128
      rest >>>= 7
    }
    this.bytes[this.length++] = rest
  }

  /** A signed number of at most 52 bits, small magnitudes short. */
  zigzag(value: number): void {
    this.varint(value < 0 ? -value * 2 - 1 : value * 2)
  }

  /** A byte string with its length before it. */
  string(value: ByteString): void {
    this.varint(value.length)
    this.raw(value)
  }

  /** A byte string without its length. */
  raw(value: ByteString): void {
    this.reserve(value.length)
    this.length += this.bytes.latin1Write(value, this.length)
  }

  /** Bytes with their length before them. */
  blob(value: Uint8Array): void {
    this.varint(value.length)
    this.append(value)
  }

  append(value: Uint8Array): void {
    this.reserve(value.length)
    this.bytes.set(value, this.length)
    this.length += value.length
  }

  /** Overwrites four bytes written earlier at `at`. */
  patchU32(at: number, value: number): void {
    this.bytes.writeUInt32LE(value >>> 0, at)
  }

  private reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    let capacity = this.bytes.length * 2
    while (capacity < needed) capacity *= 2
    const grown = Buffer.allocUnsafe(capacity)
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }
}
