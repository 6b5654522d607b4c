/**
 * Reads what a Writer wrote and refuses everything else: whatever the bytes are, the answer is a value
 * or `Malformed`, never a wrong read beyond the end.
 */
import type { ByteString } from "#domain/ByteString.ts"

const TWO_48 = 2 ** 48

/** The bytes are not what the codec writes. Thrown inside decoders, caught at the edge that holds the bytes. */
export class Malformed extends Error {
  override readonly name = "Malformed"
  readonly at: number

  constructor(what: string, at: number) {
    super(`${what} at byte ${at}`)
    this.at = at
  }
}

export class Reader {
  private readonly bytes: Buffer
  at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get remaining(): number {
    return this.bytes.length - this.at
  }

  fail(what: string): never {
    throw new Malformed(what, this.at)
  }

  /** Asserts that everything was read. */
  end(): void {
    if (this.at !== this.bytes.length) this.fail(`${this.remaining} bytes too many`)
  }

  /** The next byte, which stays; undefined at the end. */
  peek(): number | undefined {
    return this.bytes[this.at]
  }

  u8(): number {
    const value = this.bytes[this.at]
    if (value === undefined) return this.fail("cut short")
    this.at++
    return value
  }

  u16(): number {
    const low = this.u8()
    return low | (this.u8() << 8)
  }

  u32(): number {
    this.need(4)
    const value = this.bytes.readUInt32LE(this.at)
    this.at += 4
    return value
  }

  u56(): number {
    this.need(7)
    const value = this.bytes.readUIntLE(this.at, 6) + (this.bytes[this.at + 6] ?? 0) * TWO_48
    if (!Number.isSafeInteger(value)) this.fail("number too large")
    this.at += 7
    return value
  }

  varint(): number {
    let byte = this.u8()
    if (byte < 128) return byte
    let value = byte & 127
    let scale = 128
    do {
      byte = this.u8()
      value += (byte & 127) * scale
      scale *= 128
      if (!Number.isSafeInteger(value)) this.fail("number too large")
    } while (byte >= 128)
    return value
  }

  zigzag(): number {
    const value = this.varint()
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2
  }

  string(bytesMax: number): ByteString {
    return this.raw(this.bounded(bytesMax))
  }

  raw(count: number): ByteString {
    this.need(count)
    const value = this.bytes.latin1Slice(this.at, this.at + count)
    this.at += count
    return value
  }

  /** The bytes themselves, not a copy. */
  blob(bytesMax: number): Uint8Array {
    return this.take(this.bounded(bytesMax))
  }

  take(count: number): Uint8Array {
    this.need(count)
    const value = this.bytes.subarray(this.at, this.at + count)
    this.at += count
    return value
  }

  /** Moves bytes to another place: for a few of them, faster than a view of them. */
  copy(to: Uint8Array, at: number, count: number): void {
    this.need(count)
    const { bytes, at: from } = this
    for (let i = 0; i < count; i++) to[at + i] = bytes[from + i] as number
    this.at = from + count
  }

  /** A count of things, each of which takes at least one byte. */
  count(countMax: number): number {
    const value = this.varint()
    if (value > countMax || value > this.remaining) this.fail(`count ${value} out of bounds`)
    return value
  }

  private bounded(bytesMax: number): number {
    const value = this.varint()
    if (value > bytesMax) this.fail(`length ${value} above ${bytesMax}`)
    return value
  }

  private need(count: number): void {
    if (count > this.remaining) this.fail("cut short")
  }
}
