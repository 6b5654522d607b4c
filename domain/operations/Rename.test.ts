import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import { type Actor, alice, bob, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, file, forged, linked, opened, removed, symlink } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

type Mode = "replace" | "keep" | "exchange"

const rename = (from: string, to: string, mode: Mode = "replace", by: Actor = root) =>
  ask(by, "rename", ({ place }) => {
    const { name: fromName, parent: fromParent } = place(from)
    const { name: toName, parent: toParent } = place(to)
    return { fromParent, fromName, toParent, toName, mode }
  })

/** A rename whose parents are no paths. */
const between = (fromParent: (world: World) => number, toParent: (world: World) => number, mode: Mode = "replace") =>
  ask(root, "rename", (world) => ({
    fromParent: fromParent(world),
    fromName: "x",
    toParent: toParent(world),
    toName: "y",
    mode
  }))

const moved = (from: string, to: string, replaced = false) => ({ at, place }: World) => {
  const { name: fromName, parent: fromParent } = place(from)
  const { name: toName, parent: toParent } = place(to)
  const inode = at(from)
  return [{
    _tag: "EntryMoved",
    fromParent,
    fromName,
    toParent,
    toName,
    inode,
    replaced: replaced ? at(to) : 0
  }] as const
}

const exchanged = (a: string, b: string) => ({ at, place }: World) => {
  const { name: nameA, parent: parentA } = place(a)
  const { name: nameB, parent: parentB } = place(b)
  return [{ _tag: "EntriesExchanged", parentA, nameA, inodeA: at(a), parentB, nameB, inodeB: at(b) }] as const
}

