import { contract, Damage, expectSame } from "#persistence/blocks/BlockStore.contract.ts"
import * as BlockStore from "#persistence/blocks/BlockStore.ts"
import * as DiskBlockStore from "#persistence/blocks/DiskBlockStore.ts"
import type { FileFailure, Files } from "#persistence/blocks/Files.ts"
import { within } from "#simulations/world/Disk.testing.ts"
import { Disk, type DiskSettings } from "#simulations/world/Disk.ts"
import * as DiskFiles from "#simulations/world/DiskFiles.ts"
import { Process } from "#simulations/world/Process.ts"
import { MILLI, World } from "#simulations/world/World.ts"
import { describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expect } from "vitest"

const FOLDER = "/data/blocks"
const fileOf = (key: string): string => `${FOLDER}/objects/${key}+sealed`

const world = new World(1)
const disk = new Disk(world)
const process = new Process(world, "store")

contract(
  "the block store on a simulated disk",
  Layer.effectContext(Effect.map(
    within(process)(DiskBlockStore.make({ folder: FOLDER, files: DiskFiles.make(disk, process) })),
    (store) =>
      Context.make(BlockStore.BlockStore, store).pipe(Context.add(Damage, {
        corrupt: (key, offset) => Effect.sync(() => disk.rot(fileOf(key), offset)),
        truncate: (key, bytes) => Effect.sync(() => disk.truncate(fileOf(key), bytes))
      }))
  )),
  within(process)
)

/** A disk of its own with the folder /a, durable, and a way to use it that returns at once. */
const setUp = (seed: number, settings: DiskSettings = {}) => {
  const world = new World(seed)
  const disk = new Disk(world, settings)
  const host = () => {
    const process = new Process(world, "host")
    const files = DiskFiles.make(disk, process)
    const use = <A>(effect: Effect.Effect<A, FileFailure>): A => Effect.runSync(within(process)(effect))
    const fails = (effect: Effect.Effect<unknown, FileFailure>): string => {
      const failed = Effect.flip(effect)
      return use(failed as Effect.Effect<FileFailure>).code
    }
    return { process, files, use, fails }
  }
  const first = host()
  first.use(Effect.zipRight(first.files.makeFolder("/a"), first.files.syncFolder("/")))
  return { world, disk, host, ...first }
}

const write = (files: Files, path: string, bytes: Uint8Array, options: { readonly sync: boolean }) =>
  Effect.flatMap(files.create(path), (file) =>
    Effect.gen(function*() {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(yield* file.write([rest]))
      if (options.sync) yield* file.datasync
      yield* file.close
    }))

const read = (files: Files, path: string) =>
  Effect.flatMap(files.open(path), (file) =>
    Effect.gen(function*() {
      const buffer = new Uint8Array(yield* file.size)
      for (let at = 0; at < buffer.length;) at += yield* file.read(buffer.subarray(at), at)
      yield* file.close
      return buffer
    }))

const bytes = new Uint8Array(40_000).fill(7)
const seeds = Array.from({ length: 40 }, (_, index) => index + 1)

