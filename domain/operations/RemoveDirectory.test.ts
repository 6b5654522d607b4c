import { type Actor, alice, bob, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { impossible } from "#domain/testing/Names.ts"
import { directory, file, opened, removed, symlink } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const removeDirectory = (by: Actor, path: string) => ask(by, "removeDirectory", ({ place }) => place(path))

const gone = (path: string) => ({ at, place }: World) => [
  { _tag: "EntryRemoved", ...place(path), inode: at(path) } as const
]

describe("rmdir", () => {
  it("removes an empty directory and takes a link from its parent", () => {
    const { world } = given(directory("/a"), directory("/a/b"))
      .when(removeDirectory(root, "/a/b")).happens(gone("/a/b")).replying(undefined)
    expect(world.live.inodeCount).toBe(2)
    expect(world.stat("/a")).toMatchObject({ nlink: 2, mtime: world.live.time, ctime: world.live.time })
  })

  it("keeps an open directory until it is released", () => {
    const { world } = given(directory("/d"), opened("/d", "h", root, 1), removed("/d", "d"))
    expect(world.live.expect(world.the("d")).nlink).toBe(0)
    given(directory("/d"), opened("/d", "h", root, 1), removed("/d", "d"))
      .when(ask(root, "release", ({ the }) => ({ inode: the("d"), handle: the("h") })))
      .happens(({ the }) => [{ _tag: "FileReleased", session: root.session, handle: the("h") }])
      .when(ask(root, "getAttributes", ({ the }) => ({ inode: the("d") }))).refuses("ESTALE")
  })

  it("refuses a directory with anything in it, if nothing else is wrong", () => {
    given(directory("/d"), file("/d/x"), directory("/t", { mode: 0o1777 }), directory("/t/d"), file("/t/d/x"))
      .when(removeDirectory(root, "/d")).refuses("ENOTEMPTY")
      .when(removeDirectory(alice, "/d")).refuses("EACCES")
      .when(removeDirectory(alice, "/t/d")).refuses("EPERM")
  })

  it("refuses what is no directory", () => {
    given(file("/x"), symlink("/l", "d"), directory("/d"))
      .when(removeDirectory(root, "/x")).refuses("ENOTDIR")
      .when(removeDirectory(root, "/l")).refuses("ENOTDIR")
      .when(removeDirectory(alice, "/x")).refuses("EACCES")
  })

  it("removes from a sticky directory what is one's own", () => {
    given(directory("/t", { mode: 0o1777 }), directory("/t/a", { owner: alice }))
      .when(removeDirectory(bob, "/t/a")).refuses("EPERM")
      .when(removeDirectory(alice, "/t/a")).happens(gone("/t/a"))
  })

  it("refuses what is not there", () => {
    given(file("/x"))
      .when(removeDirectory(root, "/no")).refuses("ENOENT")
      .when(removeDirectory(root, "/x/y")).refuses("ENOTDIR")
      .when(ask(root, "removeDirectory", { parent: 99, name: "x" })).refuses("ESTALE")
  })

  it.each(impossible)("refuses the name %j with %s", (name, errno) => {
    given().when(ask(root, "removeDirectory", ({ root }) => ({ parent: root, name }))).refuses(errno)
  })
})
