import { FileFailure, type Files, nodeFiles } from "#persistence/blocks/Files.ts"
import * as FolderSync from "#persistence/blocks/FolderSync.ts"
import * as Effect from "effect/Effect"
import { mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"

/** Files whose fsyncs of folders end when the test says so. */
const heldSyncs = () => {
  const begun: Array<{ readonly folder: string; readonly end: () => void; readonly fail: (code: string) => void }> = []
  const files: Files = {
    ...nodeFiles,
    syncFolder: (folder) =>
      Effect.async((resume) => {
        const fail = (code: string) => resume(Effect.fail(new FileFailure({ code, message: code })))
        begun.push({ folder, end: () => resume(Effect.void), fail })
      })
  }
  return { begun, files }
}

describe("fsync of folders", () => {
  let root = ""
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "cadastre-folders-"))
  })
  afterEach(() => rm(root, { recursive: true }))

  it("is shared by all who ask while one runs, and starts after they asked", async () => {
    const { begun, files } = heldSyncs()
    const folders = FolderSync.make(root, files)
    const first = Effect.runPromise(folders.sync("/a"))
    const later = Promise.all([1, 2, 3].map(() => Effect.runPromise(folders.sync("/a"))))
    expect(begun).toHaveLength(1)
    begun[0]?.end()
    await first
    expect(begun).toHaveLength(2)
    begun[1]?.end()
    await later
    expect(begun).toHaveLength(2)
  })

  it("does not wait for that of another folder", async () => {
    const { begun, files } = heldSyncs()
    const folders = FolderSync.make(root, files)
    Effect.runFork(folders.sync("/a"))
    const other = Effect.runPromise(folders.sync("/b"))
    expect(begun.map(({ folder }) => folder)).toEqual(["/a", "/b"])
    begun[1]?.end()
    await other
  })

  it("fails for those whose changes it should have covered, and for no one else", async () => {
    const { begun, files } = heldSyncs()
    const folders = FolderSync.make(root, files)
    const first = Effect.runPromise(folders.sync("/a"))
    const second = Effect.runPromise(folders.sync("/a"))
    begun[0]?.fail("EIO")
    await expect(first).rejects.toThrow("EIO")
    begun[1]?.end()
    await second
  })

  it("covers the name of each folder that is made, once", async () => {
    const synced: Array<string> = []
    const folders = FolderSync.make(root, {
      ...nodeFiles,
      syncFolder: (folder) => Effect.sync(() => void synced.push(folder))
    })
    const both = Effect.forEach(["a/b", "a/c"], (folder) => folders.ensure(join(root, folder)), { concurrency: 2 })
    await Effect.runPromise(both)
    await Effect.runPromise(folders.ensure(join(root, "a/b")))
    expect((await stat(join(root, "a/c"))).isDirectory()).toBe(true)
    expect(synced.filter((folder) => folder === root)).toHaveLength(1)
    expect(synced).toContain(join(root, "a"))
  })

  it("lets no one believe in a folder whose name is not durable yet", async () => {
    const { begun, files } = heldSyncs()
    const folders = FolderSync.make(root, files)
    const outcomes: Array<string> = []
    const first = Effect.runPromise(folders.ensure(join(root, "a"))).then(() => outcomes.push("first"))
    const second = Effect.runPromise(folders.ensure(join(root, "a"))).then(() => outcomes.push("second"))
    await expect.poll(() => begun.length).toBe(1)
    expect(outcomes).toEqual([])
    begun[0]?.end()
    await Promise.all([first, second])
    expect(begun).toHaveLength(1)
  })

  it("makes a folder again that was removed and forgotten", async () => {
    const folders = FolderSync.make(root, nodeFiles)
    await Effect.runPromise(folders.ensure(join(root, "a/b")))
    await rm(join(root, "a"), { recursive: true })
    folders.forget(join(root, "a/b"))
    await Effect.runPromise(folders.ensure(join(root, "a/b")))
    expect((await stat(join(root, "a/b"))).isDirectory()).toBe(true)
  })

  it("makes nothing above its root", async () => {
    const folders = FolderSync.make(join(root, "gone"), nodeFiles)
    await expect(Effect.runPromise(folders.ensure(join(root, "gone/a")))).rejects.toThrow("ENOENT")
  })
})
