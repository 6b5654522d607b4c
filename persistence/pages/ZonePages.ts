/**
 * The pages of a living zone and where the block store has them: brings back those that are absent, and keeps those in
 * memory within a bound. It decides nothing about when; `Snapshot` writes them.
 */
import { PageFault, PageKind, type Pages } from "#domain/state/pages/Pages.ts"
import { ZoneState } from "#domain/state/ZoneState.ts"
import {
  BlockStore,
  type BlockStoreService,
  type ReadError,
  type StoreUnavailable
} from "#persistence/blocks/BlockStore.ts"
import type { SnapshotRecord } from "#persistence/Journal.ts"
import * as Manifest from "#persistence/pages/Manifest.ts"
import { CHUNK_KIND, folderOf, keyOf, PackReader, RECORD_HEADER_BYTES } from "#persistence/pages/PagePack.ts"
import { CHUNK_PAGES, chunkOf, PageTable, type Place } from "#persistence/pages/PageTable.ts"
import { patiently, retrying } from "#persistence/pages/PatientRead.ts"
import { Turn } from "#persistence/Turn.ts"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** Bytes of a pack that are read at once: what lies beside a page is often wanted next. */
const WINDOW_BYTES = 64 * 1024
/** The same where many are asked for: those that lie no further apart than a window are read together. */
const READ_BYTES_MAX = 1024 * 1024
const CONCURRENCY = 4
/** Once the bound is passed, so much of it is made free. */
const FREED_SHARE = 1 / 64
/** Pages that are looked at, at a time, when some are to be absent. */
const LOOKS = 4096

/** A stored page cannot be had any more. The zone is rebuilt from what does not need it. */
export class PageLost extends Schema.TaggedError<PageLost>()("PageLost", {
  zone: Schema.Number,
  page: Schema.Number,
  /** What it is, in words. */
  kind: Schema.String,
  /** The pack that should have it, and where in it. */
  key: Schema.String,
  offset: Schema.Number,
  /** Whether nothing of the pack can be had. */
  whole: Schema.Boolean,
  reason: Schema.String
}) {
  override get message(): string {
    return `zone ${this.zone}: ${this.kind} ${this.page} is lost: ${this.key} at byte ${this.offset}: ${this.reason}; ` +
      "the zone comes back without the snapshots that need it"
  }
}

/** A snapshot that is recorded cannot be had any more, or is of another codec. */
export class SnapshotLost extends Schema.TaggedError<SnapshotLost>()("SnapshotLost", {
  key: Schema.String,
  reason: Schema.String,
  /** Whether it is not what was written, rather than nothing that this program knows. */
  damaged: Schema.Boolean
}) {
  override get message(): string {
    return `manifest ${this.key}: ${this.reason}`
  }
}

/** Why a page cannot be had, and whether nothing of its pack can. */
type Fail = (reason: string, whole?: boolean) => Effect.Effect<never, PageLost>

/** Records of one pack that are read together. */
interface Window {
  readonly pack: number
  readonly offset: number
  end: number
  readonly pages: Array<Wanted>
}

/** A page that is absent, and where it was when its read was planned. */
interface Wanted extends Place {
  readonly page: number
}

export class ZonePages {
  readonly state: ZoneState
  readonly table: PageTable
  readonly store: BlockStoreService
  /** Bytes that the pages may take in memory, as far as they can be had again. */
  readonly memoryBytes: number
  private readonly pages: Pages
  /** Page numbers below it were given out when the snapshot was taken. */
  private readonly limit: number
  /** To make pages absent is not tried again before memory has come to this. */
  private patience = 0

  constructor(state: ZoneState, table: PageTable, store: BlockStoreService, memoryBytes: number) {
    this.state = state
    this.table = table
    this.store = store
    this.memoryBytes = memoryBytes
    this.pages = state.pages
    this.limit = state.pages.limit
  }

  /** Brings back pages that are absent. Others, near them, may come along. */
  load(pages: Iterable<number>): Effect.Effect<void, PageLost | StoreUnavailable> {
    return Effect.suspend(() => {
      const wanted = [...new Set(pages)]
      const chunks = new Set(wanted.map(chunkOf))
      return Effect.forEach(chunks, (chunk) => this.loadChunk(chunk), { concurrency: CONCURRENCY, discard: true }).pipe(
        Effect.zipRight(Effect.suspend(() => this.windows(wanted))),
        Effect.flatMap((windows) =>
          Effect.forEach(windows, (window) => this.loadWindow(window), { concurrency: CONCURRENCY, discard: true })
        )
      )
    })
  }

