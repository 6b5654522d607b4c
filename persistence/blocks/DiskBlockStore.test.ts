import { bytesOf, contract, Damage, expectSame, keysOf } from "#persistence/blocks/BlockStore.contract.ts"
import * as BlockStore from "#persistence/blocks/BlockStore.ts"
import * as DiskBlockStore from "#persistence/blocks/DiskBlockStore.ts"
import * as SealedObject from "#persistence/blocks/SealedObject.ts"
import { describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { execFileSync, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect } from "vitest"

const isRoot = process.getuid?.() === 0

contract(
  "the block store on disk",
  Layer.scopedContext(Effect.gen(function*() {
    const folder = yield* temporaryFolder
    const store = yield* DiskBlockStore.make({ folder })
    return Context.make(BlockStore.BlockStore, store).pipe(Context.add(Damage, {
      corrupt: (key, offset) => Effect.promise(() => flipBit(fileOf(folder, key), offset)),
      truncate: (key, bytes) => Effect.promise(() => truncate(fileOf(folder, key), bytes))
    }))
  }))
)

describe("the block store on disk", () => {
  it.scoped("is found again as it was left", () =>
    Effect.gen(function*() {
      const folder = join(yield* temporaryFolder, "not/yet/there")
      yield* Effect.flatMap(DiskBlockStore.make({ folder }), (store) => store.put("a/b", bytesOf(50_000)))
      const again = yield* DiskBlockStore.make({ folder })
      expect(yield* again.get("a/b")).toEqual(bytesOf(50_000))
      expect(again.description).toBe(folder)
      expect(yield* filesIn(join(folder, "tmp"))).toEqual([])
    }))

  it.scoped("keeps the data at the start of the file, as it is", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const store = yield* DiskBlockStore.make({ folder })
      yield* store.put("a", bytesOf(40_000))
      const stored = yield* Effect.promise(() => readFile(fileOf(folder, "a")))
      expect(stored).toHaveLength(SealedObject.sealedBytes(40_000))
      expectSame(stored.subarray(0, 40_000), bytesOf(40_000))
    }))

  it.scoped("at its start removes the temporary files of processes that are no more, and no others", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const aside = join(folder, "tmp")
      const dead = spawnSync(process.execPath, ["-e", ""]).pid
      const names = [
        `${dead}-run-1`,
        `${process.pid}-an-earlier-run-with-this-number-7`,
        `${process.ppid}-run-1`,
        "notes"
      ]
      yield* Effect.promise(() => mkdir(aside))
      yield* Effect.forEach(names, (name) => Effect.promise(() => writeFile(join(aside, name), "half an obj")))
      yield* DiskBlockStore.make({ folder })
      expect(yield* filesIn(aside)).toEqual([`${process.ppid}-run-1`, "notes"].sort())
    }))

  it.scopedLive(
    "killed in the midst of its puts, keeps what it acknowledged and shows nothing half done",
    () =>
      Effect.gen(function*() {
        const folder = yield* temporaryFolder
        const acknowledged = yield* Effect.promise(() => putUntilKilled(folder, 25))
        const store = yield* DiskBlockStore.make({ folder })
        const keys = yield* keysOf(store, "")
        expect(keys).toEqual(expect.arrayContaining([...acknowledged]))
        for (const key of keys) expect(yield* store.get(key)).toHaveLength(300_000)
        expect(yield* filesIn(join(folder, "tmp"))).toEqual([])
      }),
    30_000
  )

  it.scoped("does not list what is no object of its own", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const store = yield* DiskBlockStore.make({ folder })
      yield* store.put("a/b", bytesOf(1))
      yield* Effect.promise(() => writeFile(join(folder, "objects/a/README"), "not an object"))
      yield* Effect.promise(() => writeFile(join(folder, "objects/a/what is this+sealed"), "not an object"))
      yield* Effect.promise(() => mkdir(join(folder, "objects/lost+found")))
      expect(yield* keysOf(store, "")).toEqual(["a/b"])
    }))

  it.scoped("does not call objects missing when its whole folder is gone", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const store = yield* DiskBlockStore.make({ folder })
      yield* store.put("a/b", bytesOf(1))
      yield* Effect.promise(() => rename(join(folder, "objects"), join(folder, "elsewhere")))
      const uses: ReadonlyArray<Effect.Effect<unknown, BlockStore.ReadError | BlockStore.WriteError>> = [
        store.get("a/b"),
        store.getRange("a/b", 1, 0, 1),
        store.head("a/b"),
        store.remove("a/b"),
        store.put("a/b", bytesOf(1)),
        keysOf(store, "")
      ]
      for (const use of uses) {
        const error = yield* Effect.flip(use)
        expect(error).toMatchObject({ _tag: "StoreUnavailable", retryable: true })
        expect(error.message).toContain("check that its disk is mounted")
      }
      yield* Effect.promise(() => rename(join(folder, "elsewhere"), join(folder, "objects")))
      expect(yield* store.get("a/b")).toEqual(bytesOf(1))
      expect(yield* filesIn(join(folder, "tmp"))).toEqual([])
    }))

  it.scoped("makes a folder again that someone removed", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const store = yield* DiskBlockStore.make({ folder })
      yield* store.put("a/b/c", bytesOf(1))
      yield* Effect.promise(() => rm(join(folder, "objects/a"), { recursive: true }))
      expect((yield* Effect.flip(store.get("a/b/c")))._tag).toBe("ObjectMissing")
      expect(yield* Effect.flip(store.put("a/b/c", bytesOf(1)))).toMatchObject({ retryable: true })
      yield* store.put("a/b/c", bytesOf(1))
      expect(yield* store.get("a/b/c")).toEqual(bytesOf(1))
    }))

  it.scoped("says what the system said where its folder cannot be made", () =>
    Effect.gen(function*() {
      const file = join(yield* temporaryFolder, "file")
      yield* Effect.promise(() => writeFile(file, ""))
      const error = yield* Effect.flip(DiskBlockStore.make({ folder: join(file, "blocks") }))
      expect(error).toMatchObject({ _tag: "StoreUnavailable", operation: "start", retryable: false })
      expect(error.message).toContain("ENOTDIR")
    }))

  it.scoped.skipIf(process.seteuid === undefined)(
    "says whose the folder must be when it may not write there (skipped where a thread cannot drop its user)",
    () =>
      Effect.gen(function*() {
        const folder = yield* temporaryFolder
        const store = yield* DiskBlockStore.make({ folder })
        yield* Effect.acquireRelease(
          Effect.promise(() => chmod(join(folder, "tmp"), 0o500)),
          () => Effect.promise(() => chmod(join(folder, "tmp"), 0o700))
        )
        if (isRoot) yield* asNobody
        const error = yield* Effect.flip(store.put("a", bytesOf(1)))
        expect(error).toMatchObject({ _tag: "StoreUnavailable", operation: "put a", retryable: false })
        expect(error.message).toMatch(/EACCES.*check that the user of this process owns the folder/)
      })
  )

  it.scoped.skipIf(!isRoot)(
    "on a full disk stores nothing, leaves nothing, and goes on when there is room (root only)",
    () =>
      Effect.gen(function*() {
        const folder = yield* temporaryFolder
        yield* smallDisk(folder, "1m")
        const store = yield* DiskBlockStore.make({ folder })
        yield* store.put("a", bytesOf(600_000))
        const error = yield* Effect.flip(store.put("b/c", bytesOf(600_000)))
        expect(error).toMatchObject({ _tag: "StoreFull", key: "b/c", store: folder })
        expect(error.message).toContain("ENOSPC")
        expect(yield* filesIn(join(folder, "tmp"))).toEqual([])
        expect(yield* keysOf(store, "")).toEqual(["a"])
        // Replacing needs room beside the old version, which stays.
        expect((yield* Effect.flip(store.put("a", bytesOf(600_001))))._tag).toBe("StoreFull")
        expectSame(yield* store.get("a"), bytesOf(600_000))
        yield* store.remove("a")
        yield* store.put("b/c", bytesOf(600_000))
        expectSame(yield* store.get("b/c"), bytesOf(600_000))
      })
  )

  it.scoped.skipIf(!isRoot)(
    "on a file system mounted read-only still reads, and says why it cannot write (root only)",
    () =>
      Effect.gen(function*() {
        const folder = yield* temporaryFolder
        yield* smallDisk(folder, "1m")
        const store = yield* DiskBlockStore.make({ folder })
        yield* store.put("a", bytesOf(10))
        execFileSync("/bin/mount", ["-o", "remount,ro", folder])
        expect(yield* store.get("a")).toEqual(bytesOf(10))
        for (const error of [yield* Effect.flip(store.put("b", bytesOf(10))), yield* Effect.flip(store.remove("a"))]) {
          expect(error).toMatchObject({ _tag: "StoreUnavailable", retryable: false })
          expect(error.message).toMatch(/EROFS.*mounted read-only/)
        }
      })
  )

  it.scoped("of a large object reads the pieces of a range and the trailer, and nothing between", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const store = yield* DiskBlockStore.make({ folder })
      const bytes = 4 * 1024 * 1024
      yield* store.put("a", bytesOf(bytes))
      // Every byte but those of the piece and the trailer is replaced; whoever looked at one would see.
      const file = fileOf(folder, "a")
      const stored = yield* Effect.promise(() => readFile(file))
      stored.fill(0, 0, 32_768 * 3).fill(0, 32_768 * 4, bytes)
      yield* Effect.promise(() => writeFile(file, stored))
      const got = yield* store.getRange("a", bytes, 100_000, 10_000)
      expectSame(got, bytesOf(bytes).subarray(100_000, 110_000))
      expect(got.buffer.byteLength).toBeLessThan(100_000)
      expect(Either.isLeft(yield* Effect.either(store.getRange("a", bytes, 90_000, 10_000)))).toBe(true)
    }))
})

