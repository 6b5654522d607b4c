import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import { type Actor, alice, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { unmakeable } from "#domain/testing/Names.ts"
import { directory, fifo, file, forged, opened, removed, symlink } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const link = (by: Actor, from: string, to: string) =>
  ask(by, "link", ({ at, place }) => ({ inode: at(from), ...place(to) }))

const linked = (from: string, to: string) => ({ at, place }: World) => [
  { _tag: "EntryLinked", ...place(to), inode: at(from) } as const
]

const numbered = (inode: number, name = "new") => ask(root, "link", ({ root }) => ({ inode, parent: root, name }))

describe("link", () => {
  it("gives a file a further name, and moves its ctime and the directory's times", () => {
    const { world } = given(file("/x"), directory("/d"))
      .when(link(root, "/x", "/d/y")).happens(linked("/x", "/d/y"))
      .replying(({ stat }) => ({ attributes: stat("/x") }))
    expect(world.at("/d/y")).toBe(world.at("/x"))
    expect(world.stat("/x")).toMatchObject({ nlink: 2, ctime: world.live.time })
    expect(world.stat("/d").mtime).toEqual(world.live.time)
    expect(world.stat("/x").mtime).not.toEqual(world.live.time)
  })

  it("gives fifos and symbolic links further names too", () => {
    given(fifo("/p"), symlink("/l", "nowhere"))
      .when(link(root, "/p", "/q")).happens(linked("/p", "/q"))
      .when(link(root, "/l", "/m")).happens(linked("/l", "/m"))
  })

  it("refuses directories", () => {
    given(directory("/d")).when(link(root, "/d", "/e")).refuses("EPERM")
  })

  it("wants write permission on the directory alone", () => {
    given(file("/x", { mode: 0o000 }), directory("/home", { owner: alice }))
      .when(link(alice, "/x", "/y")).refuses("EACCES")
      .when(link(alice, "/x", "/home/y")).happens(linked("/x", "/home/y"))
  })

  it("refuses a name that is taken, whatever the rights", () => {
    given(file("/x"), file("/y"))
      .when(link(root, "/x", "/y")).refuses("EEXIST")
      .when(link(alice, "/x", "/x")).refuses("EEXIST")
  })

  it("refuses what is not there, and what lies in another zone after all else", () => {
    given(file("/x"), directory("/d"))
      .when(numbered(99)).refuses("ESTALE")
      .when(numbered(99, "x")).refuses("ESTALE")
      .when(numbered(InodeNumber.make(1, 5))).refuses("EXDEV")
      .when(numbered(InodeNumber.make(1, 5), "x")).refuses("EEXIST")
      .when(link(root, "/x", "/x/y")).refuses("ENOTDIR")
      .when(ask(root, "link", ({ at }) => ({ inode: at("/x"), parent: 99, name: "y" }))).refuses("ESTALE")
  })

  it("brings no file back that lost its last name while it is open", () => {
    given(file("/x"), opened("/x", "h"), removed("/x", "x"))
      .when(ask(root, "link", ({ root, the }) => ({ inode: the("x"), parent: root, name: "y" }))).refuses("ENOENT")
  })

  it.each(unmakeable)("refuses the name %j with %s", (name, errno) => {
    given(file("/x")).when(ask(root, "link", ({ at, root }) => ({ inode: at("/x"), parent: root, name })))
      .refuses(errno)
  })

  it("gives a file as many links as it may have, and no more", () => {
    given(
      file("/x"),
      forged((state, { at }) => {
        state.expect(at("/x")).nlink = Limits.linksMax - 1
      })
    )
      .when(link(root, "/x", "/y")).happens(linked("/x", "/y"))
      .when(link(root, "/x", "/z")).refuses("EMLINK")
      .when(link(alice, "/x", "/z")).refuses("EACCES")
  })
})
