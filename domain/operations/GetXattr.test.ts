import * as Acl from "#domain/Acl.ts"
import { aclBytes } from "#domain/testing/AclText.ts"
import { type Actor, alice, carol, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, fifo, file, symlink, xattr } from "#domain/testing/Steps.ts"
import { ask } from "#domain/testing/World.ts"
import { describe, it } from "vitest"

const getXattr = (by: Actor, path: string, name: string) => ask(by, "getXattr", ({ at }) => ({ inode: at(path), name }))

const acl = aclBytes("u::rwx,g::rwx,g:9:rwx,m::,o::")

describe("getxattr", () => {
  it("tells an attribute's value, byte for byte", () => {
    given(file("/x"), xattr("/x", "user.a", "\0\xffz"), xattr("/x", "user.empty", ""))
      .when(getXattr(carol, "/x", "user.a")).answers({ value: "\0\xffz" })
      .when(getXattr(carol, "/x", "user.empty")).answers({ value: "" })
      .when(getXattr(carol, "/x", "user.b")).refuses("ENODATA")
  })

  it("wants read permission for user attributes", () => {
    given(file("/x", { mode: 0o602 }), xattr("/x", "user.a", "v"))
      .when(getXattr(carol, "/x", "user.a")).refuses("EACCES")
      .when(getXattr(carol, "/x", "user.b")).refuses("EACCES")
      .when(getXattr(carol, "/x", "user.")).refuses("EACCES")
      .when(getXattr(root, "/x", "user.")).refuses("EINVAL")
  })

  it("shows trusted attributes to root alone, and security attributes to everybody", () => {
    given(file("/x", { mode: 0o000, owner: alice }), xattr("/x", "trusted.a", "t"), xattr("/x", "security.a", "s"))
      .when(getXattr(alice, "/x", "trusted.a")).refuses("ENODATA")
      .when(getXattr(root, "/x", "trusted.a")).answers({ value: "t" })
      .when(getXattr(carol, "/x", "security.a")).answers({ value: "s" })
      .when(getXattr(carol, "/x", "security.")).refuses("EINVAL")
      .when(getXattr(root, "/x", "trusted.")).refuses("EINVAL")
  })

  it("shows access control lists to everybody, except of symbolic links", () => {
    given(file("/x", { mode: 0o700 }), xattr("/x", Acl.ACCESS, acl), directory("/d"), symlink("/l", "x"))
      .when(getXattr(carol, "/x", Acl.ACCESS)).answers({ value: acl })
      .when(getXattr(carol, "/d", Acl.ACCESS)).refuses("ENODATA")
      .when(getXattr(carol, "/d", Acl.DEFAULT)).refuses("ENODATA")
      .when(getXattr(carol, "/l", Acl.ACCESS)).refuses("EOPNOTSUPP")
  })

  it("finds no user attributes on symbolic links and fifos", () => {
    given(symlink("/l", "x"), fifo("/p"))
      .when(getXattr(root, "/l", "user.a")).refuses("ENODATA")
      .when(getXattr(carol, "/p", "user.a")).refuses("ENODATA")
  })

  it("refuses names of no known name space, and of no possible length", () => {
    given(file("/x"), file("/r", { mode: 0o600 }))
      .when(getXattr(carol, "/x", "plain")).refuses("EOPNOTSUPP")
      .when(getXattr(carol, "/r", "plain")).refuses("EACCES")
      .when(getXattr(carol, "/r", "system.other")).refuses("EOPNOTSUPP")
      .when(getXattr(carol, "/x", "")).refuses("ERANGE")
      .when(getXattr(carol, "/x", `user.${"n".repeat(251)}`)).refuses("ERANGE")
      .when(ask(root, "getXattr", { inode: 99, name: "user.a" })).refuses("ESTALE")
  })
})
