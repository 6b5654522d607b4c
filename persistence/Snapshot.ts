/**
 * Snapshots of a zone, page by page, while it works: what changed since the last one is copied into packs, whatever
 * changes meanwhile before it does; then the page table's changed chunks, then the manifest, and last the record in the
 * journal's tables, so a snapshot is whole or is not there. One of an activation is under way at a time.
 */
import { Writer } from "#domain/codec/Writer.ts"
import { PageKind } from "#domain/state/pages/Pages.ts"
import {
  BlockStore,
  type BlockStoreService,
  type StoreUnavailable,
  type WriteError
} from "#persistence/blocks/BlockStore.ts"
import type { ChainHead } from "#persistence/Chain.ts"
import {
  type Fenced,
  Journal,
  type JournalService,
  type JournalUnavailable,
  type SnapshotRecord
} from "#persistence/Journal.ts"
import { keptOf } from "#persistence/KeptSnapshots.ts"
import * as Manifest from "#persistence/pages/Manifest.ts"
import { PackQueue } from "#persistence/pages/PackQueue.ts"
import * as PagePack from "#persistence/pages/PagePack.ts"
import { chunkOf, type Pack } from "#persistence/pages/PageTable.ts"
import { open, type PageLost, readManifest, type ZonePages } from "#persistence/pages/ZonePages.ts"
import { type Steps, through, Turn } from "#persistence/Turn.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Of one runner at a time, because each may have some 44 MiB of packs on their way to the store. */
export const SNAPSHOTS_AT_ONCE = 2
/** Where whole-state snapshots were, of which no record is left (migration 3). */
const EARLIER_FOLDER = "snapshots/"
/** Bytes copied before others of the process get a turn. */
const TURN_BYTES = 512 * 1024
/** Pages, or records, between two looks at the clock. */
const AT_ONCE = 64
/** Packs are rewritten while they have so many times the bytes that are in use. */
const SPARSE_FACTOR = 2
/** Packs rewritten by a snapshot: so many, or as many as it wrote. */
const REWRITES_LEAST = 4

export type SnapshotError = Fenced | JournalUnavailable | WriteError

/** A snapshot that has begun: what it is of does not change any more, whatever the zone does. */
export interface Taking {
  /** Writes and records it. To be run once. */
  readonly write: Effect.Effect<SnapshotRecord, SnapshotError>
  /** Returns while there is room for what the zone is about to change. */
  readonly room: Effect.Effect<void>
}

/** The snapshots of one activation. */
export class ZoneSnapshots {
  private readonly pages: ZonePages
  private readonly epoch: number
  private readonly deflates: boolean
  private readonly journal: JournalService
  private readonly store: BlockStoreService
  /** Keys of the packs that each manifest lists. */
  private readonly listed = new Map<string, ReadonlySet<string>>()
  /** Whether what older activations left over was looked for. */
  private swept = false

  private constructor(
    pages: ZonePages,
    epoch: number,
    deflates: boolean,
    journal: JournalService,
    store: BlockStoreService
  ) {
    this.pages = pages
    this.epoch = epoch
    this.deflates = deflates
    this.journal = journal
    this.store = store
  }

  /** `deflates`: whether pages that are cold are stored deflated. */
  static make(
    pages: ZonePages,
    epoch: number,
    deflates: boolean
  ): Effect.Effect<ZoneSnapshots, never, Journal | BlockStore> {
    return Effect.all([Journal, BlockStore]).pipe(
      Effect.map(([journal, store]) => new ZoneSnapshots(pages, epoch, deflates, journal, store))
    )
  }

  /** Begins a snapshot of the state as it is, at the end of the journal's row `head`. */
  begin(head: ChainHead): Taking {
    const { pages: { state, state: { pages } } } = this
    state.table.packAll()
    const queue = new PackQueue(this.pages, this.epoch, this.deflates)
    const changed = pages.cut((page) => queue.hot(page))
    const manifest = new Writer()
    Manifest.encodeState(manifest, state)
    const { limit } = pages
    const freed = changed.filter((page) => pages.kindOf(page) === PageKind.none)
    return {
      room: queue.room,
      write: this.writePages(queue, changed, freed).pipe(
        Effect.ensuring(Effect.sync(() => {
          pages.endCut(changed)
          this.pages.relax()
        })),
        Effect.zipRight(this.rewriteSparse(queue)),
        Effect.zipRight(this.writeChunks(queue)),
        Effect.zipRight(Effect.suspend(() => this.record(head, manifest, limit))),
        Effect.tap(() => this.tidy)
      )
    }
  }

