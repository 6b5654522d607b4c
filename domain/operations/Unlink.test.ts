import * as Locks from "#domain/Locks.ts"
import { type Actor, alice, bob, root } from "#domain/testing/Actors.ts"
import { lockBy } from "#domain/testing/Events.ts"
import { Given, given } from "#domain/testing/Given.ts"
import { impossible } from "#domain/testing/Names.ts"
import {
  awaited,
  directory,
  fifo,
  file,
  linked,
  locked,
  opened,
  removed,
  symlink,
  written
} from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const unlink = (by: Actor, path: string) => ask(by, "unlink", ({ place }) => place(path))

const gone = (path: string) => ({ at, place }: World) => [
  { _tag: "EntryRemoved", ...place(path), inode: at(path) } as const
]

describe("unlink", () => {
  it("removes the last name and the file with it, and frees its data", () => {
    const { world } = given(file("/x"), written("/x", 0, 10))
      .when(unlink(root, "/x")).happens(gone("/x")).replying(undefined)
    expect([world.live.inodeCount, world.live.dataBytes]).toEqual([1, 0])
    expect(world.stat("/").mtime).toEqual(world.live.time)
  })

  it("leaves a file with its other names", () => {
    const { world } = given(file("/x"), linked("/x", "/y")).when(unlink(root, "/x")).happens(gone("/x"))
    expect(world.stat("/y")).toMatchObject({ nlink: 1, ctime: world.live.time })
  })

  it("removes fifos and symbolic links, not what they point to", () => {
    given(fifo("/p"), symlink("/l", "p"))
      .when(unlink(root, "/l")).happens(gone("/l"))
      .when(unlink(root, "/p")).happens(gone("/p"))
  })

  it("keeps an open file, its data and its locks until the last handle is released", () => {
    const { world } = given(file("/x"), written("/x", 0, 10), opened("/x", "a"), opened("/x", "b", alice, 1))
      .and(locked(root, "/x"), removed("/x", "x"))
      .when(ask(root, "release", ({ the }) => ({ inode: the("x"), handle: the("a") })))
      .happens(({ the }) => [{ _tag: "FileReleased", session: root.session, handle: the("a") }])
    const inode = world.live.expect(world.the("x"))
    expect([inode.nlink, inode.opens, inode.locks.length, world.live.dataBytes]).toEqual([0, 1, 1, 10])
  })

  it("keeps a file that is locked, and grants who waits for it, until nobody does", () => {
    const unlock = (by: Actor) =>
      ask(by, "unlock", ({ the }) => ({ inode: the("x"), family: "posix", owner: 7, start: 0, end: Locks.END }))
    const { world } = given(file("/x"), locked(root, "/x"), awaited("w", alice, "/x"))
      .and((world) => world.call("x", world.at("/x")))
      .when(unlink(root, "/x")).happens(gone("/x"))
      .when(unlock(root))
      .happens(({ the }) => [
        { _tag: "LockReleased", inode: the("x"), lock: lockBy(root, { type: "read", pid: 0 }) },
        { _tag: "LockGranted", inode: the("x"), session: alice.session, request: the("w") }
      ])
      .completing(["w", "granted"])
    expect(world.live.inode(world.the("x"))?.nlink).toBe(0)
    new Given(world).when(unlock(alice))
      .happens(({ the }) => [
        { _tag: "LockReleased", inode: the("x"), lock: lockBy(alice, { type: "read", pid: 0 }) }
      ])
    expect(world.live.inode(world.the("x"))).toBeUndefined()
  })

  it("wants write and search permission on the directory, and none on the file", () => {
    given(
      directory("/shut"),
      file("/shut/x", { owner: alice }),
      directory("/w", { mode: 0o772 }),
      file("/w/x"),
      directory("/open", { mode: 0o777 }),
      file("/open/x", { mode: 0o000 })
    )
      .when(unlink(alice, "/shut/x")).refuses("EACCES")
      .when(unlink(alice, "/w/x")).refuses("EACCES")
      .when(unlink(alice, "/open/x")).happens(gone("/open/x"))
  })

  it("removes from a sticky directory what is one's own, or anything from one's own", () => {
    given(
      directory("/t", { mode: 0o1777 }),
      file("/t/a", { owner: alice }),
      directory("/own", { mode: 0o1777, owner: bob }),
      file("/own/a", { owner: alice })
    )
      .when(unlink(bob, "/t/a")).refuses("EPERM")
      .when(unlink(alice, "/t/a")).happens(gone("/t/a"))
      .when(unlink(bob, "/own/a")).happens(gone("/own/a"))
  })

  it("refuses directories, if nothing else is wrong", () => {
    given(directory("/d"), directory("/t", { mode: 0o1777 }), directory("/t/d"))
      .when(unlink(root, "/d")).refuses("EISDIR")
      .when(unlink(alice, "/d")).refuses("EACCES")
      .when(unlink(alice, "/t/d")).refuses("EPERM")
  })

  it("refuses what is not there", () => {
    given(file("/x"), directory("/d"), opened("/d", "h", root, 1), removed("/d", "d"))
      .when(unlink(root, "/no")).refuses("ENOENT")
      .when(unlink(alice, "/no")).refuses("ENOENT")
      .when(unlink(root, "/x/y")).refuses("ENOTDIR")
      .when(ask(root, "unlink", { parent: 99, name: "x" })).refuses("ESTALE")
      .when(ask(root, "unlink", ({ the }) => ({ parent: the("d"), name: "x" }))).refuses("ENOENT")
  })

  it.each(impossible)("refuses the name %j with %s", (name, errno) => {
    given().when(ask(root, "unlink", ({ root }) => ({ parent: root, name }))).refuses(errno)
  })
})
