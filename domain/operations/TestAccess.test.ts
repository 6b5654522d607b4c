import * as Acl from "#domain/Acl.ts"
import { aclBytes } from "#domain/testing/AclText.ts"
import { type Actor, alice, bob, carol, root, STAFF } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, file, xattr } from "#domain/testing/Steps.ts"
import { ask } from "#domain/testing/World.ts"
import { describe, it } from "vitest"

const access = (by: Actor, path: string, wanted: number) =>
  ask(by, "testAccess", ({ at }) => ({ inode: at(path), wanted }))

describe("access", () => {
  it("asks the owner's, the group's or the others' bits, and no two of them", () => {
    given(file("/x", { mode: 0o426, owner: alice, gid: STAFF }))
      .when(access(alice, "/x", 4)).answers(undefined)
      .when(access(alice, "/x", 2)).refuses("EACCES")
      .when(access(bob, "/x", 2)).answers(undefined)
      .when(access(bob, "/x", 4)).refuses("EACCES")
      .when(access(carol, "/x", 6)).answers(undefined)
      .when(access(carol, "/x", 7)).refuses("EACCES")
  })

  it("lets root do everything but execute what nobody may", () => {
    given(file("/x", { mode: 0o000 }), file("/run", { mode: 0o001 }), directory("/d", { mode: 0o000 }))
      .when(access(root, "/x", 6)).answers(undefined)
      .when(access(root, "/x", 1)).refuses("EACCES")
      .when(access(root, "/run", 7)).answers(undefined)
      .when(access(root, "/d", 7)).answers(undefined)
  })

  it("asks an access control list", () => {
    given(file("/x"), xattr("/x", Acl.ACCESS, aclBytes("u::rw,u:1002:rw,g::,m::r,o::")))
      .when(access(carol, "/x", 4)).answers(undefined)
      .when(access(carol, "/x", 2)).refuses("EACCES")
      .when(access(bob, "/x", 4)).refuses("EACCES")
  })

  it("tells with no bits whether the inode is there", () => {
    given(file("/x", { mode: 0o000 }))
      .when(access(carol, "/x", 0)).answers(undefined)
      .when(ask(carol, "testAccess", { inode: 99, wanted: 0 })).refuses("ESTALE")
  })

  it("refuses bits that mean nothing, of an inode that is there", () => {
    given(file("/x"))
      .when(access(root, "/x", 8)).refuses("EINVAL")
      .when(ask(root, "testAccess", { inode: 99, wanted: 8 })).refuses("ESTALE")
  })
})