describe("a simulated disk", () => {
  it("keeps the page cache when a process dies", () => {
    const { files, host, process, use } = setUp(1)
    use(write(files, "/a/x", bytes, { sync: false }))
    process.kill()
    const next = host()
    expectSame(next.use(read(next.files, "/a/x")), bytes)
  })

  it("at a power cut keeps what was synced, name and bytes", () => {
    for (const seed of seeds) {
      const { disk, files, use } = setUp(seed)
      use(Effect.zipRight(write(files, "/a/x", bytes, { sync: true }), files.syncFolder("/a")))
      disk.powerCut()
      expectSame(use(read(files, "/a/x")), bytes)
    }
  })

  it("at a power cut may lose, tear or keep bytes that were not synced, though their name was", () => {
    const kinds = new Set<string>()
    for (const seed of seeds) {
      const { disk, files, use } = setUp(seed)
      use(Effect.zipRight(write(files, "/a/x", bytes, { sync: false }), files.syncFolder("/a")))
      disk.powerCut()
      const found = use(read(files, "/a/x"))
      const good = found.filter((byte) => byte === 7).length
      if (found.length < bytes.length) kinds.add("short")
      else if (good === bytes.length) kinds.add("whole")
      else if (good % 4096 === bytes.length % 4096 || good % 4096 === 0) kinds.add("pages lost")
      else kinds.add("torn")
    }
    expect([...kinds].sort()).toEqual(["pages lost", "short", "torn", "whole"].filter((kind) => kinds.has(kind)))
    expect(kinds.size).toBeGreaterThanOrEqual(3)
  })

  it("at a power cut may lose or keep a name that was not synced", () => {
    const kinds = new Set<string>()
    for (const seed of seeds) {
      const { disk, files, use } = setUp(seed)
      use(write(files, "/a/x", bytes, { sync: true }))
      disk.powerCut()
      kinds.add(use(files.entries("/a")).map(({ name }) => name).join())
    }
    expect([...kinds].sort()).toEqual(["", "x"])
  })

  it("at a power cut has the old or the new of a rename, never neither and never both", () => {
    const kinds = new Set<string>()
    for (const seed of seeds) {
      const { disk, files, use } = setUp(seed)
      const old = write(files, "/a/x", bytes.subarray(1), { sync: true })
      const next = write(files, "/a/y", bytes, { sync: true })
      use(Effect.all([old, next, files.syncFolder("/a"), files.rename("/a/y", "/a/x")]))
      disk.powerCut()
      const names = use(files.entries("/a")).map(({ name }) => name).sort().join()
      kinds.add(`${names} ${use(files.size("/a/x"))}`)
    }
    expect([...kinds].sort()).toEqual(["x 40000", "x,y 39999"])
  })

  it("at a power cut may bring back a name that was removed", () => {
    const kinds = new Set<number>()
    for (const seed of seeds) {
      const { disk, files, use } = setUp(seed)
      use(Effect.zipRight(write(files, "/a/x", bytes, { sync: true }), files.syncFolder("/a")))
      use(files.unlink("/a/x"))
      disk.powerCut()
      kinds.add(use(files.entries("/a")).length)
    }
    expect([...kinds].sort()).toEqual([0, 1])
  })

  it("voids every handle at a power cut", () => {
    const { disk, fails, files, use } = setUp(1)
    use(Effect.zipRight(write(files, "/a/x", bytes, { sync: true }), files.syncFolder("/a")))
    const file = use(files.open("/a/x"))
    disk.powerCut()
    expect(fails(file.read(new Uint8Array(1), 0))).toBe("EBADF")
  })

  it("fails as Linux does where a path leads nowhere", () => {
    const { fails, files, use } = setUp(1)
    use(write(files, "/a/x", bytes, { sync: true }))
    expect(fails(files.open("/a/y"))).toBe("ENOENT")
    expect(fails(files.open("/a"))).toBe("EISDIR")
    expect(fails(files.size("/a/x/y"))).toBe("ENOTDIR")
    expect(fails(files.create("/a/x"))).toBe("EEXIST")
    expect(fails(files.makeFolder("/a"))).toBe("EEXIST")
    expect(fails(files.makeFolder("/b/c"))).toBe("ENOENT")
    expect(fails(files.rename("/a/y", "/a/z"))).toBe("ENOENT")
    expect(fails(files.unlink("/a"))).toBe("EISDIR")
    expect(fails(files.create(`/a/${"n".repeat(256)}`))).toBe("ENAMETOOLONG")
    expect(use(files.sizes(["/a/x", "/a/y"]))).toEqual([40_000, undefined])
  })

  it("takes a part of a write when its room ends, then nothing, and all once there is room again", () => {
    const { disk, fails, files, use } = setUp(1, { capacityBytes: 10_000 })
    const file = use(files.create("/a/x"))
    let written = 0
    while (written < 10_000) written += use(file.write([bytes]))
    expect(written).toBe(10_000)
    expect(fails(file.write([bytes]))).toBe("ENOSPC")
    expect(fails(files.create("/a/y"))).toBe("ENOSPC")
    disk.capacityBytes = 20_000
    expect(use(file.write([bytes]))).toBeGreaterThan(0)
    use(files.unlink("/a/x"))
    use(write(files, "/a/y", bytes.subarray(0, 20_000), { sync: true }))
  })

  it("suffers each fault that is asked for once, and tells the world", () => {
    const { disk, fails, files, use, world } = setUp(1)
    disk.faults.arm("disk full", "/a/x")
    expect(fails(files.create("/a/x"))).toBe("ENOSPC")
    disk.faults.arm("disk full midway")
    const file = use(files.create("/a/x"))
    expect(use(file.write([bytes]))).toBeLessThan(bytes.length)
    expect(fails(file.write([bytes]))).toBe("ENOSPC")
    disk.faults.arm("disk sync fails")
    expect(fails(file.datasync)).toBe("EIO")
    // Linux forgets what it could not write: the next sync has nothing to fail with.
    use(file.datasync)
    expect(use(files.size("/a/x"))).toBe(0)
    use(write(files, "/a/y", bytes, { sync: true }))
    disk.faults.arm("disk read fails")
    expect(fails(read(files, "/a/y"))).toBe("EIO")
    disk.faults.arm("disk bit rots", "/a/y")
    expect(Buffer.compare(use(read(files, "/a/y")), bytes)).not.toBe(0)
    const before = world.now
    disk.faults.arm("disk slow")
    use(files.size("/a/y"))
    expect(world.now - before).toBeGreaterThan(20 * MILLI)
    expect(Object.fromEntries(world.faults)).toEqual({
      "disk full": 1,
      "disk full midway": 1,
      "disk sync fails": 1,
      "disk read fails": 1,
      "disk bit rots": 1,
      "disk slow": 1
    })
  })

  it("lets nothing change once its journal is broken, until it is mounted again", () => {
    const { disk, fails, files, use } = setUp(1)
    use(Effect.zipRight(write(files, "/a/x", bytes, { sync: true }), files.syncFolder("/a")))
    disk.faults.arm("disk journal fails")
    expect(fails(files.syncFolder("/a"))).toBe("EIO")
    expect(fails(files.create("/a/y"))).toBe("EROFS")
    expect(fails(files.unlink("/a/x"))).toBe("EROFS")
    expect(fails(files.syncFolder("/a"))).toBe("EROFS")
    expectSame(use(read(files, "/a/x")), bytes)
    disk.powerCut()
    use(files.unlink("/a/x"))
  })

  it("knows which processes run, and may give the number of a dead one again", () => {
    const numbers = new Set<boolean>()
    for (const seed of seeds) {
      const { files, host, process } = setUp(seed)
      const { pid, run } = files.owner
      expect(files.owner.isRunning(pid)).toBe(true)
      process.kill()
      expect(files.owner.isRunning(pid)).toBe(false)
      const next = host().files.owner
      expect(next.run).not.toBe(run)
      numbers.add(next.pid === pid)
    }
    expect(numbers.size).toBe(2)
  })
})
