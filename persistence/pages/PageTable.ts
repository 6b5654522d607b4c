/**
 * Where the bytes of each page of a zone are, in typed arrays by page number. The table is cut into chunks of 1,024
 * pages, which are records in packs themselves: only those that changed are written again, and one is read when a page
 * of it is asked for. It counts what of each pack is still in use. It reads and writes no store.
 */
import { PageKind } from "#domain/state/pages/Pages.ts"
import { grown } from "#domain/state/pages/Slab.ts"
import { RECORD_HEADER_BYTES } from "#persistence/pages/PagePack.ts"

export const CHUNK_PAGES = 1024
const ROW_BYTES = 15
/** Bytes of a chunk as a record holds it, at most: what is free at its end is left out. */
export const CHUNK_BYTES_MAX = CHUNK_PAGES * ROW_BYTES

/** Where a record is. */
export interface Place {
  readonly pack: number
  readonly offset: number
  /** Bytes of the record's body. */
  readonly length: number
  readonly crc: number
}

export interface Pack {
  readonly number: number
  readonly epoch: number
  readonly bytes: number
  /** Bytes of records that are in use. */
  live: number
}

/** Rows that a chunk has room for at first: a small zone needs no more. */
const FIRST_ROWS = 16

/** Where 1,024 pages are, a pack of 0 for those that are nowhere. Rows behind the last that was set are not there yet. */
class Chunk {
  packs = new Uint32Array(FIRST_ROWS)
  offsets = new Uint32Array(FIRST_ROWS)
  lengths = new Uint16Array(FIRST_ROWS)
  kinds = new Uint8Array(FIRST_ROWS)
  crcs = new Uint32Array(FIRST_ROWS)

  /** Makes room for so many rows. */
  reserve(rows: number): void {
    if (rows <= this.packs.length) return
    const room = Math.min(CHUNK_PAGES, Math.max(rows, 2 * this.packs.length))
    this.packs = grown(this.packs, new Uint32Array(room))
    this.offsets = grown(this.offsets, new Uint32Array(room))
    this.lengths = grown(this.lengths, new Uint16Array(room))
    this.kinds = grown(this.kinds, new Uint8Array(room))
    this.crcs = grown(this.crcs, new Uint32Array(room))
  }
}

export class PageTable {
  readonly packs = new Map<number, Pack>()
  /** The number of the next pack. */
  nextPack = 1
  private readonly chunks: Array<Chunk | undefined> = []
  private readonly places: Array<Place | undefined> = []
  private readonly dirty = new Set<number>()

  addPack(pack: Pack): void {
    this.packs.set(pack.number, pack)
  }

  /** It is in the store no more. */
  dropPack(number: number): void {
    this.packs.delete(number)
  }

  /** Chunks that were changed since they were last given a place, in order. */
  get dirtyChunks(): ReadonlyArray<number> {
    return [...this.dirty].sort((a, b) => a - b)
  }

  /** Where a chunk's record is; undefined before it has one. */
  placeOfChunk(chunk: number): Place | undefined {
    return this.places[chunk]
  }

  /** The places of the first chunks. All of them must have one, or hold nothing. */
  chunkPlaces(count: number): ReadonlyArray<Place | undefined> {
    return Array.from({ length: count }, (_, chunk) => this.places[chunk])
  }

  /** A chunk that is to be read when it is needed, as a manifest tells. */
  openChunk(chunk: number, place: Place | undefined): void {
    this.places[chunk] = place
  }

  /** The chunk's record is stored there. */
  settleChunk(chunk: number, place: Place): void {
    const before = this.places[chunk]
    if (before !== undefined) this.count(before.pack, before.length, -1)
    this.places[chunk] = place
    this.count(place.pack, place.length, 1)
    this.dirty.delete(chunk)
  }

  /** It has to be written again, though nothing in it changed. */
  touchChunk(chunk: number): void {
    this.dirty.add(chunk)
  }

  isChunkLoaded(chunk: number): boolean {
    return this.chunks[chunk] !== undefined || this.places[chunk] === undefined
  }

  /** The bytes that a chunk's record holds. */
  encodeChunk(number: number): Uint8Array {
    const { crcs, kinds, lengths, offsets, packs } = this.chunk(number)
    const rows = packs.findLastIndex((pack) => pack !== 0) + 1
    const bytes = new Uint8Array(rows * ROW_BYTES)
    const view = new DataView(bytes.buffer)
    for (let i = 0, at = 0; i < rows; i++, at += ROW_BYTES) {
      view.setUint32(at, packs[i] as number, true)
      view.setUint32(at + 4, offsets[i] as number, true)
      view.setUint32(at + 8, crcs[i] as number, true)
      view.setUint16(at + 12, lengths[i] as number, true)
      view.setUint8(at + 14, kinds[i] as number)
    }
    return bytes
  }

