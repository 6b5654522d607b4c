import { type FileSystemService, make, pathOf } from "#client/FileSystem.ts"
import * as FileWriter from "#client/FileWriter.ts"
import * as Past from "#client/Past.ts"
import { Errno } from "#domain/Errno.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Mode from "#domain/Mode.ts"
import { unset } from "#domain/testing/Steps.ts"
import * as Cluster from "#runners/testing/Cluster.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { describe, expect } from "vitest"

const single = Effect.gen(function*() {
  const cluster = yield* Cluster.make
  const server = yield* cluster.runner()
  return { cluster, server, fs: yield* cluster.fileSystem([server.address]) }
})

const mkdir = (fs: FileSystemService, path: string, mode = 0o755) =>
  Effect.gen(function*() {
    const { name, parent } = yield* fs.resolve(pathOf(path), false)
    return (yield* fs.call("makeDirectory", { parent, name, mode, umask: 0 }, pathOf(path))).attributes.inode
  })

/** A file with this text, new or instead of another one. */
const put = (fs: FileSystemService, path: string, text: string) =>
  Effect.scoped(Effect.gen(function*() {
    const { name, parent } = yield* fs.resolve(pathOf(path), false)
    const request = { parent, name, mode: 0o644, umask: 0, exclusive: false, truncate: true, access: 0 }
    const { inode } = (yield* fs.call("create", request, pathOf(path))).attributes
    const writer = yield* FileWriter.make(fs.client, fs.numbers, InodeNumber.zoneOf(inode))
    yield* writer.write(Buffer.from(text))
    yield* fs.call("write", { inode, handle: 0, offset: 0, append: false, pieces: yield* writer.finish }, "")
  }))

const textAt = (fs: FileSystemService, path: string) =>
  Effect.gen(function*() {
    const { inode, size } = yield* fs.stat(pathOf(path), true)
    const parts = yield* Stream.runCollect(fs.read(inode, pathOf(path), 0, size))
    return Buffer.concat([...parts]).toString()
  })

const namesIn = (fs: FileSystemService, path: string) =>
  Effect.gen(function*() {
    const { inode } = yield* fs.stat(pathOf(path), true)
    return [...yield* Stream.runCollect(fs.list(inode, pathOf(path)))].map(({ name }) => name)
  })

const take = (fs: FileSystemService, path: string, name: string) =>
  Effect.gen(function*() {
    const { inode } = yield* fs.stat(pathOf(path), true)
    return (yield* fs.call("takeSnapshot", { directory: inode, name, path: pathOf(path) }, pathOf(path))).snapshot
  })

const errnoOf = (error: { readonly _tag: string; readonly errno?: number }): number | string =>
  error.errno ?? error._tag