  private writePages(queue: PackQueue, changed: Uint32Array, freed: Uint32Array) {
    const { pages: { state: { pages } } } = this
    const copy = Effect.gen(function*() {
      const turn = yield* Turn.make
      let before = queue.bytes
      let next = 0
      const copySome = (): void => {
        for (const end = Math.min(next + AT_ONCE, changed.length); next < end; next++) {
          const page = changed[next] as number
          if (!pages.isPending(page)) continue
          queue.cold(page)
          pages.copied(page)
        }
      }
      while (next < changed.length) {
        turn.count(copySome)
        yield* turn.end
        if (queue.bytes - before < TURN_BYTES) continue
        yield* queue.room
        yield* Effect.sleep(Duration.zero)
        before = queue.bytes
      }
    })
    return Effect.zipRight(
      queue.run(copy),
      Effect.suspend(() => through(this.forgetting(freed)))
    )
  }

  private *forgetting(freed: Uint32Array): Steps<void> {
    const { pages: { state: { pages }, table } } = this
    for (const [index, page] of freed.entries()) {
      table.clear(page)
      pages.stored(page)
      if (index % AT_ONCE === 0) yield
    }
  }

  /** Copies what is in use of packs that hold little else than leftovers; they go once no snapshot lists them. */
  private rewriteSparse(queue: PackQueue): Effect.Effect<void, WriteError> {
    const { pages, pages: { table } } = this
    return Effect.suspend(() => {
      const packs = [...table.packs.values()].filter(({ live }) => live > 0)
      const bytes = packs.reduce((sum, pack) => sum + pack.bytes, 0)
      const live = packs.reduce((sum, pack) => sum + pack.live, 0)
      if (bytes <= SPARSE_FACTOR * live) return Effect.void
      const count = Math.max(REWRITES_LEAST, queue.stored.size)
      const sparse = packs.filter(({ number }) => !queue.stored.has(number)).sort((a, b) => filling(a) - filling(b))
      const rewrite = Effect.forEach(
        sparse.slice(0, count),
        (pack) =>
          Effect.flatMap(pages.readPack(pack.number), (bytes) => this.copyLive(queue, pack.number, bytes)).pipe(
            Effect.catchAll(({ message }) => Effect.logWarning(`a sparse pack of pages stays as it is: ${message}`)),
            Effect.zipRight(queue.room)
          ),
        { discard: true }
      )
      return queue.run(rewrite)
    })
  }

  private copyLive(
    queue: PackQueue,
    number: number,
    bytes: Uint8Array
  ): Effect.Effect<void, PageLost | StoreUnavailable> {
    const { pages, pages: { table } } = this
    return Effect.gen(function*() {
      const reader = new PagePack.PackReader(bytes)
      const turn = yield* Turn.make
      for (let at = 0; at < bytes.length; at = reader.end) {
        if (turn.count(() => reader.read(at)) !== undefined) return
        yield* turn.end
        const { crc, kind, page } = reader
        if (kind !== PagePack.CHUNK_KIND) {
          if (!table.isChunkLoaded(chunkOf(page))) yield* pages.loadChunk(chunkOf(page))
          if (table.isAt(page, number, at, crc)) turn.count(() => queue.record(reader))
          continue
        }
        const place = table.placeOfChunk(page)
        if (place?.pack !== number || place.offset !== at) continue
        yield* pages.loadChunk(page)
        table.touchChunk(page)
      }
    })
  }

  private writeChunks(queue: PackQueue): Effect.Effect<void, WriteError> {
    return queue.run(Effect.gen(this, function*() {
      const turn = yield* Turn.make
      for (const chunk of this.pages.table.dirtyChunks) {
        turn.count(() => queue.chunk(chunk))
        yield* turn.end
        yield* queue.room
      }
    }))
  }

  private record(head: ChainHead, manifest: Writer, limit: number) {
    const { epoch, pages: { state: { zone }, table } } = this
    Manifest.encodeTable(manifest, table, limit)
    const encoded = manifest.take()
    const live = [...table.packs.values()].filter(({ live }) => live > 0)
    const record: SnapshotRecord = {
      zone,
      head,
      epoch,
      bytes: live.reduce((sum, pack) => sum + pack.live, encoded.length),
      digest: Manifest.digestOf(encoded)
    }
    const key = Manifest.keyOf(record)
    return this.store.put(key, encoded).pipe(
      Effect.zipRight(this.journal.addSnapshot(record)),
      Effect.map(() => {
        this.listed.set(key, packKeysOf(zone, live))
        return record
      })
    )
  }

  /** Forgets all snapshots but those that are kept, and what only they need. What stays costs room, not safety. */
  private readonly tidy: Effect.Effect<void> = Effect.suspend(() => this.forget()).pipe(
    Effect.catchAll(({ message }) =>
      Effect.logWarning(`zone ${this.pages.state.zone}: leftovers of old snapshots stay: ${message}`)
    )
  )

