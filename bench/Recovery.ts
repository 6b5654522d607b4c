/**
 * `bench recovery`: how long a zone of growing size takes from its claim to its first answer, how long to have all of
 * its pages again, and what a snapshot of it costs, on a local disk; then the same of the largest and of a real tree,
 * with pages deflated and not. No cluster: leases and processes are not part of it.
 */
import { recover } from "#actors/Recovery.ts"
import { nameOf, scattered } from "#bench/MdtestNames.ts"
import { type Bench, rounded } from "#bench/Report.ts"
import { makeFolder, removeFolder } from "#bench/TemporaryFolder.ts"
import { plant, scan } from "#bench/Tree.ts"
import * as ZoneFiller from "#bench/ZoneFiller.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
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
const TREE_BY_DEFAULT = "/usr"
const MEMORY_BYTES = 8 * 2 ** 30

const root = InodeNumber.rootOf(0)

export const recovery: Bench = async (options, say) => {
  const most = options.files ?? FILES_BY_DEFAULT
  const figures: Record<string, number> = {}
  const beside: Record<string, number> = {}
  const ratios: Record<string, number> = {}
  const run = async (label: string, shape: Shape, deflatesPages: boolean): Promise<void> => {
    const found = await measure(shape, deflatesPages)
    figures[`firstReplyMillis${label}`] = found.firstReplyMillis
    figures[`laterReplyMicros${label}`] = found.laterReplyMicros
    figures[`snapshotSeconds${label}`] = found.snapshotMillis / 1000
    figures[`snapshotBytesPerFile${label}`] = found.bytes / found.files
    figures[`filesLoadedPerSecond${label}`] = found.files / (found.loadMillis / 1000)
    beside[`storeReadSeconds${label}`] = found.readMillis / 1000
    ratios[`loadOverStoreRead${label}`] = found.loadMillis / found.readMillis
    say(
      `  ${found.files} files (${label}): first reply ${rounded(found.firstReplyMillis)} ms, all pages ` +
        `${rounded(found.loadMillis)} ms, snapshot ${rounded(found.snapshotMillis)} ms of ` +
        `${rounded(found.bytes / 2 ** 20)} MiB`
    )
  }
  let size = ""
  for (let files = Math.min(FILES_LEAST, most); files <= most; files *= STEP) {
    size = files.toExponential(0).replace("+", "")
    await run(size, mdtest(files), false)
  }
  await run(`${size}Deflated`, mdtest(most), true)
  const tree = treeOf(options.tree ?? TREE_BY_DEFAULT, most)
  await run("Tree", tree, false)
  await run("TreeDeflated", tree, true)
  return { bench: "recovery", figures, beside, ratios }
}

/** What a zone is filled with, and names in its root that are asked for. */
interface Shape {
  readonly fill: (state: ZoneState) => void
  readonly nameAt: (index: number, files: number) => string
}

const mdtest = (files: number): Shape => {
  const jump = scattered(files)
  return {
    fill: (state) => ZoneFiller.createAll(state, root, files, nameOf),
    nameAt: (index) => nameOf(jump(index))
  }
}

const treeOf = (folder: string, files: number): Shape => {
  const nodes = scan(folder)
  return {
    fill: (state) => {
      for (let copy = 0; state.inodeCount < files; copy++) plant(state, root, `copy-${copy}`, nodes)
    },
    nameAt: (index, files) => `copy-${index % Math.max(1, Math.floor(files / nodes.length))}`
  }
}

const measure = async (shape: Shape, deflatesPages: boolean) => {
  const folder = makeFolder("recovery")
  try {
    const journal = MemoryJournal.make().service
    return await Effect.runPromise(
      Effect.flatMap(
        DiskBlockStore.make({ folder }),
        (store) => Effect.provideService(measureIn(shape, deflatesPages, store), BlockStore, store)
      ).pipe(
        Effect.provideService(Journal, journal)
      )
    )
  } finally {
    removeFolder(folder)
  }
}

const measureIn = (shape: Shape, deflatesPages: boolean, store: BlockStoreService) =>
  Effect.gen(function*() {
    const journal = yield* Journal
    const state = ZoneFiller.founded()
    shape.fill(state)
    const files = state.inodeCount
    const filled = new ZonePages(state, new PageTable(), store, MEMORY_BYTES)
    const { epoch } = yield* journal.claim(0, "bench")
    const snapshots = yield* ZoneSnapshots.make(filled, epoch, deflatesPages)
    const snapshotMillis = yield* millisOf(snapshots.begin({ sequence: state.sequence, hash: Chain.GENESIS }).write)
    let bytes = 0
    const readMillis = yield* millisOf(
      Stream.runForEach(store.list("pages/0/"), ({ key }) =>
        Effect.map(store.get(key), ({ length }) => void (bytes += length)))
    )
    const answer = (pages: ZonePages, index: number) =>
      pages.retry(() => {
        const inode = pages.state.entries.get(root, shape.nameAt(index, files))
        if (pages.state.expect(inode).attributes().nlink < 1) {
          throw new Error(`inode ${inode} has no link`)
        }
      })
    let pages = filled
    const config = { memoryBytes: MEMORY_BYTES, deflatesPages, snapshots: yield* Effect.makeSemaphore(1) }
    const firstReplyMillis = yield* millisOf(Effect.gen(function*() {
      const claim = yield* journal.claim(0, "bench")
      ;({ pages } = yield* recover(0, claim, config))
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
    const whole = yield* recover(0, yield* journal.claim(0, "bench"), config)
    const loadMillis = yield* millisOf(whole.pages.loadAll)
    return {
      files,
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