describe("the past of a tree", () => {
  it.scopedLive("is browsed under .snapshots, whatever became of the tree", () =>
    Effect.gen(function*() {
      const { fs } = yield* single
      yield* mkdir(fs, "/d")
      yield* mkdir(fs, "/d/e")
      yield* put(fs, "/d/e/x", "old")
      yield* take(fs, "/d", "monday")
      yield* put(fs, "/d/e/x", "new text")
      yield* put(fs, "/d/y", "y")
      yield* take(fs, "/d", "friday")
      expect(yield* namesIn(fs, "/d")).toEqual(["e", "y"])
      expect(yield* namesIn(fs, "/d/.snapshots")).toEqual(["friday", "monday"])
      expect(yield* namesIn(fs, "/d/e/.snapshots")).toEqual([])
      expect(yield* namesIn(fs, "/d/.snapshots/monday")).toEqual(["e"])
      expect(yield* namesIn(fs, "/d/.snapshots/friday/")).toEqual(["e", "y"])
      expect(yield* textAt(fs, "/d/.snapshots/monday/e/x")).toBe("old")
      expect(yield* textAt(fs, "/d/.snapshots/monday/e/../../friday/e/x")).toBe("new text")
      const { inode, mode } = yield* fs.stat(pathOf("/d/.snapshots/monday/e"), true)
      expect([Past.isPast(inode), Mode.isDirectory(mode)]).toEqual([true, true])
      for (const path of ["/d/.snapshots/sunday", "/d/.snapshots/monday/y", "/d/.snapshots/monday/.snapshots"]) {
        expect([path, errnoOf(yield* Effect.flip(fs.stat(pathOf(path), true)))]).toEqual([path, Errno.ENOENT])
      }
    }), 60_000)

  it.scopedLive("is read-only, and gives no names to the present", () =>
    Effect.gen(function*() {
      const { cluster, fs, server } = yield* single
      yield* mkdir(fs, "/d")
      yield* put(fs, "/d/x", "x")
      yield* take(fs, "/d", "s")
      const { inode } = yield* fs.stat(pathOf("/d/.snapshots/s/x"), true)
      const { inode: parent } = yield* fs.stat(pathOf("/d/.snapshots/s"), true)
      const { inode: list } = yield* fs.stat(pathOf("/d/.snapshots"), true)
      const { inode: root } = yield* fs.stat("/", true)
      const refusals = [
        fs.call("unlink", { parent, name: "x" }, ""),
        fs.call("removeDirectory", { parent: list, name: "s" }, ""),
        fs.call("makeDirectory", { parent, name: "new", mode: 0o755, umask: 0 }, ""),
        fs.call("rename", { fromParent: parent, fromName: "x", toParent: root, toName: "x", mode: "replace" }, ""),
        fs.call("link", { inode, parent: root, name: "x" }, ""),
        fs.call("makeDirectory", { parent: root, name: ".snapshots", mode: 0o755, umask: 0 }, "")
      ].map((refused) => Effect.map(Effect.flip(refused), errnoOf))
      expect(yield* Effect.all(refusals)).toEqual([
        Errno.EROFS,
        Errno.EROFS,
        Errno.EROFS,
        Errno.EROFS,
        Errno.EXDEV,
        Errno.EINVAL
      ])
      expect(yield* namesIn(fs, "/")).toEqual(["d"])
      const bob = yield* cluster.fileSystem([server.address], { who: Cluster.user(1001) })
      for (const path of ["/d/.snapshots", "/d/.snapshots/s", "/d/.snapshots/s/x"]) {
        const errnos = yield* Effect.forEach([4, 2, 6], (wanted) =>
          Effect.gen(function*() {
            const past = (yield* bob.stat(pathOf(path), true)).inode
            return yield* bob.call("testAccess", { inode: past, wanted }, path).pipe(
              Effect.match({ onFailure: errnoOf, onSuccess: () => 0 })
            )
          }))
        expect([path, errnos]).toEqual([path, [0, Errno.EROFS, Errno.EROFS]])
      }
    }), 60_000)

  it.scopedLive("tells people the numbers that its inodes have in their zone", () =>
    Effect.gen(function*() {
      const { fs } = yield* single
      const d = yield* mkdir(fs, "/.zones/2/d")
      yield* put(fs, "/.zones/2/d/x", "x")
      const live = yield* fs.stat(pathOf("/.zones/2/d/x"), true)
      yield* take(fs, "/.zones/2/d", "s")
      const past = yield* fs.stat(pathOf("/.zones/2/d/.snapshots/s/x"), true)
      expect(past.inode).toBeLessThan(0)
      expect(fs.client.past.ownOf(past)).toEqual(live)
      expect(fs.client.past.ownOf(live)).toBe(live)
      const list = yield* fs.stat(pathOf("/.zones/2/d/.snapshots"), true)
      expect(fs.client.past.ownOf(list).inode).toBe(d)
    }), 60_000)

  it.scopedLive("is as closed to a user as it was then", () =>
    Effect.gen(function*() {
      const { cluster, fs, server } = yield* single
      const inode = yield* mkdir(fs, "/d", 0o711)
      yield* mkdir(fs, "/d/private", 0o700)
      yield* take(fs, "/d", "s")
      const bob = yield* cluster.fileSystem([server.address], { who: Cluster.user(1001) })
      expect(errnoOf(yield* Effect.flip(namesIn(bob, "/d/.snapshots/s")))).toBe(Errno.EACCES)
      expect(errnoOf(yield* Effect.flip(bob.stat(pathOf("/d/.snapshots/s/private/x"), true)))).toBe(Errno.EACCES)
      expect(errnoOf(yield* Effect.flip(take(bob, "/d", "t")))).toBe(Errno.EPERM)
      yield* fs.call("setAttributes", { ...unset, inode, mode: 0o700 }, "")
      expect(errnoOf(yield* Effect.flip(namesIn(bob, "/d/.snapshots")))).toBe(Errno.EACCES)
    }), 60_000)

  it.scopedLive("is a whole file system at a moment, links and zones in it", () =>
    Effect.gen(function*() {
      const { fs } = yield* single
      yield* mkdir(fs, "/d")
      yield* put(fs, "/d/x", "old")
      const { inode: root } = yield* fs.stat("/", true)
      yield* fs.call("makeSymlink", { parent: root, name: "l", target: "/d/x" }, "")
      const { sequence } = yield* take(fs, "/", "s")
      yield* put(fs, "/d/x", "new")
      const then = make(fs.client, (zone) =>
        Effect.succeed(fs.client.past.numberOf({ zone, sequence }, InodeNumber.rootOf(zone)) as number))
      expect(yield* textAt(then, "/l")).toBe("old")
      // A snapshot is no root: an absolute link leads out of it.
      expect(yield* textAt(fs, "/.snapshots/s/l")).toBe("new")
    }), 60_000)
})