const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "cadastre-blocks-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

const smallDisk = (folder: string, size: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => void execFileSync("/bin/mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder])),
    () => Effect.sync(() => void execFileSync("/bin/umount", [folder]))
  )

/** The rest of the scope runs without root's right to pass every permission. */
const asNobody: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => process.seteuid?.(65_534)),
  () => Effect.sync(() => process.seteuid?.(0))
)

const fileOf = (folder: string, key: string): string => join(folder, "objects", `${key}+sealed`)

const filesIn = (folder: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => (await readdir(folder)).sort())

const flipBit = async (file: string, offset: number): Promise<void> => {
  const handle = await open(file, "r+")
  const byte = new Uint8Array(1)
  await handle.read(byte, 0, 1, offset)
  byte[0]! ^= 1
  await handle.write(byte, 0, 1, offset)
  await handle.close()
}

/** Puts in another process that tells of each put that returned, and is killed after so many. */
const putUntilKilled = async (folder: string, puts: number): Promise<ReadonlySet<string>> => {
  const here = dirname(fileURLToPath(import.meta.url))
  const program = `
    import * as Effect from "effect/Effect"
    import * as DiskBlockStore from "#persistence/blocks/DiskBlockStore.ts"
    const bytes = new Uint8Array(300_000).fill(7)
    const program = Effect.gen(function*() {
      const store = yield* DiskBlockStore.make({ folder: process.argv[1] })
      const put = (key) => Effect.zipRight(store.put(key, bytes), Effect.sync(() => process.stdout.write(key + "\\n")))
      yield* Effect.forEach(Array.from({ length: 100_000 }, (_, n) => "a/" + n % 10 + "/" + n), put, { concurrency: 16 })
    })
    await Effect.runPromise(program)
  `
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, folder], {
    cwd: here,
    stdio: ["ignore", "pipe", "inherit"]
  })
  let text = ""
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk
    if (text.split("\n").length > puts) child.kill("SIGKILL")
  })
  await once(child, "close")
  expect(child.signalCode).toBe("SIGKILL")
  return new Set(text.split("\n").slice(0, -1))
}
