/**
 * `bench recovery`: how long a zone of growing size takes from its claim to its first answer, how long to have all of
 * its pages again, and what a snapshot of it costs, on a local disk. No cluster: leases and processes are not part of it.
 */
import { recover } from "#actors/Recovery.ts"
import { nameOf, scattered } from "#bench/MdtestNames.ts"
import { type Bench, rounded } from "#bench/Report.ts"
import { makeFolder, removeFolder } from "#bench/TemporaryFolder.ts"
import * as ZoneFiller from "#bench/ZoneFiller.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { BlockStore, type BlockStoreService } from "#persistence/blocks/BlockStore.ts"
import * as DiskBlockStore from "#persistence/blocks/DiskBlockStore.ts"
import * as Chain from "#persistence/Chain.ts"
import { Journal } from "#persistence/Journal.ts"
import * as MemoryJournal from "#persistence/MemoryJournal.ts"
import { PageTable } from "#persistence/pages/PageTable.ts"
import { ZonePages } from "#persistence/pages/ZonePages.ts"
import { ZoneSnapshots } from "#persistence/Snapshot.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

const FILES_BY_DEFAULT = 1_000_000
const FILES_LEAST = 100_000
const STEP = 10
const LATER_ANSWERS = 200
const MEMORY_BYTES = 8 * 2 ** 30

const root = InodeNumber.rootOf(0)

export const recovery: Bench = async (options, say) => {
  const most = options.files ?? FILES_BY_DEFAULT
  const figures: Record<string, number> = {}
  const beside: Record<string, number> = {}
  const ratios: Record<string, number> = {}
  for (let files = Math.min(FILES_LEAST, most); files <= most; files *= STEP) {
    const folder = makeFolder("recovery")
    try {
      const found = await Effect.runPromise(measure(files, folder))
      const size = files.toExponential(0).replace("+", "")
      figures[`firstReplyMillis${size}`] = found.firstReplyMillis
      figures[`laterReplyMicros${size}`] = found.laterReplyMicros
      figures[`snapshotSeconds${size}`] = found.snapshotMillis / 1000
      figures[`filesLoadedPerSecond${size}`] = files / (found.loadMillis / 1000)
      beside[`storeReadSeconds${size}`] = found.readMillis / 1000
      ratios[`loadOverStoreRead${size}`] = found.loadMillis / found.readMillis
      say(
        `  ${files} files: first reply ${rounded(found.firstReplyMillis)} ms, all pages ${
          rounded(found.loadMillis)
        } ms, ` +
          `snapshot ${rounded(found.snapshotMillis)} ms of ${rounded(found.bytes / 2 ** 20)} MiB`
      )
    } finally {
      removeFolder(folder)
    }
  }
  return { bench: "recovery", figures, beside, ratios }
}

const measure = (files: number, folder: string) =>
  Effect.gen(function*() {
    const store = yield* DiskBlockStore.make({ folder })
    const journal = MemoryJournal.make().service
    return yield* measureIn(files, store).pipe(
      Effect.provideService(BlockStore, store),
      Effect.provideService(Journal, journal)
    )
  })

const measureIn = (files: number, store: BlockStoreService) =>
  Effect.gen(function*() {
    const journal = yield* Journal
    const state = ZoneFiller.founded()
    ZoneFiller.createAll(state, root, files, nameOf)
    const filled = new ZonePages(state, new PageTable(), store, MEMORY_BYTES)
    const { epoch } = yield* journal.claim(0, "bench")
    const snapshots = yield* ZoneSnapshots.make(filled, epoch)
    const snapshotMillis = yield* millisOf(snapshots.begin({ sequence: state.sequence, hash: Chain.GENESIS }).write)
    let bytes = 0
    const readMillis = yield* millisOf(
      Stream.runForEach(store.list("pages/0/"), ({ key }) =>
        Effect.map(store.get(key), ({ length }) => void (bytes += length)))
    )
    const jump = scattered(files)
    const answer = (pages: ZonePages, index: number) =>
      pages.retry(() => {
        const inode = pages.state.entries.get(root, nameOf(jump(index)))
        if (pages.state.expect(inode).attributes().nlink !== 1) {
          throw new Error(`inode ${inode} has no link`)
        }
      })
    let pages = filled
    const turns = yield* Effect.makeSemaphore(1)
    const firstReplyMillis = yield* millisOf(Effect.gen(function*() {
      const claim = yield* journal.claim(0, "bench")
      ;({ pages } = yield* recover(0, claim, MEMORY_BYTES, turns))
      yield* answer(pages, 1)
    }))
    const laterMillis = yield* millisOf(
      Effect.forEach(
        Array.from({ length: LATER_ANSWERS }, (_, index) =>
          index),
        (index) => answer(pages, 7919 * index),
        {
          discard: true
        }
      )
    )
    const whole = yield* recover(0, yield* journal.claim(0, "bench"), MEMORY_BYTES, turns)
    const loadMillis = yield* millisOf(whole.pages.loadAll)
    return {
      bytes,
      snapshotMillis,
      readMillis,
      firstReplyMillis,
      laterReplyMicros: (laterMillis * 1000) / LATER_ANSWERS,
      loadMillis
    }
  })

/** Milliseconds that it takes. */
const millisOf = <E, R>(work: Effect.Effect<unknown, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const start = process.hrtime.bigint()
    return Effect.map(work, () => Number(process.hrtime.bigint() - start) / 1e6)
  })
