import * as Acl from "#domain/Acl.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { aclBytes } from "#domain/testing/AclText.ts"
import { type Actor, alice, root, STAFF } from "#domain/testing/Actors.ts"
import { created } from "#domain/testing/Events.ts"
import { given } from "#domain/testing/Given.ts"
import { unmakeable } from "#domain/testing/Names.ts"
import { directory, file, forged, opened, removed, symlink, xattr } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const makeDirectory = (by: Actor, path: string, mode = 0o777, umask = 0o022) =>
  ask(by, "makeDirectory", ({ place }) => ({ ...place(path), mode, umask }))

const made = (by: Actor, path: string, mode: number, gid = by.who.gid) => ({ fresh, place }: World) => [
  created(place(path), fresh, Mode.S_IFDIR | mode, by, { gid })
]

describe("mkdir", () => {
  it("makes an empty directory, less the umask, and gives its parent a link", () => {
    const { world } = given(directory("/home", { owner: alice }))
      .when(makeDirectory(alice, "/home/d")).happens(made(alice, "/home/d", 0o755))
      .replying(({ stat }) => ({ attributes: stat("/home/d") }))
    expect(world.stat("/home/d")).toMatchObject({ nlink: 2, size: 4096 })
    expect(world.stat("/home").nlink).toBe(3)
  })

  it("keeps the sticky bit and no other beyond the nine", () => {
    given().when(makeDirectory(root, "/d", 0o7777, 0)).happens(made(root, "/d", 0o1777))
  })

  it("takes group and set-group-id from a set-group-id directory", () => {
    given(directory("/s", { mode: 0o2777, gid: STAFF }))
      .when(makeDirectory(alice, "/s/d")).happens(made(alice, "/s/d", 0o2755, STAFF))
  })

  it("takes the default list of its directory for itself and for its own children", () => {
    const defaults = aclBytes("u::rwx,u:1001:rwx,g::rx,m::rwx,o::")
    const access = aclBytes("u::rwx,u:1001:rwx,g::rx,m::rx,o::")
    given(directory("/s"), xattr("/s", Acl.DEFAULT, defaults))
      .when(makeDirectory(root, "/s/d", 0o755, 0o077))
      .happens((world) => [
        ...made(root, "/s/d", 0o750)(world),
        { _tag: "XattrSet", inode: world.fresh, name: Acl.ACCESS, value: access },
        { _tag: "XattrSet", inode: world.fresh, name: Acl.DEFAULT, value: defaults }
      ])
  })

  it("keeps a default list that mode bits alone could say for the children alone", () => {
    const defaults = aclBytes("u::rwx,g::rx,o::")
    given(directory("/s"), xattr("/s", Acl.DEFAULT, defaults))
      .when(makeDirectory(root, "/s/d"))
      .happens((world) => [
        ...made(root, "/s/d", 0o750)(world),
        { _tag: "XattrSet", inode: world.fresh, name: Acl.DEFAULT, value: defaults }
      ])
  })

  it("refuses any name that is taken, before it looks at the rights", () => {
    given(file("/x"), directory("/d"), symlink("/l", "nowhere"))
      .when(makeDirectory(root, "/x")).refuses("EEXIST")
      .when(makeDirectory(root, "/d")).refuses("EEXIST")
      .when(makeDirectory(alice, "/l")).refuses("EEXIST")
  })

  it("wants write and search permission", () => {
    given(directory("/r", { mode: 0o755 }), directory("/w", { mode: 0o772 }))
      .when(makeDirectory(alice, "/r/d")).refuses("EACCES")
      .when(makeDirectory(alice, "/w/d")).refuses("EACCES")
  })

  it("refuses what is no directory, what is not there and what was removed", () => {
    const fields = { mode: 0o777, umask: 0 }
    given(file("/x"), directory("/d"), opened("/d", "h", root, 1), removed("/d", "d"))
      .when(makeDirectory(root, "/x/y")).refuses("ENOTDIR")
      .when(ask(root, "makeDirectory", { ...fields, parent: 99, name: "x" })).refuses("ESTALE")
      .when(ask(root, "makeDirectory", ({ the }) => ({ ...fields, parent: the("d"), name: "x" }))).refuses("ENOENT")
  })

  it.each(unmakeable)("refuses the name %j with %s", (name, errno) => {
    given()
      .when(ask(root, "makeDirectory", ({ root }) => ({ parent: root, name, mode: 0o777, umask: 0 })))
      .refuses(errno)
  })

  it("refuses a full parent, after looking at the rights", () => {
    given(forged((state, { root }) => {
      state.expect(root).nlink = Limits.linksMax
    }))
      .when(makeDirectory(root, "/d")).refuses("EMLINK")
      .when(makeDirectory(alice, "/d")).refuses("EACCES")
  })

  it("refuses when the zone has no inode number left", () => {
    given(forged((state) => {
      state.nextInode = Limits.localNumberMax + 1
    })).when(makeDirectory(root, "/d")).refuses("ENOSPC")
  })
})