  /** Brings back all pages, some at a time. */
  readonly loadAll: Effect.Effect<void, PageLost | StoreUnavailable> = Effect.suspend(() => {
    const { limit } = this.pages
    const chunks = Array.from({ length: chunkOf(limit - 1) + 1 }, (_, chunk) => chunk)
    return Effect.forEach(chunks, (chunk) =>
      Effect.zipRight(
        this.loadChunk(chunk),
        Effect.suspend(() => {
          const first = chunk * CHUNK_PAGES
          const pages = Array.from({ length: CHUNK_PAGES }, (_, index) => first + index)
          return this.load(pages.filter((page) => page < limit && this.pages.isAbsent(page)))
        })
      ), { discard: true })
  })

  /**
   * Does what meets absent pages before it changes anything: whenever one is, it is brought back, with what `others`
   * tells, and all is tried again.
   */
  retry<A>(
    action: () => A,
    others: () => Iterable<number> = () => []
  ): Effect.Effect<A, PageLost | StoreUnavailable> {
    return Effect.suspend(() => {
      try {
        return Effect.succeed(action())
      } catch (cause) {
        if (!(cause instanceof PageFault)) throw cause
        return Effect.zipRight(this.load([cause.page, ...cause.others, ...others()]), this.retry(action, others))
      }
    })
  }

  /** Whether so much has changed that memory is short of pages that may be absent. */
  get isCrowded(): boolean {
    return this.pages.dirtyBytes > this.memoryBytes / 2
  }

  /** Reads a chunk of the table, if it is not there yet, and declares its pages. */
  loadChunk(chunk: number): Effect.Effect<void, PageLost | StoreUnavailable> {
    return Effect.suspend(() => {
      const place = this.table.placeOfChunk(chunk)
      if (place === undefined || this.table.isChunkLoaded(chunk)) return Effect.void
      const fail: Fail = (reason, whole) => this.lost(chunk, CHUNK_KIND, place, reason, whole)
      return Effect.flatMap(this.read(place.pack, place.offset, endOf(place), fail), (bytes) => {
        // Somebody else has brought it, and it may have changed since.
        if (this.table.isChunkLoaded(chunk)) return Effect.void
        const reader = new PackReader(bytes)
        const problem = reader.read(0) ?? mismatch(reader, chunk, CHUNK_KIND, place) ?? reader.unpack() ??
          this.table.loadChunk(chunk, reader.bytes)
        if (problem !== undefined) return fail(problem)
        this.declare(chunk)
        return Effect.void
      })
    })
  }

  /** Tells which page numbers of a chunk are live, and which are free. */
  declare(chunk: number): void {
    const end = Math.min(this.limit, (chunk + 1) * CHUNK_PAGES)
    for (let page = Math.max(1, chunk * CHUNK_PAGES); page < end; page++) {
      this.pages.declare(page, this.table.kindOf(page))
    }
  }

  /** Makes pages absent while they take more memory than they may. */
  readonly bound: Effect.Effect<void> = Effect.suspend(() => {
    const { memoryBytes, pages: { slab } } = this
    if (slab.usedBytes <= Math.max(memoryBytes, this.patience)) return Effect.void
    return Effect.map(this.evict(Math.floor(memoryBytes * (1 - FREED_SHARE))), () => {
      // Most of the rest has changed: there is no use in walking by all of it before that is stored.
      this.patience = slab.usedBytes <= memoryBytes ? 0 : slab.usedBytes + memoryBytes * FREED_SHARE
    })
  })

  /** Makes all pages absent but those that no snapshot has. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => Effect.map(this.evict(0), () => this.pages.trim()))

  /** `Pages.evict`, while others of the process get their turns. */
  private evict(bytes: number): Effect.Effect<void> {
    const { pages } = this
    return Effect.gen(function*() {
      const turn = yield* Turn.make
      // Two rounds: the first may do no more than forget what was used.
      for (let looks = 2 * pages.limit; looks > 0 && pages.slab.usedBytes > bytes; looks -= LOOKS) {
        turn.count(() => pages.evict(bytes, LOOKS))
        yield* turn.end
      }
    })
  }

