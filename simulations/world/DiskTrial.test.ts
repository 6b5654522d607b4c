import { seedsOf } from "#domain/testing/Seeds.ts"
import * as DiskBlockStore from "#persistence/blocks/DiskBlockStore.ts"
import type { Files, NewFile } from "#persistence/blocks/Files.ts"
import { within } from "#simulations/world/Disk.testing.ts"
import { Disk } from "#simulations/world/Disk.ts"
import type { DiskChances } from "#simulations/world/DiskFaults.ts"
import * as DiskFiles from "#simulations/world/DiskFiles.ts"
import { trial, type TrialOptions } from "#simulations/world/DiskTrial.ts"
import { Process } from "#simulations/world/Process.ts"
import { World } from "#simulations/world/World.ts"
import * as Effect from "effect/Effect"
import * as environment from "node:process"
import { describe, expect, it } from "vitest"

const { list: seeds } = seedsOf(environment.env)
/** A mistake must be found within so many seeds. */
const seedsToFind = Array.from({ length: 50 }, (_, index) => index + 1)

const failing: DiskChances = {
  "disk full": 40,
  "disk full midway": 40,
  "disk sync fails": 40,
  "disk journal fails": 150,
  "disk read fails": 60,
  "disk slow": 100
}

const brokenOf = (seeds: ReadonlyArray<number>, options: TrialOptions): ReadonlyArray<string> =>
  seeds.flatMap((seed) => {
    const { broken } = trial(seed, options)
    return broken === undefined ? [] : [`seed ${seed}: ${broken}`]
  })

const withoutDatasync = (files: Files): Files => ({
  ...files,
  create: (path) => Effect.map(files.create(path), (file) => ({ ...file, datasync: Effect.void }))
})

const withoutFolderSync = (files: Files): Files => ({ ...files, syncFolder: () => Effect.void })

/** Syncs the bytes of a file after its name is there. */
const renamingFirst = (files: Files): Files => {
  const unsynced = new Map<string, NewFile>()
  return {
    ...files,
    create: (path) =>
      Effect.map(files.create(path), (file) => {
        unsynced.set(path, file)
        return { ...file, datasync: Effect.void, close: Effect.void }
      }),
    rename: (from, to) =>
      Effect.gen(function*() {
        yield* files.rename(from, to)
        yield* unsynced.get(from)?.datasync ?? Effect.void
        yield* unsynced.get(from)?.close ?? Effect.void
      })
  }
}

describe("the block store on disk, killed and cut from its power at any moment", () => {
  it("keeps what it acknowledged and shows nothing half done", () => {
    expect(brokenOf(seeds, {})).toEqual([])
  }, 600_000)

  it("does so on a disk that is full, slow or failing at times", () => {
    expect(brokenOf(seeds, { chances: failing })).toEqual([])
  }, 600_000)

  it("would be found out if it did not sync its files", () => {
    expect(brokenOf(seedsToFind, { wrap: withoutDatasync })).not.toEqual([])
  })

  it("would be found out if it did not sync its folders", () => {
    expect(brokenOf(seedsToFind, { wrap: withoutFolderSync })).not.toEqual([])
  })

  it("would be found out if it renamed files before it synced them", () => {
    expect(brokenOf(seedsToFind, { wrap: renamingFirst })).not.toEqual([])
  })

  it("does the same under the same seed", () => {
    for (const seed of [1, 2, 3]) {
      const digests = [1, 2].map(() => trial(seed, { chances: failing }).world.digest)
      expect(digests[0]).toBe(digests[1])
      expect(trial(seed + 1, { chances: failing }).world.digest).not.toBe(digests[0])
    }
  })
})

describe("found by the trial: the block store on disk", () => {
  type Store = Effect.Effect.Success<ReturnType<typeof DiskBlockStore.make>>

  /** Processes of one host, one after the other. A process may die instead of its nth fsync of a folder. */
  const hostOf = (seed: number) => {
    const world = new World(seed)
    const disk = new Disk(world)
    const live = <A, E>(use: (store: Store) => Effect.Effect<A, E>, diesAtSync = Infinity) => {
      const process = new Process(world, "host")
      const files = DiskFiles.make(disk, process)
      let syncs = 0
      const syncFolder = (folder: string) =>
        Effect.suspend(() => {
          if (++syncs < diesAtSync) return files.syncFolder(folder)
          process.kill()
          return Effect.never
        })
      const store = DiskBlockStore.make({ folder: "/data/blocks", files: { ...files, syncFolder } })
      return Effect.runSync(Effect.exit(within(process)(Effect.flatMap(store, use))))
    }
    return { disk, live }
  }

  // Seed 1054 of 2026-11-24: what was gone already was taken for durably gone.
  it("removes durably what another process removed that died before its fsync", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { disk, live } = hostOf(seed)
      live((store) => store.put("a", new Uint8Array(10)))
      // Two fsyncs at its start, for its two folders.
      live((store) => store.remove("a"), 3)
      expect(live((store) => store.remove("a"))).toMatchObject({ _tag: "Success" })
      disk.powerCut()
      expect(live((store) => store.head("a"))).toMatchObject({ _tag: "Success", value: undefined })
    }
  })

  // Seeds 275 and 1224 of 2026-11-24: a folder that was there already was taken for durable.
  it("puts durably in folders that another process made that died before its fsync", () => {
    for (let seed = 1; seed <= 20; seed++) {
      for (let nth = 1; nth <= 5; nth++) {
        const { disk, live } = hostOf(seed)
        live(() => Effect.void, nth)
        expect(live((store) => store.put("a", new Uint8Array(10)))).toMatchObject({ _tag: "Success" })
        disk.powerCut()
        expect(live((store) => store.get("a"))).toMatchObject({ _tag: "Success" })
      }
    }
  })
})
