import * as Acl from "#domain/Acl.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { aclBytes } from "#domain/testing/AclText.ts"
import { type Actor, alice, root, STAFF } from "#domain/testing/Actors.ts"
import { created } from "#domain/testing/Events.ts"
import { given } from "#domain/testing/Given.ts"
import { unmakeable } from "#domain/testing/Names.ts"
import { directory, file, forged, xattr } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const makeSymlink = (by: Actor, path: string, target: string) =>
  ask(by, "makeSymlink", ({ place }) => ({ ...place(path), target }))

const made = (by: Actor, path: string, target: string, gid = by.who.gid) => ({ fresh, place }: World) => [
  created(place(path), fresh, Mode.S_IFLNK | 0o777, by, { target, gid })
]

describe("symlink", () => {
  it("makes a link whose size is its target's", () => {
    const { world } = given(directory("/home", { owner: alice }))
      .when(makeSymlink(alice, "/home/l", "../\xffx")).happens(made(alice, "/home/l", "../\xffx"))
      .replying(({ stat }) => ({ attributes: stat("/home/l") }))
    expect(world.stat("/home/l")).toMatchObject({ size: 5, nlink: 1 })
  })

  it("takes a target of 4,095 bytes and none of 4,096", () => {
    const longest = "t".repeat(Limits.symlinkBytesMax)
    given()
      .when(makeSymlink(root, "/l", `${longest}t`)).refuses("ENAMETOOLONG")
      .when(makeSymlink(root, "/l", longest)).happens(made(root, "/l", longest))
  })

  it("refuses a target that no link can have, before it looks at anything else", () => {
    given(file("/x"))
      .when(makeSymlink(root, "/x", "")).refuses("ENOENT")
      .when(makeSymlink(root, "/x", "a\0b")).refuses("EINVAL")
      .when(makeSymlink(root, "/x", "t".repeat(Limits.symlinkBytesMax + 1))).refuses("ENAMETOOLONG")
      .when(makeSymlink(root, "/x", "t")).refuses("EEXIST")
  })

  it("wants write permission", () => {
    given(file("/x"))
      .when(makeSymlink(alice, "/l", "t")).refuses("EACCES")
      .when(makeSymlink(alice, "/x", "t")).refuses("EEXIST")
      .when(makeSymlink(alice, "/x/l", "t")).refuses("ENOTDIR")
      .when(ask(root, "makeSymlink", { parent: 99, name: "x", target: "t" })).refuses("ESTALE")
  })

  it("takes the group of a set-group-id directory, and no access control list", () => {
    given(directory("/s", { mode: 0o2777, gid: STAFF }), xattr("/s", Acl.DEFAULT, aclBytes("u::rw,g::,o::")))
      .when(makeSymlink(alice, "/s/l", "t")).happens(made(alice, "/s/l", "t", STAFF))
  })

  it.each(unmakeable)("refuses the name %j with %s", (name, errno) => {
    given().when(ask(root, "makeSymlink", ({ root }) => ({ parent: root, name, target: "t" }))).refuses(errno)
  })

  it("refuses when the zone has no inode number left", () => {
    given(forged((state) => {
      state.nextInode = Limits.localNumberMax + 1
    })).when(makeSymlink(root, "/l", "t")).refuses("ENOSPC")
  })
})
