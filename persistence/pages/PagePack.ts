/**
 * A pack: an object of at most 4 MiB with records of pages back to back. A record tells what it is, so whoever comes to
 * one can go on to the next; whether it is the page's latest is for `PageTable` to say.
 *
 *     crc32c 4, over all that follows | page 4 | kind 1 | 0 1 | length 2 | bytes
 */
import { lengthOf } from "#domain/state/pages/PageFormat.ts"
import { PageKind } from "#domain/state/pages/Pages.ts"
import { SLOT_BYTES_MAX } from "#domain/state/pages/Slab.ts"
import { crc32c } from "@node-rs/crc32"

export const PACK_BYTES_MAX = 4 * 1024 * 1024
export const RECORD_HEADER_BYTES = 12

/** The kind of a record that holds a chunk of the page table; its number is the chunk's. */
export const CHUNK_KIND = 255

const FIRST_BYTES = 64 * 1024
const NUMBER_WIDTH = 10

/** What the keys of a zone's packs begin with. */
export const folderOf = (zone: number): string => `pages/${zone}/`

/** Packs of a zone are numbered on over its activations; the epoch keeps apart those of one that was fenced. */
export const keyOf = (zone: number, pack: number, epoch: number): string =>
  `${folderOf(zone)}${String(pack).padStart(NUMBER_WIDTH, "0")}-${epoch}`

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
  add(page: number, kind: number, bytes: Uint8Array, from: number, length: number): number {
    const at = this.length
    this.reserve(RECORD_HEADER_BYTES + length)
    const { buffer } = this
    buffer.writeUInt32LE(page, at + 4)
    buffer[at + 8] = kind
    buffer[at + 9] = 0
    buffer.writeUInt16LE(length, at + 10)
    buffer.set(bytes.subarray(from, from + length), at + RECORD_HEADER_BYTES)
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

/** Goes from record to record in the bytes of a pack, or of a part of one, and trusts none of them. */
export class PackReader {
  private readonly buffer: Buffer
  /** The record that `read` found. */
  at = 0
  page = 0
  kind = 0
  length = 0
  crc = 0

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
    this.length = buffer.readUInt16LE(at + 10)
    if (this.end > buffer.length) return "it is cut short"
    const sum = crc32c(buffer.subarray(at + 4, this.end))
    if (sum !== this.crc) return `its checksum is ${hex(sum)}, not ${hex(this.crc)}`
    if (buffer[at + 9] !== 0) return "its header is not one"
    return this.formProblem()
  }

  /** Where the next record begins. */
  get end(): number {
    return this.at + RECORD_HEADER_BYTES + this.length
  }

  /** Where the page's bytes begin. */
  get body(): number {
    return this.at + RECORD_HEADER_BYTES
  }

  /** The record as it is. */
  get record(): Uint8Array {
    return this.buffer.subarray(this.at, this.end)
  }

  private formProblem(): string | undefined {
    const { body, buffer, kind, length } = this
    if (kind === CHUNK_KIND) return undefined
    if (kind === PageKind.none || length > SLOT_BYTES_MAX) return `kind ${kind} with ${length} bytes is no page`
    const expected = lengthOf(kind, buffer, body)
    return expected === length ? undefined : `a page of ${length} bytes says that it has ${expected}`
  }
}

const hex = (sum: number): string => sum.toString(16).padStart(8, "0")
