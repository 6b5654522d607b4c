/**
 * The small object that a snapshot hangs on: the zone's head, what finds its pages, and where the pages are. Its SHA-256
 * is in the snapshot's record, so what comes back is what was written.
 */
import { Malformed, Reader } from "#domain/codec/Reader.ts"
import * as StateCodec from "#domain/codec/StateCodec.ts"
import type { Writer } from "#domain/codec/Writer.ts"
import type { EntryRoots } from "#domain/state/pages/EntryTree.ts"
import type { ExtraRoots } from "#domain/state/pages/ExtraTable.ts"
import type { InodeRoots } from "#domain/state/pages/InodeTable.ts"
import type { OrderBlock } from "#domain/state/pages/PageOrder.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import type { SnapshotRecord } from "#persistence/Journal.ts"
import { chunkOf, type Pack, PageTable, type Place } from "#persistence/pages/PageTable.ts"
import { createHash } from "node:crypto"

const VERSION = 1
const COUNT_MAX = 2 ** 32
const NUMBER_WIDTH = 16
const DIGEST_DIGITS = 16

/** What the keys of a zone's manifests begin with. */
export const folderOf = (zone: number): string => `manifests/${zone}/`

/**
 * By event and epoch, and by its contents too: a second attempt at the same event does not replace the first, whose
 * record may be there though its answer was lost.
 */
export const keyOf = ({ digest, epoch, head, zone }: Pick<SnapshotRecord, "digest" | "epoch" | "head" | "zone">) =>
  `${folderOf(zone)}${String(head.sequence).padStart(NUMBER_WIDTH, "0")}-${epoch}-` +
  Buffer.from(digest).toString("hex", 0, DIGEST_DIGITS / 2)

export const digestOf = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest()

/** The first half, of the state as it is now: all but where its pages are. */
export const encodeState = (w: Writer, state: ZoneState): void => {
  w.u8(VERSION)
  StateCodec.encodeHead(w, state)
  const { entries, extras, pages, table } = state
  w.varint(pages.limit)
  w.varint(pages.count)
  w.varint(entries.roots.root)
  w.varint(entries.roots.height)
  w.varint(entries.roots.entries)
  w.varint(table.roots.inodes)
  w.varint(table.roots.ranges.length)
  for (const [top, page] of table.roots.ranges) {
    w.varint(top)
    w.varint(page)
  }
  writeBlocks(w, extras.roots.extents)
  writeBlocks(w, extras.roots.texts)
}

/** The second half, behind the first: all chunks of pages below `limit` must have their places. */
export const encodeTable = (w: Writer, table: PageTable, limit: number): void => {
  w.varint(table.nextPack)
  const packs = [...table.packs.values()].filter(({ live }) => live > 0)
  w.varint(packs.length)
  for (const { bytes, epoch, live, number } of packs) {
    w.varint(number)
    w.varint(epoch)
    w.varint(bytes)
    w.varint(live)
  }
  for (const place of table.chunkPlaces(chunksFor(limit))) {
    w.varint(place?.pack ?? 0)
    if (place === undefined) continue
    w.varint(place.offset)
    w.varint(place.length)
    w.u32(place.crc)
  }
}

export interface Manifest {
  /** All its pages are absent. */
  readonly state: ZoneState
  readonly table: PageTable
}

/** What a manifest says, or `Malformed`. */
export const decode = (bytes: Uint8Array): Manifest => {
  const r = new Reader(bytes)
  const version = r.u8()
  if (version !== VERSION) r.fail(`manifest codec ${version} is not known here (this program knows ${VERSION})`)
  const state = StateCodec.decodeHead(r)
  const limit = r.varint()
  const count = r.varint()
  if (limit < 1 || limit > COUNT_MAX || count >= limit) r.fail(`${count} pages below ${limit}`)
  const entries: EntryRoots = { root: page(r, limit), height: r.varint(), entries: r.varint() }
  const inodes: InodeRoots = { inodes: r.varint(), ranges: many(r, () => [r.varint(), page(r, limit)] as const) }
  const extras: ExtraRoots = { extents: readBlocks(r, limit), texts: readBlocks(r, limit) }
  const table = readTable(r, limit)
  r.end()
  state.pages.open(limit, count)
  state.entries.open(entries)
  state.table.open(inodes)
  state.extras.open(extras)
  return { state, table }
}

/** The same of bytes that may be anything: what is wrong with them. */
export const tryDecode = (bytes: Uint8Array): Manifest | string => {
  try {
    return decode(bytes)
  } catch (cause) {
    if (cause instanceof Malformed) return cause.message
    throw cause
  }
}

const readTable = (r: Reader, limit: number): PageTable => {
  const table = new PageTable()
  table.nextPack = r.varint()
  for (const pack of many(r, () => readPack(r))) table.addPack(pack)
  for (let chunk = 0; chunk < chunksFor(limit); chunk++) table.openChunk(chunk, readPlace(r, table))
  return table
}

const readPack = (r: Reader): Pack => ({ number: r.varint(), epoch: r.varint(), bytes: r.varint(), live: r.varint() })

const readPlace = (r: Reader, { packs }: PageTable): Place | undefined => {
  const pack = r.varint()
  if (pack === 0) return undefined
  if (!packs.has(pack)) r.fail(`a chunk is in pack ${pack}, which is not listed`)
  return { pack, offset: r.varint(), length: r.varint(), crc: r.u32() }
}

const chunksFor = (limit: number): number => chunkOf(limit - 1) + 1

const writeBlocks = (w: Writer, blocks: ReadonlyArray<OrderBlock>): void => {
  w.varint(blocks.length)
  for (const { first, page } of blocks) {
    w.u56(first)
    w.varint(page)
  }
}

const readBlocks = (r: Reader, limit: number): ReadonlyArray<OrderBlock> =>
  many(r, () => ({ first: r.u56(), page: page(r, limit) }))

const page = (r: Reader, limit: number): number => {
  const number = r.varint()
  return number < limit ? number : r.fail(`page ${number} is not below ${limit}`)
}

const many = <A>(r: Reader, read: () => A): Array<A> => Array.from({ length: r.count(COUNT_MAX) }, read)
