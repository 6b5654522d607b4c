/**
 * The frames of the TCP block transport, and of packed messages: a fixed head, a short text, and data with its CRC32C.
 * Pure bytes; it knows no socket.
 *
 *   head (32 bytes, little-endian): kind u8, 0 u8, text length u16, request u32, block bytes u32, offset u32,
 *   length u32, data length u32, CRC32C of the data u32, CRC32C of the head so far and the text u32
 */
import { Limits } from "#domain/Limits.ts"
import type { BufferPool } from "#transport/BufferPool.ts"
import { crc32c } from "@node-rs/crc32"

export const Kind = {
  fetch: 1,
  store: 2,
  data: 3,
  stored: 4,
  error: 5,
  message: 6,
  replies: 7,
  refusal: 8,
  ping: 9,
  pong: 10
} as const

export interface Frame {
  readonly kind: number
  readonly request: number
  /** Of a fetch: bytes of the whole block, first byte wanted, and bytes wanted. */
  readonly blockBytes: number
  readonly offset: number
  readonly length: number
  readonly text: string
  readonly data: Uint8Array
}

/** Smaller data are not worth a place in the pool. */
export const POOLED_BYTES_MIN = 64 * 1024

const HEAD_BYTES = 32
export const TEXT_BYTES_MAX = 4096
const EMPTY = new Uint8Array(0)

/** The head and text of a frame; its data follow as they are. */
export const encode = (frame: Partial<Frame> & { readonly kind: number; readonly request: number }): Buffer => {
  const text = Buffer.from(frame.text ?? "", "utf8").subarray(0, TEXT_BYTES_MAX)
  const data = frame.data ?? EMPTY
  const head = Buffer.alloc(HEAD_BYTES + text.length)
  head.writeUInt8(frame.kind, 0)
  head.writeUInt16LE(text.length, 2)
  head.writeUInt32LE(frame.request, 4)
  head.writeUInt32LE(frame.blockBytes ?? 0, 8)
  head.writeUInt32LE(frame.offset ?? 0, 12)
  head.writeUInt32LE(frame.length ?? 0, 16)
  head.writeUInt32LE(data.length, 20)
  head.writeUInt32LE(data.length === 0 ? 0 : crc32c(Buffer.from(data.buffer, data.byteOffset, data.length)), 24)
  text.copy(head, HEAD_BYTES)
  head.writeUInt32LE(crc32c(text, crc32c(head.subarray(0, HEAD_BYTES - 4))), HEAD_BYTES - 4)
  return head
}

/** Takes a stream of bytes apart into frames. Says why when the stream is none of ours. */
export class Decoder {
  /** Where data of some size go; they are their user's to give back. */
  private readonly pool: BufferPool | undefined
  private readonly bytesMax: number
  private head = Buffer.alloc(HEAD_BYTES)
  private text = Buffer.alloc(0)
  private data = Buffer.alloc(0)
  private filled = 0
  private stage: "head" | "text" | "data" = "head"

  /** `bytesMax`: of the data of a frame, those of a block if not told. */
  constructor(
    { bytesMax = Limits.blockBytesMax, pool }: { readonly bytesMax?: number; readonly pool?: BufferPool } = {}
  ) {
    this.pool = pool
    this.bytesMax = bytesMax
  }

  /** Calls back for each whole frame in order. Returns what is wrong with the stream, if anything. */
  push(chunk: Buffer, use: (frame: Frame) => void): string | undefined {
    let at = 0
    for (;;) {
      const target = this[this.stage]
      const count = Math.min(target.length - this.filled, chunk.length - at)
      chunk.copy(target, this.filled, at, at + count)
      at += count
      this.filled += count
      if (this.filled < target.length) return undefined
      this.filled = 0
      if (this.stage === "head") {
        const textBytes = this.head.readUInt16LE(2)
        const dataBytes = this.head.readUInt32LE(20)
        if (textBytes > TEXT_BYTES_MAX || dataBytes > this.bytesMax) return "a frame is larger than any may be"
        this.text = Buffer.allocUnsafe(textBytes)
        this.stage = "text"
      } else if (this.stage === "text") {
        const sum = crc32c(this.text, crc32c(this.head.subarray(0, HEAD_BYTES - 4)))
        if (sum !== this.head.readUInt32LE(HEAD_BYTES - 4)) return "a frame's head is corrupt"
        const bytes = this.head.readUInt32LE(20)
        const pooled = this.pool !== undefined && bytes >= POOLED_BYTES_MIN
        this.data = pooled ? this.pool.take(bytes) : Buffer.allocUnsafeSlow(bytes)
        this.stage = "data"
      } else {
        if (this.data.length > 0 && crc32c(this.data) !== this.head.readUInt32LE(24)) {
          return "a frame's data are corrupt"
        }
        this.stage = "head"
        use(this.frame())
      }
    }
  }

  private frame(): Frame {
    const { data, head, text } = this
    return {
      kind: head.readUInt8(0),
      request: head.readUInt32LE(4),
      blockBytes: head.readUInt32LE(8),
      offset: head.readUInt32LE(12),
      length: head.readUInt32LE(16),
      text: text.toString("utf8"),
      data
    }
  }
}
