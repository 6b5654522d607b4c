/**
 * A pack: an object of at most 4 MiB with records of pages back to back. A record tells what it is, so whoever comes to
 * one can go on to the next; whether it is the page's latest is for `PageTable` to say.
 *
 *     crc32c 4, over all that follows | page 4 | kind 1 | form 1 | length 2 | bytes
 *
 * The bytes are the page's own, or those deflated (RFC 1951); length is what the record has of them.
 */
import { lengthOf } from "#domain/state/pages/PageFormat.ts"
import { PageKind } from "#domain/state/pages/Pages.ts"
import { SLOT_BYTES_MAX } from "#domain/state/pages/Slab.ts"
import { crc32c } from "@node-rs/crc32"
import { deflateRawSync, inflateRawSync } from "node:zlib"

export const PACK_BYTES_MAX = 4 * 1024 * 1024
export const RECORD_HEADER_BYTES = 12

/** The kind of a record that holds a chunk of the page table; its number is the chunk's. */
export const CHUNK_KIND = 255

/** What the bytes of a record are. */
export const Form = { plain: 0, deflated: 1 } as const

/** Pages that are smaller are not worth it, nor are those of which less than an eighth goes. */
const DEFLATED_BYTES_LEAST = 128
const DEFLATED_SHARE_MAX = 7 / 8

const FIRST_BYTES = 2 * 1024
const NUMBER_WIDTH = 10

/** What the keys of a zone's packs begin with. */
export const folderOf = (zone: number): string => `pages/${zone}/`

/** Packs of a zone are numbered on over its activations; the epoch keeps apart those of one that was fenced. */
export const keyOf = (zone: number, pack: number, epoch: number): string =>
  `${folderOf(zone)}${String(pack).padStart(NUMBER_WIDTH, "0")}-${epoch}`

/** The page's bytes in fewer; undefined where that saves little. */
export const deflate = (bytes: Uint8Array): Uint8Array | undefined => {
  if (bytes.length < DEFLATED_BYTES_LEAST) return undefined
  const deflated = deflateRawSync(bytes)
  return deflated.length <= bytes.length * DEFLATED_SHARE_MAX ? deflated : undefined
}

/** Fills a pack. */
export class PackWriter {
  private buffer = Buffer.allocUnsafe(FIRST_BYTES)
  length = 0

  /** Bytes so far, valid until the next record. */
  get bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length)
  }

  hasRoom(length: number): boolean {
    return this.length + RECORD_HEADER_BYTES + length <= PACK_BYTES_MAX
  }

  /** Adds a record; answers where it begins. */
  add(page: number, kind: number, bytes: Uint8Array, form: number = Form.plain): number {
    const { length } = bytes
    const at = this.length
    this.reserve(RECORD_HEADER_BYTES + length)
    const { buffer } = this
    buffer.writeUInt32LE(page, at + 4)
    buffer[at + 8] = kind
    buffer[at + 9] = form
    buffer.writeUInt16LE(length, at + 10)
    buffer.set(bytes, at + RECORD_HEADER_BYTES)
    buffer.writeUInt32LE(crc32c(buffer.subarray(at + 4, this.length)), at)
    return at
  }

  /** Adds a record as it is in another pack. */
  copy(record: Uint8Array): number {
    const at = this.length
    this.reserve(record.length)
    this.buffer.set(record, at)
    return at
  }

  private reserve(bytes: number): void {
    this.length += bytes
    if (this.length <= this.buffer.length) return
    const grown = Buffer.allocUnsafe(Math.min(PACK_BYTES_MAX, Math.max(2 * this.buffer.length, this.length)))
    this.buffer.copy(grown, 0, 0, this.length - bytes)
    this.buffer = grown
  }
}

/**
 * Goes from record to record in the bytes of a pack, or of a part of one, and trusts none of them. A record that was
 * `read` has its page once it was `unpack`ed.
 */
export class PackReader {
  private readonly buffer: Buffer
  /** The record that `read` found. */
  at = 0
  page = 0
  kind = 0
  form: number = Form.plain
  length = 0
  crc = 0
  /** The page that `unpack` found. */
  bytes: Uint8Array = NOTHING

  constructor(bytes: Uint8Array) {
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Reads the record at an offset: undefined if it is whole, or what is wrong. */
  read(at: number): string | undefined {
    const { buffer } = this
    if (at + RECORD_HEADER_BYTES > buffer.length) return "it is cut short"
    this.at = at
    this.crc = buffer.readUInt32LE(at)
    this.page = buffer.readUInt32LE(at + 4)
    this.kind = buffer[at + 8] as number
    this.form = buffer[at + 9] as number
    this.length = buffer.readUInt16LE(at + 10)
    if (this.end > buffer.length) return "it is cut short"
    const sum = crc32c(buffer.subarray(at + 4, this.end))
    if (sum !== this.crc) return `its checksum is ${hex(sum)}, not ${hex(this.crc)}`
    if (this.form > (this.kind === CHUNK_KIND ? Form.plain : Form.deflated)) return "its header is not one"
    return undefined
  }

  /** Takes the page out of the record that was read: undefined if it is one, or what is wrong. */
  unpack(): string | undefined {
    const { body, buffer, end, form, kind } = this
    const bytes = buffer.subarray(body, end)
    this.bytes = bytes
    if (kind === CHUNK_KIND) return undefined
    if (form === Form.deflated) {
      try {
        this.bytes = inflateRawSync(bytes, { maxOutputLength: SLOT_BYTES_MAX })
      } catch (cause) {
        return `it cannot be inflated: ${(cause as Error).message}`
      }
    }
    return problemOf(kind, this.bytes)
  }

  /** Where the next record begins. */
  get end(): number {
    return this.at + RECORD_HEADER_BYTES + this.length
  }

  /** Where the record's bytes begin. */
  private get body(): number {
    return this.at + RECORD_HEADER_BYTES
  }

  /** The record as it is. */
  get record(): Uint8Array {
    return this.buffer.subarray(this.at, this.end)
  }
}

const NOTHING = new Uint8Array(0)

const problemOf = (kind: number, bytes: Uint8Array): string | undefined => {
  const { length } = bytes
  if (kind === PageKind.none || length === 0 || length > SLOT_BYTES_MAX) {
    return `kind ${kind} with ${length} bytes is no page`
  }
  const expected = lengthOf(kind, bytes, 0)
  return expected === length ? undefined : `a page of ${length} bytes says that it has ${expected}`
}

const hex = (sum: number): string => sum.toString(16).padStart(8, "0")