  /** Pages have been stored: more of them may be absent. */
  relax(): void {
    this.patience = 0
  }

  /** The whole pack as it is stored. */
  readPack(number: number): Effect.Effect<Uint8Array, ReadError> {
    return retrying(this.store.get(this.keyOf(number)))
  }

  keyOf(pack: number): string {
    return keyOf(this.state.zone, pack, this.table.packs.get(pack)?.epoch ?? 0)
  }

  /** Whether what was lost is part of this snapshot too. */
  needs({ key, kind, offset, page }: PageLost): Effect.Effect<boolean, PageLost | StoreUnavailable> {
    const { table } = this
    const isChunk = kind === wordsOf(CHUNK_KIND)
    return Effect.map(isChunk ? Effect.void : this.loadChunk(chunkOf(page)), () => {
      const place = isChunk ? table.placeOfChunk(page) : table.placeOf(page)
      return place !== undefined && this.keyOf(place.pack) === key && place.offset === offset
    })
  }

  /** Which records to read for pages that are absent. */
  private windows(pages: ReadonlyArray<number>): Effect.Effect<ReadonlyArray<Window>, PageLost> {
    const { table } = this
    const places: Array<Wanted> = []
    for (const page of pages) {
      const place = table.placeOf(page)
      if (place === undefined) return this.lost(page, table.kindOf(page), NOWHERE, "no snapshot has it")
      if (this.pages.isAbsent(page)) places.push({ ...place, page })
    }
    places.sort((a, b) => a.pack - b.pack || a.offset - b.offset)
    const windows: Array<Window> = []
    for (const place of places) {
      const last = windows.at(-1)
      const end = endOf(place)
      const isNear = last?.pack === place.pack && place.offset - last.end <= WINDOW_BYTES
      if (isNear && end - last.offset <= READ_BYTES_MAX) {
        last.end = end
        last.pages.push(place)
      } else windows.push({ pack: place.pack, offset: place.offset, end, pages: [place] })
    }
    return Effect.succeed(windows)
  }

  /** A snapshot may store a page elsewhere while it is read here, and forget the old place: it is read there then. */
  private loadWindow(window: Window): Effect.Effect<void, PageLost | StoreUnavailable> {
    const hasMoved = () => window.pages.some((wanted) => !this.isThere(wanted))
    return this.readWindow(window).pipe(
      Effect.catchTag("PageLost", (lost) => hasMoved() ? Effect.void : Effect.fail(lost)),
      Effect.zipRight(Effect.suspend(() => {
        const left = window.pages.filter(({ page }) => this.pages.isAbsent(page))
        return left.length === 0 ? Effect.void : this.load(left.map(({ page }) => page))
      }))
    )
  }

  private readWindow({ end, offset, pack, pages }: Window): Effect.Effect<void, PageLost | StoreUnavailable> {
    const { table } = this
    const until = Math.min(table.packs.get(pack)?.bytes ?? 0, Math.max(end, offset + WINDOW_BYTES))
    const fail = ({ page, ...place }: Wanted, reason: string, whole?: boolean) =>
      this.lost(page, table.kindOf(page), place, reason, whole)
    return Effect.flatMap(this.read(pack, offset, until, (...why) => fail(pages[0] as Wanted, ...why)), (bytes) => {
      const reader = new PackReader(bytes)
      for (const wanted of pages) {
        const { page } = wanted
        if (!this.pages.isAbsent(page) || !this.isThere(wanted)) continue
        const problem = reader.read(wanted.offset - offset) ?? mismatch(reader, page, table.kindOf(page), wanted) ??
          reader.unpack()
        if (problem !== undefined) return fail(wanted, problem)
        this.pages.adopt(page, reader.bytes)
      }
      if (until > end) this.readAhead(reader, pack, offset)
      return Effect.void
    })
  }

  private isThere({ crc, offset, pack, page }: Wanted): boolean {
    return this.table.isAt(page, pack, offset, crc)
  }

  /** Takes what else the window has, as long as there is memory. A record that is not whole ends it. */
  private readAhead(reader: PackReader, pack: number, offset: number): void {
    const { memoryBytes, pages, table } = this
    for (let at = 0; pages.slab.usedBytes < memoryBytes && reader.read(at) === undefined; at = reader.end) {
      const { crc, kind, page } = reader
      if (kind === CHUNK_KIND || !table.isAt(page, pack, offset + at, crc) || !pages.isAbsent(page)) continue
      if (reader.unpack() !== undefined) return
      pages.adopt(page, reader.bytes)
    }
  }