describe("rename", () => {
  it("moves a file to a free name", () => {
    const { world } = given(directory("/a"), directory("/b"), file("/a/x"))
      .when(rename("/a/x", "/b/y")).happens(moved("/a/x", "/b/y")).replying(undefined)
    expect(world.find("/a").entries?.isEmpty).toBe(true)
    expect(world.stat("/b/y").ctime).toEqual(world.live.time)
    for (const path of ["/a", "/b"]) {
      expect(world.stat(path)).toMatchObject({ mtime: world.live.time, ctime: world.live.time })
    }
  })

  it("gives nothing the name of the snapshots' directory", () => {
    given(file("/x"), directory("/d"), file("/d/x"))
      .when(rename("/x", "/.snapshots")).refuses("EINVAL")
      .when(rename("/d/x", "/.snapshots", "keep")).refuses("EINVAL")
      .when(rename("/d", "/.snapshots")).refuses("EINVAL")
  })

  it("moves a directory, whose parent and whose parents' link counts follow", () => {
    const { world } = given(directory("/a"), directory("/b"), directory("/a/d"), file("/a/d/x"))
      .when(rename("/a/d", "/b/e")).happens(moved("/a/d", "/b/e"))
    expect(world.find("/b/e").parent).toBe(world.at("/b"))
    expect([world.stat("/a").nlink, world.stat("/b").nlink]).toEqual([2, 3])
  })

  it("replaces a file, which goes with its last name", () => {
    const { world } = given(file("/x"), file("/y"), linked("/y", "/z"))
      .when(rename("/x", "/y")).happens(moved("/x", "/y", true))
      .when(rename("/y", "/z")).happens(moved("/y", "/z", true))
    expect(world.live.inodeCount).toBe(2)
  })

  it("keeps a replaced file that is open until it is released", () => {
    const { world } = given(file("/x"), file("/y"), opened("/y", "h"))
      .and((world) => world.call("y", world.at("/y")))
      .when(rename("/x", "/y")).happens(moved("/x", "/y", true))
      .when(ask(root, "release", ({ the }) => ({ inode: the("y"), handle: the("h") })))
      .happens(({ the }) => [{ _tag: "FileReleased", session: root.session, handle: the("h") }])
    expect(world.live.inodeCount).toBe(2)
  })

  it("replaces an empty directory by a directory", () => {
    const { world } = given(directory("/a"), directory("/b"), file("/a/x"))
      .when(rename("/a", "/b")).happens(moved("/a", "/b", true))
    expect(world.stat("/").nlink).toBe(3)
    expect(world.stat("/b/x").nlink).toBe(1)
  })

  it("moves a symbolic link and not what it points to", () => {
    given(symlink("/l", "/nowhere")).when(rename("/l", "/m")).happens(moved("/l", "/m"))
  })

  it("exchanges a file and a directory of two parents", () => {
    const { world } = given(directory("/a"), directory("/b"), file("/a/x"), directory("/b/d"))
      .when(rename("/a/x", "/b/d", "exchange")).happens(exchanged("/a/x", "/b/d"))
    expect(world.find("/a/x").parent).toBe(world.at("/a"))
    expect([world.stat("/a").nlink, world.stat("/b").nlink]).toEqual([3, 2])
  })

  it("exchanges two names of one directory, full ones among them", () => {
    given(directory("/a"), directory("/b"), file("/b/x"))
      .when(rename("/a", "/b", "exchange")).happens(exchanged("/a", "/b"))
  })

  it("does nothing between two names of one inode", () => {
    given(file("/x"), linked("/x", "/y"))
      .when(rename("/x", "/y")).answers(undefined)
      .when(rename("/x", "/x")).answers(undefined)
      .when(rename("/x", "/y", "exchange")).answers(undefined)
      .when(rename("/x", "/y", "keep")).refuses("EEXIST")
  })

  it("refuses what is not there", () => {
    given(directory("/a"), file("/x"))
      .when(rename("/no", "/y")).refuses("ENOENT")
      .when(rename("/x", "/no", "exchange")).refuses("ENOENT")
      .when(between(() => 99, ({ root }) => root)).refuses("ESTALE")
      .when(between(({ root }) => root, () => 99)).refuses("ESTALE")
      .when(between(({ at }) => at("/x"), ({ root }) => root)).refuses("ENOTDIR")
      .when(between(({ root }) => root, ({ at }) => at("/x"))).refuses("ENOTDIR")
      .when(between(({ root }) => root, () => InodeNumber.rootOf(1))).refuses("EXDEV")
  })

  it("refuses names that cannot be", () => {
    given(file("/x"))
      .when(rename("/x", `/${"n".repeat(Limits.nameBytesMax + 1)}`)).refuses("ENAMETOOLONG")
      .when(rename(`/${"n".repeat(Limits.nameBytesMax + 1)}`, "/y")).refuses("ENAMETOOLONG")
      .when(rename("/x", "/..")).refuses("EINVAL")
      .when(rename("/x", `/${"n".repeat(Limits.nameBytesMax)}`))
      .happens(moved("/x", `/${"n".repeat(Limits.nameBytesMax)}`))
  })

  it("keeps what stands at the new place if it shall", () => {
    given(file("/x"), file("/y"))
      .when(rename("/x", "/y", "keep")).refuses("EEXIST")
      .when(rename("/x", "/z", "keep")).happens(moved("/x", "/z"))
  })

  it("makes no directory its own ancestor", () => {
    given(directory("/a"), directory("/a/b"), directory("/a/b/c"), file("/f"))
      .when(rename("/a", "/a/x")).refuses("EINVAL")
      .when(rename("/a", "/a/b/c/x")).refuses("EINVAL")
      .when(rename("/a", "/a/b/c", "exchange")).refuses("EINVAL")
      .when(rename("/a/b/c", "/a")).refuses("ENOTEMPTY")
      .when(rename("/a/b/c", "/a", "exchange")).refuses("EINVAL")
      .when(rename("/a/b/c", "/c")).happens(moved("/a/b/c", "/c"))
  })

  it("replaces like with like alone, and no full directory", () => {
    given(directory("/d"), directory("/full"), file("/full/x"), file("/f"))
      .when(rename("/f", "/d")).refuses("EISDIR")
      .when(rename("/d", "/f")).refuses("ENOTDIR")
      .when(rename("/d", "/full")).refuses("ENOTEMPTY")
  })

  it("wants write permission on both parents, and on a directory that gets another one", () => {
    const open = { mode: 0o777 }
    given(
      directory("/a", open),
      directory("/b", open),
      directory("/shut"),
      file("/a/x"),
      file("/shut/x"),
      directory("/a/d"),
      directory("/a/own", { owner: alice }),
      directory("/b/d")
    )
      .when(rename("/shut/x", "/a/y", "replace", alice)).refuses("EACCES")
      .when(rename("/a/x", "/shut/y", "replace", alice)).refuses("EACCES")
      .when(rename("/a/x", "/shut/x", "replace", alice)).refuses("EACCES")
      .when(rename("/a/d", "/b/e", "replace", alice)).refuses("EACCES")
      .when(rename("/a/x", "/b/d", "exchange", alice)).refuses("EACCES")
      .when(rename("/a/d", "/a/e", "replace", alice)).happens(moved("/a/d", "/a/e"))
      .when(rename("/a/own", "/b/own", "replace", alice)).happens(moved("/a/own", "/b/own"))
  })

  it("wants search permission first of all", () => {
    given(directory("/a", { mode: 0o600, owner: bob }), directory("/b", { mode: 0o777 }), file("/b/x"))
      .when(rename("/a/no", "/b/y", "replace", alice)).refuses("EACCES")
      .when(rename("/b/no", "/a/y", "replace", alice)).refuses("EACCES")
  })

  it("leaves the entries of others in a sticky directory", () => {
    const sticky = { mode: 0o1777 }
    given(
      directory("/t", sticky),
      file("/t/alices", { owner: alice }),
      file("/t/bobs", { owner: bob }),
      directory("/own", { mode: 0o1777, owner: bob }),
      file("/own/alices", { owner: alice })
    )
      .when(rename("/t/alices", "/t/x", "replace", bob)).refuses("EPERM")
      .when(rename("/t/bobs", "/t/alices", "replace", bob)).refuses("EPERM")
      .when(rename("/t/bobs", "/t/alices", "exchange", bob)).refuses("EPERM")
      .when(rename("/t/bobs", "/t/x", "replace", bob)).happens(moved("/t/bobs", "/t/x"))
      .when(rename("/own/alices", "/own/x", "replace", bob)).happens(moved("/own/alices", "/own/x"))
      .when(rename("/t/x", "/t/alices", "replace", root)).happens(moved("/t/x", "/t/alices", true))
  })

  it("refuses in the order of Linux when more than one thing is wrong", () => {
    given(
      directory("/shut"),
      file("/shut/x"),
      file("/shut/y"),
      directory("/shut/d"),
      directory("/shut/d/e"),
      directory("/t", { mode: 0o1777 }),
      directory("/t/roots"),
      file("/t/file")
    )
      .when(rename("/shut/x", "/shut/y", "keep", alice)).refuses("EEXIST")
      .when(rename("/shut/x", "/shut/no", "exchange", alice)).refuses("ENOENT")
      .when(rename("/shut/d", "/shut/d/e/f", "replace", alice)).refuses("EINVAL")
      .when(rename("/shut/d/e", "/shut/d", "replace", alice)).refuses("ENOTEMPTY")
      .when(rename("/shut/d", "/shut/x", "replace", alice)).refuses("EACCES")
      .when(rename("/t/file", "/t/roots", "replace", alice)).refuses("EPERM")
      .when(rename("/shut/no", `/shut/${"n".repeat(256)}`)).refuses("ENOENT")
  })

  it("gives a full parent no further directory, but lets one replace another", () => {
    given(
      directory("/a"),
      directory("/full"),
      directory("/a/d"),
      directory("/a/e"),
      directory("/full/d"),
      file("/full/f"),
      forged((state, { at }) => {
        state.expect(at("/full")).nlink = Limits.linksMax
      })
    )
      .when(rename("/a/d", "/full/x")).refuses("EMLINK")
      .when(rename("/a/d", "/full/f", "exchange")).refuses("EMLINK")
      .when(rename("/full/f", "/a/d", "exchange")).refuses("EMLINK")
      .when(rename("/a/e", "/full/d")).happens(moved("/a/e", "/full/d", true))
  })

  it("moves nothing into a directory that was removed while it was open", () => {
    given(directory("/d"), directory("/e"), opened("/d", "h", root, 1), removed("/d", "d"), file("/x"))
      .when(between(({ root }) => root, ({ the }) => the("d"))).refuses("ENOENT")
      .when(between(({ the }) => the("d"), ({ root }) => root)).refuses("ENOENT")
  })

  it("moves no directory into one that was removed with all above it", () => {
    given(
      directory("/a"),
      directory("/a/b"),
      opened("/a/b", "h", root, 1),
      removed("/a/b", "b"),
      removed("/a", "a"),
      directory("/x")
    )
      .when(between(({ root }) => root, ({ the }) => the("b"))).refuses("ENOENT")
  })
})
