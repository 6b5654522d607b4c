import * as Acl from "#domain/Acl.ts"
import { aclBytes } from "#domain/testing/AclText.ts"
import { type Actor, alice, bob, carol, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, file, symlink, xattr } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const removeXattr = (by: Actor, path: string, name: string) =>
  ask(by, "removeXattr", ({ at }) => ({ inode: at(path), name }))

const removed = (path: string, name: string) => ({ at }: World) => [
  { _tag: "XattrRemoved", inode: at(path), name } as const
]

const acl = aclBytes("u::rwx,u:9:rwx,g::rx,m::rx,o::")

describe("removexattr", () => {
  it("removes an attribute and moves ctime", () => {
    const { world } = given(file("/x", { owner: alice }), xattr("/x", "user.a", "v"), xattr("/x", "user.b", "v"))
      .when(removeXattr(alice, "/x", "user.a")).happens(removed("/x", "user.a")).replying(undefined)
      .when(removeXattr(alice, "/x", "user.a")).refuses("ENODATA")
    expect([...world.find("/x").xattrs?.keys() ?? []]).toEqual(["user.b"])
    expect(world.stat("/x").mtime).not.toEqual(world.stat("/x").ctime)
  })

  it("wants the rights that setting wants", () => {
    given(file("/x"), xattr("/x", "user.a", "v"), xattr("/x", "trusted.a", "v"), xattr("/x", "security.a", "v"))
      .and(directory("/t", { mode: 0o1777, owner: alice }), xattr("/t", "user.a", "v"))
      .when(removeXattr(carol, "/x", "user.a")).refuses("EACCES")
      .when(removeXattr(carol, "/x", "user.no")).refuses("EACCES")
      .when(removeXattr(carol, "/x", "trusted.a")).refuses("EPERM")
      .when(removeXattr(carol, "/x", "security.a")).refuses("EPERM")
      .when(removeXattr(bob, "/t", "user.a")).refuses("EPERM")
      .when(removeXattr(root, "/x", "trusted.a")).happens(removed("/x", "trusted.a"))
      .when(removeXattr(root, "/x", "security.a")).happens(removed("/x", "security.a"))
      .when(removeXattr(alice, "/t", "user.a")).happens(removed("/t", "user.a"))
  })

  it("removes access control lists for the owner, and leaves the mode", () => {
    const { world } = given(file("/x", { owner: alice }), xattr("/x", Acl.ACCESS, acl))
      .when(removeXattr(bob, "/x", Acl.ACCESS)).refuses("EPERM")
      .when(removeXattr(alice, "/x", Acl.ACCESS)).happens(removed("/x", Acl.ACCESS))
      .when(removeXattr(alice, "/x", Acl.ACCESS)).answers(undefined)
    expect(world.stat("/x").mode & 0o777).toBe(0o750)
  })

  it("removes default lists of directories, of which files have none", () => {
    given(directory("/d", { owner: alice }), xattr("/d", Acl.DEFAULT, acl), file("/x"))
      .when(removeXattr(bob, "/d", Acl.DEFAULT)).refuses("EPERM")
      .when(removeXattr(alice, "/d", Acl.DEFAULT)).happens(removed("/d", Acl.DEFAULT))
      .when(removeXattr(carol, "/x", Acl.DEFAULT)).answers(undefined)
  })

  it("refuses what cannot be there", () => {
    given(file("/x"), symlink("/l", "x"))
      .when(removeXattr(root, "/x", "plain")).refuses("EOPNOTSUPP")
      .when(removeXattr(root, "/x", "system.other")).refuses("EOPNOTSUPP")
      .when(removeXattr(root, "/x", "user.")).refuses("EINVAL")
      .when(removeXattr(root, "/x", "")).refuses("ERANGE")
      .when(removeXattr(root, "/x", "n".repeat(256))).refuses("ERANGE")
      .when(removeXattr(root, "/l", "user.a")).refuses("EPERM")
      .when(removeXattr(root, "/l", Acl.ACCESS)).refuses("EOPNOTSUPP")
      .when(ask(root, "removeXattr", { inode: 99, name: "user.a" })).refuses("ESTALE")
  })
})