  /** Takes back what `encodeChunk` gave: undefined if it can be, or what is wrong. */
  loadChunk(number: number, bytes: Uint8Array): string | undefined {
    const rows = bytes.length / ROW_BYTES
    if (rows > CHUNK_PAGES || !Number.isInteger(rows)) return `a chunk of ${bytes.length} bytes is none`
    const chunk = new Chunk()
    chunk.reserve(rows)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let i = 0, at = 0; i < rows; i++, at += ROW_BYTES) {
      const pack = view.getUint32(at, true)
      const offset = view.getUint32(at + 4, true)
      const length = view.getUint16(at + 12, true)
      const kind = view.getUint8(at + 14)
      const page = number * CHUNK_PAGES + i
      if ((pack === 0) !== (kind === PageKind.none)) return `page ${page} of kind ${kind} is in pack ${pack}`
      if (pack !== 0 && offset + RECORD_HEADER_BYTES + length > (this.packs.get(pack)?.bytes ?? 0)) {
        return `page ${page} is beyond the end of pack ${pack}`
      }
      chunk.packs[i] = pack
      chunk.offsets[i] = offset
      chunk.crcs[i] = view.getUint32(at + 8, true)
      chunk.lengths[i] = length
      chunk.kinds[i] = kind
    }
    this.chunks[number] = chunk
    return undefined
  }

  /** Where a page of a loaded chunk is; undefined if it is nowhere. */
  placeOf(page: number): Place | undefined {
    const chunk = this.chunks[chunkOf(page)]
    const index = page % CHUNK_PAGES
    const pack = chunk?.packs[index] ?? 0
    if (chunk === undefined || pack === 0) return undefined
    return {
      pack,
      offset: chunk.offsets[index] as number,
      length: chunk.lengths[index] as number,
      crc: chunk.crcs[index] as number
    }
  }

  /** Whether the page is at that very place. */
  isAt(page: number, pack: number, offset: number, crc: number): boolean {
    const chunk = this.chunks[chunkOf(page)]
    const index = page % CHUNK_PAGES
    return chunk !== undefined && chunk.packs[index] === pack && chunk.offsets[index] === offset &&
      chunk.crcs[index] === crc
  }

  /** What a page of a loaded chunk is. */
  kindOf(page: number): number {
    return this.chunks[chunkOf(page)]?.kinds[page % CHUNK_PAGES] ?? PageKind.none
  }

  /** The page's bytes are stored there. Its chunk must be loaded. */
  set(page: number, kind: number, pack: number, offset: number, length: number, crc: number): void {
    const chunk = this.change(page)
    const index = page % CHUNK_PAGES
    chunk.packs[index] = pack
    chunk.offsets[index] = offset
    chunk.lengths[index] = length
    chunk.kinds[index] = kind
    chunk.crcs[index] = crc
    this.count(pack, length, 1)
  }

  /** The page is no more. */
  clear(page: number): void {
    const chunk = this.change(page)
    const index = page % CHUNK_PAGES
    chunk.packs[index] = 0
    chunk.offsets[index] = 0
    chunk.lengths[index] = 0
    chunk.kinds[index] = PageKind.none
    chunk.crcs[index] = 0
  }

  /** The chunk of a page that goes from where it is. */
  private change(page: number): Chunk {
    const chunk = this.chunk(chunkOf(page))
    const index = page % CHUNK_PAGES
    chunk.reserve(index + 1)
    const before = chunk.packs[index] as number
    if (before !== 0) this.count(before, chunk.lengths[index] as number, -1)
    this.dirty.add(chunkOf(page))
    return chunk
  }

  private chunk(number: number): Chunk {
    const chunk = this.chunks[number]
    if (chunk !== undefined) return chunk
    if (this.places[number] !== undefined) throw new Error(`chunk ${number} of the page table is not loaded`)
    return this.chunks[number] = new Chunk()
  }

  private count(number: number, length: number, sign: 1 | -1): void {
    const pack = this.packs.get(number)
    if (pack === undefined) throw new Error(`pack ${number} is not known`)
    pack.live += sign * (RECORD_HEADER_BYTES + length)
  }
}

export const chunkOf = (page: number): number => Math.floor(page / CHUNK_PAGES)