  private forget(): Effect.Effect<void, JournalUnavailable | StoreUnavailable> {
    const { epoch, journal, pages, pages: { state: { snapshots, zone }, table }, store } = this
    return Effect.gen(this, function*() {
      const records = yield* journal.snapshots(zone)
      const keep = keptOf(records.map(({ head }) => head.sequence), snapshots.map(({ sequence }) => sequence))
      const needed = new Set<string>()
      const spare = new Set<string>()
      for (const record of records) {
        const packs = yield* this.packsOf(record)
        const isKept = packs !== undefined && keep.has(record.head.sequence)
        for (const key of packs ?? []) (isKept ? needed : spare).add(key)
        if (isKept) needed.add(Manifest.keyOf(record))
        // The record first: what is left over then is garbage, not a snapshot with a hole.
        else yield* this.remove(record)
      }
      for (const { live, number } of table.packs.values()) if (live > 0) needed.add(pages.keyOf(number))
      for (const { live, number } of table.packs.values()) {
        if (live > 0 || needed.has(pages.keyOf(number))) continue
        yield* store.remove(pages.keyOf(number))
        table.dropPack(number)
      }
      for (const key of spare) if (!needed.has(key)) yield* store.remove(key)
      if (this.swept) return
      const earlier = `${EARLIER_FOLDER}${zone}/`
      for (const folder of [PagePack.folderOf(zone), Manifest.folderOf(zone), earlier]) {
        yield* store.list(folder).pipe(
          // Newer activations do what they do.
          Stream.filter(({ key }) => folder === earlier || (epochOf(key) < epoch && !needed.has(key))),
          Stream.runForEach(({ key }) => store.remove(key))
        )
      }
      this.swept = true
    })
  }

  private remove(record: SnapshotRecord): Effect.Effect<void, JournalUnavailable | StoreUnavailable> {
    const key = Manifest.keyOf(record)
    this.listed.delete(key)
    return Effect.zipRight(this.journal.removeSnapshot(record.zone, record.head.sequence), this.store.remove(key))
  }

  /** Keys of the packs that its manifest lists; undefined if nobody can tell any more. */
  private packsOf(record: SnapshotRecord): Effect.Effect<ReadonlySet<string> | undefined, StoreUnavailable> {
    const key = Manifest.keyOf(record)
    const known = this.listed.get(key)
    if (known !== undefined) return Effect.succeed(known)
    return readManifest(record).pipe(
      Effect.provideService(BlockStore, this.store),
      Effect.map(({ table }) => {
        const keys = packKeysOf(record.zone, table.packs.values())
        this.listed.set(key, keys)
        return keys
      }),
      Effect.catchTag(
        "SnapshotLost",
        ({ message }) =>
          Effect.as(Effect.logWarning(`zone ${record.zone}: a snapshot is given up: ${message}`), undefined)
      )
    )
  }
}

/** Takes away the records of snapshots that need what was lost: the zone is rebuilt from others, or from its journal. */
export const disown = (
  lost: PageLost
): Effect.Effect<void, JournalUnavailable | StoreUnavailable, Journal | BlockStore> =>
  Effect.gen(function*() {
    const journal = yield* Journal
    for (const record of yield* journal.snapshots(lost.zone)) {
      const needs = yield* needsOf(record, lost)
      if (!needs) continue
      yield* Effect.logWarning(`zone ${lost.zone}: the snapshot at event ${record.head.sequence} is given up`)
      yield* journal.removeSnapshot(lost.zone, record.head.sequence)
    }
  })

const needsOf = (record: SnapshotRecord, lost: PageLost): Effect.Effect<boolean, StoreUnavailable, BlockStore> =>
  readManifest(record).pipe(
    Effect.flatMap(({ table }) => {
      const isListed = packKeysOf(record.zone, table.packs.values()).has(lost.key)
      if (lost.whole || !isListed) return Effect.succeed(isListed)
      return Effect.flatMap(open(record, 0), (pages) => pages.needs(lost))
    }),
    Effect.catchTags({
      // It lacks even what tells where its pages are.
      PageLost: () => Effect.succeed(true),
      // Whoever opens it will see.
      SnapshotLost: () => Effect.succeed(false)
    })
  )

const packKeysOf = (zone: number, packs: Iterable<Pack>): ReadonlySet<string> =>
  new Set(Array.from(packs, ({ epoch, number }) => PagePack.keyOf(zone, number, epoch)))

const filling = ({ bytes, live }: Pack): number => live / bytes

/** Objects are named by what they are, a hyphen, and the epoch that wrote them. */
const epochOf = (key: string): number => Number(key.split("-")[1])