  private read(
    pack: number,
    from: number,
    to: number,
    fail: Fail
  ): Effect.Effect<Uint8Array, PageLost | StoreUnavailable> {
    const { state: { zone }, store, table } = this
    const bytes = table.packs.get(pack)?.bytes ?? 0
    if (to > bytes) return fail(`the pack has ${bytes} bytes`)
    const key = this.keyOf(pack)
    return patiently(store, key, foldersOf(zone), store.getRange(key, bytes, from, to - from)).pipe(
      Effect.catchTags({
        ObjectMissing: ({ message }) => fail(message, true),
        ObjectRefused: ({ message }) => fail(message, true),
        ObjectCorrupt: ({ message }) => fail(message)
      })
    )
  }

  private lost(
    page: number,
    kind: number,
    { offset, pack }: Place,
    reason: string,
    whole = false
  ): Effect.Effect<never, PageLost> {
    const { zone } = this.state
    return new PageLost({ zone, page, kind: wordsOf(kind), key: this.keyOf(pack), offset, whole, reason })
  }
}

/** The pages of a zone that has no snapshot: all are in memory. */
export const fresh = (zone: number, store: BlockStoreService, memoryBytes: number): ZonePages =>
  new ZonePages(new ZoneState(zone), new PageTable(), store, memoryBytes)

/** The zone as a snapshot has it, all of its pages absent. */
export const open = (
  record: SnapshotRecord,
  memoryBytes: number
): Effect.Effect<ZonePages, SnapshotLost | PageLost | StoreUnavailable, BlockStore> =>
  Effect.gen(function*() {
    const store = yield* BlockStore
    const { state, table } = yield* readManifest(record)
    const pages = new ZonePages(state, table, store, memoryBytes)
    const last = chunkOf(state.pages.limit - 1)
    for (let chunk = 0; chunk <= last; chunk++) {
      if (table.placeOfChunk(chunk) === undefined) pages.declare(chunk)
    }
    // The next new pages may fall into it.
    yield* pages.loadChunk(last)
    return pages
  })

export const readManifest = (
  record: SnapshotRecord
): Effect.Effect<Manifest.Manifest, SnapshotLost | StoreUnavailable, BlockStore> =>
  Effect.gen(function*() {
    const store = yield* BlockStore
    const key = Manifest.keyOf(record)
    const lost = (reason: string, damaged: boolean) => new SnapshotLost({ key, reason, damaged })
    const bytes = yield* patiently(store, key, foldersOf(record.zone), store.get(key)).pipe(
      Effect.catchTags({
        ObjectMissing: ({ message }) => lost(message, true),
        ObjectRefused: ({ message }) => lost(message, true),
        ObjectCorrupt: ({ message }) => lost(message, true)
      })
    )
    if (Buffer.compare(Manifest.digestOf(bytes), record.digest) !== 0) {
      return yield* lost("it does not have the digest that was recorded", true)
    }
    const manifest = Manifest.tryDecode(bytes)
    if (typeof manifest === "string") return yield* lost(manifest, false)
    const { sequence, zone } = manifest.state
    if (zone === record.zone && sequence === record.head.sequence) return manifest
    return yield* lost(`it is of zone ${zone} at event ${sequence}`, true)
  })

/** Where the store has what zones come back from. */
const foldersOf = (zone: number): ReadonlyArray<string> => [Manifest.folderOf(zone), folderOf(zone)]

const NOWHERE: Place = { pack: 0, offset: 0, length: 0, crc: 0 }

const endOf = ({ length, offset }: Place): number => offset + RECORD_HEADER_BYTES + length

/** Why the record that was read is not the one that is wanted. */
const mismatch = (reader: PackReader, page: number, kind: number, place: Place): string | undefined => {
  if (reader.page === page && reader.kind === kind && reader.crc === place.crc && reader.length === place.length) {
    return undefined
  }
  return `there is ${wordsOf(reader.kind)} ${reader.page} instead, or another version`
}

const words: ReadonlyArray<string> = Object.keys(PageKind)

const wordsOf = (kind: number): string =>
  kind === CHUNK_KIND ? "chunk of the page table" : `page of ${words[kind] ?? `kind ${kind}`}`
