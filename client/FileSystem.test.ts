import { command } from "#client/Client.ts"
import { type FileSystemService, pathOf } from "#client/FileSystem.ts"
import * as FileWriter from "#client/FileWriter.ts"
import { fromText, toText } from "#domain/ByteString.ts"
import { Errno } from "#domain/Errno.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { END } from "#domain/Locks.ts"
import * as Mode from "#domain/Mode.ts"
import * as Cluster from "#runners/testing/Cluster.ts"
import { it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { randomBytes } from "node:crypto"
import { readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect } from "vitest"

/** One runner, and a file system over it. */
const single = Effect.gen(function*() {
  const cluster = yield* Cluster.make
  const server = yield* cluster.runner()
  return { cluster, server, fs: yield* cluster.fileSystem([server.address]) }
})

const mkdir = (fs: FileSystemService, path: string) =>
  Effect.gen(function*() {
    const { name, parent } = yield* fs.resolve(pathOf(path), false)
    const made = yield* fs.call("makeDirectory", { parent, name, mode: 0o755, umask: 0 }, pathOf(path))
    return made.attributes.inode
  })

const symlink = (fs: FileSystemService, target: string, path: string) =>
  Effect.gen(function*() {
    const { name, parent } = yield* fs.resolve(pathOf(path), false)
    yield* fs.call("makeSymlink", { parent, name, target: fromText(target) }, pathOf(path))
  })

const create = (fs: FileSystemService, path: string) =>
  Effect.gen(function*() {
    const { name, parent } = yield* fs.resolve(pathOf(path), false)
    const request = { parent, name, mode: 0o644, umask: 0, exclusive: true, truncate: false, access: 0 }
    return (yield* fs.call("create", request, pathOf(path))).attributes.inode
  })

/** Writes bytes at an offset of a file, through slices and blocks. */
const write = (fs: FileSystemService, inode: number, offset: number, ...parts: ReadonlyArray<Uint8Array | number>) =>
  Effect.scoped(Effect.gen(function*() {
    const writer = yield* FileWriter.make(fs.client, fs.numbers, InodeNumber.zoneOf(inode))
    for (const part of parts) yield* typeof part === "number" ? writer.skip(part) : writer.write(part)
    const pieces = yield* writer.finish
    yield* fs.call("write", { inode, handle: 0, offset, append: false, pieces }, "")
  }))

const read = (fs: FileSystemService, inode: number, offset = 0, length = Number.MAX_SAFE_INTEGER - offset) =>
  Effect.map(Stream.runCollect(fs.read(inode, "", offset, length)), (parts) => Buffer.concat([...parts]))

const errnoOf = (error: { readonly _tag: string; readonly errno?: number }): number | string =>
  error.errno ?? error._tag

describe("a file system by paths", () => {
  it.scopedLive("resolves names, `.`, `..`, slashes and links, as Linux does", () =>
    Effect.gen(function*() {
      const { fs } = yield* single
      const a = yield* mkdir(fs, "/a")
      const b = yield* mkdir(fs, "/a/b")
      const file = yield* create(fs, "/a/b/file")
      yield* symlink(fs, "a/b", "/relative")
      yield* symlink(fs, "/a", "/absolute")
      yield* symlink(fs, "../b/file", "/a/b/up")
      yield* symlink(fs, "nowhere", "/dangling")
      const at = (path: string, follow = true) => Effect.map(fs.stat(pathOf(path), follow), ({ inode }) => inode)
      expect(yield* at("/")).toBe(InodeNumber.ROOT)
      expect(yield* at("//a///b//")).toBe(b)
      expect(yield* at("/a/./b/../b/file")).toBe(file)
      expect(yield* at("/../../a")).toBe(a)
      expect(yield* at("/relative/file")).toBe(file)
      // `..` after a link leads to the parent of where the link leads, not of the link.
      expect(yield* at("/relative/..")).toBe(a)
      expect(yield* at("/absolute/b/up")).toBe(file)
      expect(Mode.isSymlink((yield* fs.stat(pathOf("/relative"), false)).mode)).toBe(true)
      expect(yield* at("/relative/", false)).toBe(b)
      const refused = (path: string) => Effect.map(Effect.flip(fs.stat(pathOf(path), true)), errnoOf)
      expect(yield* refused("/dangling")).toBe(Errno.ENOENT)
      expect(yield* refused("/a/b/file/x")).toBe(Errno.ENOTDIR)
      expect(yield* refused("/a/b/file/")).toBe(Errno.ENOTDIR)
      expect(yield* refused("/a/missing/x")).toBe(Errno.ENOENT)
      expect(yield* refused(`/${"n".repeat(256)}`)).toBe(Errno.ENAMETOOLONG)
      expect(yield* refused(`/${"p/".repeat(2100)}`)).toBe(Errno.ENAMETOOLONG)
    }))

  it.scopedLive("gives up on links that lead in a circle, and follows forty", () =>
    Effect.gen(function*() {
      const { fs } = yield* single
      yield* symlink(fs, "two", "/one")
      yield* symlink(fs, "one", "/two")
      expect(errnoOf(yield* Effect.flip(fs.stat("/one", true)))).toBe(Errno.ELOOP)
      const file = yield* create(fs, "/l0")
      for (let index = 1; index <= 41; index++) yield* symlink(fs, `l${index - 1}`, `/l${index}`)
      expect((yield* fs.stat("/l40", true)).inode).toBe(file)
      expect(errnoOf(yield* Effect.flip(fs.stat("/l41", true)))).toBe(Errno.ELOOP)
    }))

  it.scopedLive("lists a large directory page by page, each name once, in byte order", () =>
    Effect.gen(function*() {
      const { fs } = yield* single
      const folder = yield* mkdir(fs, "/many")
      const names = Array.from({ length: 9000 }, (_, index) => `n${index}`)
      for (let at = 0; at < names.length; at += 3000) {
        yield* fs.client.callAll(
          names.slice(at, at + 3000).map((name) =>
            command("create", {
              parent: folder,
              name,
              mode: 0o644,
              umask: 0,
              exclusive: true,
              truncate: false,
              access: 0
            })
          )
        )
      }
      const listed = yield* Stream.runCollect(fs.list(folder, "/many"))
      expect([...listed].map(({ name }) => name)).toEqual([...names].sort())
    }))

  it.scopedLive("keeps every zone's own root apart, and says EXDEV between them", () =>
    Effect.gen(function*() {
      const { fs } = yield* single
      yield* create(fs, "/.zones/3/file")
      const { inode } = yield* fs.stat("/.zones/3/file", true)
      expect(InodeNumber.zoneOf(inode)).toBe(3)
      expect((yield* fs.stat("/.zones/3/..", true)).inode).toBe(InodeNumber.ROOT)
      expect(errnoOf(yield* Effect.flip(fs.stat("/.zones/4", true)))).toBe(Errno.ENOENT)
      const from = yield* fs.resolve("/.zones/3/file", false)
      const move = {
        fromParent: from.parent,
        fromName: from.name,
        toParent: InodeNumber.ROOT,
        toName: "x",
        mode: "replace"
      } as const
      expect(errnoOf(yield* Effect.flip(fs.call("rename", move, "")))).toBe(Errno.EXDEV)
      const link = { inode, parent: InodeNumber.ROOT, name: "x" }
      expect(errnoOf(yield* Effect.flip(fs.call("link", link, "")))).toBe(Errno.EXDEV)
    }))

  it.scopedLive("keeps names that are no UTF-8", () =>
    Effect.gen(function*() {
      const { fs } = yield* single
      const name = "caf\xe9\xff\x01"
      const request = {
        parent: InodeNumber.ROOT,
        name,
        mode: 0o644,
        umask: 0,
        exclusive: true,
        truncate: false,
        access: 0
      }
      yield* fs.call("create", request, "")
      expect((yield* fs.stat(`/${name}`, true)).size).toBe(0)
      expect(toText(name)).toContain("caf")
    }))
})

describe("a file's bytes", () => {
  it.scopedLive("come back as they were written, over holes, overwrites, blocks and slices", () =>
    Effect.gen(function*() {
      const { fs } = yield* single
      const inode = yield* create(fs, "/f")
      const first = randomBytes(9 * 1024 * 1024 + 17)
      const second = randomBytes(100_000)
      yield* write(fs, inode, 0, first, 3_000_000, second)
      yield* write(fs, inode, 4_000_000, second)
      const model = Buffer.concat([first, Buffer.alloc(3_000_000), second])
      second.copy(model, 4_000_000)
      expect(Buffer.compare(yield* read(fs, inode), model)).toBe(0)
      for (
        const [offset, length] of [[0, 1], [4_194_303, 2], [8_999_999, 4_000_000], [model.length - 1, 50], [
          model.length,
          5
        ]] as const
      ) {
        expect(Buffer.compare(yield* read(fs, inode, offset, length), model.subarray(offset, offset + length))).toBe(0)
      }
    }))

  it.scopedLive("of a file larger than a slice come back whole", () =>
    Effect.gen(function*() {
      const { fs } = yield* single
      const inode = yield* create(fs, "/big")
      const bytes = randomBytes(70 * 1024 * 1024)
      yield* write(fs, inode, 0, bytes)
      const { extents } = yield* fs.call("readExtents", { inode, handle: 0, offset: 0, length: bytes.length }, "")
      expect(extents.length).toBe(2)
      expect(Buffer.compare(yield* read(fs, inode), bytes)).toBe(0)
    }))

  it.scopedLive("that are damaged on the disk are never handed on", () =>
    Effect.gen(function*() {
      const { cluster, fs } = yield* single
      const inode = yield* create(fs, "/f")
      yield* write(fs, inode, 0, randomBytes(200_000))
      const objects = join(cluster.folder, "blocks", "objects")
      const files = readdirSync(objects, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      const block = files.find(({ parentPath }) => parentPath.includes("/blocks/"))!
      const path = join(block.parentPath, block.name)
      const { readFileSync } = yield* Effect.promise(() => import("node:fs"))
      const stored = readFileSync(path)
      stored[150_000]! ^= 1
      writeFileSync(path, stored)
      expect((yield* read(fs, inode, 0, 1000)).length).toBe(1000)
      const error = yield* Effect.flip(read(fs, inode))
      expect(error).toMatchObject({ _tag: "DataError", damaged: true })
      expect(error.message).toContain("corrupt")
    }))

  it.scopedLive("of a file that is cut away while it is being read are zeros or the end, not garbage", () =>
    Effect.gen(function*() {
      const { fs } = yield* single
      const inode = yield* create(fs, "/f")
      yield* write(fs, inode, 0, Buffer.alloc(100_000, 7))
      const kept = { mode: undefined, uid: undefined, gid: undefined, atime: undefined, mtime: undefined }
      yield* fs.call("setAttributes", { inode, handle: 0, size: 10, ...kept }, "")
      yield* fs.call("setAttributes", { inode, handle: 0, size: 50, ...kept }, "")
      const bytes = yield* read(fs, inode)
      expect([...bytes]).toEqual([...Array(10).fill(7), ...Array(40).fill(0)])
    }))
})

describe("a client", () => {
  it.scopedLive("holds the rights of its user", () =>
    Effect.gen(function*() {
      const { cluster, fs, server } = yield* single
      yield* mkdir(fs, "/private")
      const inode = (yield* fs.stat("/private", true)).inode
      const kept = { uid: undefined, gid: undefined, size: undefined, atime: undefined, mtime: undefined }
      yield* fs.call("setAttributes", { inode, handle: 0, mode: 0o700, ...kept }, "")
      const alice = yield* cluster.fileSystem([server.address], { who: Cluster.user(1000) })
      expect(errnoOf(yield* Effect.flip(alice.stat("/private/x", true)))).toBe(Errno.EACCES)
      expect(errnoOf(yield* Effect.flip(mkdir(alice, "/mine")))).toBe(Errno.EACCES)
    }))

  it.scopedLive("with another secret is told so, at once", () =>
    Effect.gen(function*() {
      const { cluster, server } = yield* single
      const error = yield* Effect.flip(cluster.fileSystem([server.address], { secret: Redacted.make("wrong") }))
      expect(error._tag).toBe("RequestRefused")
      expect(error.message).toContain("secret")
    }))

  it.scopedLive("that finds nobody says where it looked", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make
      const error = yield* Effect.flip(
        cluster.fileSystem([{ host: "127.0.0.1", port: 1 }], { retryFor: Duration.millis(300) })
      )
      expect(error.message).toContain("127.0.0.1:1")
      expect(error.message).toContain("nobody listens")
    }))

  it.scopedLive("waits for a lock without asking again, and takes its wish back when it is interrupted", () =>
    Effect.gen(function*() {
      const { cluster, fs, server } = yield* single
      const other = yield* cluster.fileSystem([server.address])
      const inode = yield* create(fs, "/f")
      const lock = { inode, family: "posix", owner: 1, start: 0, end: END, type: "write", pid: 1, wait: true } as const
      const { end, family, owner, start } = lock
      yield* fs.client.lock(lock)
      const waiting = yield* Effect.fork(other.client.lock(lock))
      const held = (type: "read" | "write") => fs.client.call("testLock", { inode, family, owner: 2, start, end, type })
      yield* Effect.repeat(held("read"), { times: 3 })
      expect(waiting.unsafePoll()).toBeNull()
      yield* Fiber.interrupt(waiting)
      const third = yield* Effect.fork(other.client.lock({ ...lock, owner: 3 }))
      yield* fs.client.call("unlock", { inode, family, owner, start, end })
      yield* Fiber.join(third)
      expect((yield* held("read")).conflict).toMatchObject({ type: "write" })
    }))

  it.scopedLive("leaves nothing behind when it leaves", () =>
    Effect.gen(function*() {
      const { cluster, fs, server } = yield* single
      yield* Effect.scoped(Effect.gen(function*() {
        const guest = yield* cluster.fileSystem([server.address])
        const inode = yield* create(guest, "/guest")
        yield* guest.client.call("open", { inode, access: 1, truncate: false })
        yield* guest.client.call("unlink", { parent: InodeNumber.ROOT, name: "guest" })
      }))
      const link = yield* fs.client.zone(0)
      const status = yield* link.ask((runner) => runner.Status({ zone: 0, digest: false }))
      expect(status).toMatchObject({ inodes: 1, sessions: 0 })
    }))

  it.scopedLive("sends what waits together in one message", () =>
    Effect.gen(function*() {
      const { fs } = yield* single
      const before = (yield* fs.client.anyRunner((runner) =>
        runner.ReadJournal({ zone: 0, after: 0, rowsMax: 1000 })
      )).length
      yield* Effect.forEach(Array.from({ length: 500 }, (_, index) => index), (index) => create(fs, `/c${index}`), {
        concurrency: "unbounded"
      })
      const rows =
        (yield* fs.client.anyRunner((runner) => runner.ReadJournal({ zone: 0, after: 0, rowsMax: 1000 }))).length
      expect(rows - before).toBeLessThan(20)
    }))
})
