import * as Progress from "#cli/Progress.ts"
import { duplicate } from "#cli/transfer/Duplicate.ts"
import { Report } from "#cli/transfer/Report.ts"
import { type FileSystemService, pathOf } from "#client/FileSystem.ts"
import * as Acl from "#domain/Acl.ts"
import { ROOT } from "#domain/InodeNumber.ts"
import { aclBytes } from "#domain/testing/AclText.ts"
import * as Cluster from "#runners/testing/Cluster.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expect } from "vitest"

const ALICE = 1001
const unset = { handle: 0, uid: undefined, gid: undefined, size: undefined, atime: undefined, mtime: undefined }

/** What a copy must have of its original. */
const factsOf = (fs: FileSystemService, path: string) =>
  Effect.gen(function*() {
    const { inode, mode, mtime } = yield* fs.stat(pathOf(path), false)
    const { names } = yield* fs.call("listXattrs", { inode }, path)
    const xattrs = yield* Effect.forEach(names, (name) => fs.call("getXattr", { inode, name }, path))
    return { mode, mtime, names, xattrs }
  })

it.scopedLive(
  "an exact copy of what its owner may not write has all its attributes, for others than root as well",
  () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make
      const { address } = yield* cluster.runner()
      const root = yield* cluster.fileSystem([address])
      yield* root.call("setAttributes", { ...unset, inode: ROOT, mode: 0o777 }, "/")
      const alice = yield* cluster.fileSystem([address], { who: Cluster.user(ALICE) })
      const create = { parent: ROOT, mode: 0o644, umask: 0 }
      const file = yield* alice.call(
        "create",
        { ...create, name: "file", exclusive: true, truncate: false, access: 0 },
        ""
      )
      const folder = yield* alice.call("makeDirectory", { ...create, name: "folder" }, "")
      const list = aclBytes("u::r--,u:1002:r--,g::r--,m::r--,o::---")
      for (const { attributes: { inode } } of [file, folder]) {
        yield* alice.call("setXattr", { inode, name: "user.note", value: "a note", mode: "either" }, "")
        yield* alice.call("setXattr", { inode, name: Acl.ACCESS, value: list, mode: "either" }, "")
      }
      for (const name of ["file", "folder"]) {
        const { path, attributes } = yield* alice.resolve(pathOf(name), false)
        if (attributes === undefined) throw new Error(`${name} is not there`)
        const report = new Report("copied", Progress.start("copy", true))
        yield* duplicate(alice, { preserve: true, umask: 0, exact: true }, report)(
          { path, parent: ROOT, name, attributes },
          { inode: ROOT, path: "/", name: `${name}-copy` }
        )
        expect([name, report.failures]).toEqual([name, 0])
        expect(yield* factsOf(root, `${name}-copy`)).toEqual(yield* factsOf(root, name))
        expect((yield* factsOf(root, name)).names).toEqual([Acl.ACCESS, "user.note"])
      }
    }),
  60_000
)
