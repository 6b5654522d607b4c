import * as Acl from "#domain/Acl.ts"
import { aclBytes } from "#domain/testing/AclText.ts"
import { type Actor, carol, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, file, xattr } from "#domain/testing/Steps.ts"
import { ask } from "#domain/testing/World.ts"
import { describe, it } from "vitest"

const listXattrs = (by: Actor, path: string) => ask(by, "listXattrs", ({ at }) => ({ inode: at(path) }))

describe("listxattr", () => {
  it("lists all names but trusted ones in their order, whatever the permissions", () => {
    given(directory("/d", { mode: 0o000 }), xattr("/d", "user.a", "v"), xattr("/d", "trusted.a", "v"))
      .and(xattr("/d", "security.a", "v"), xattr("/d", Acl.DEFAULT, aclBytes("u::rwx,g::rwx,o::")))
      .when(listXattrs(carol, "/d")).answers({ names: ["security.a", Acl.DEFAULT, "user.a"] })
      .when(listXattrs(root, "/d")).answers({ names: ["security.a", Acl.DEFAULT, "trusted.a", "user.a"] })
  })

  it("lists none where there are none, and none of what is not there", () => {
    given(file("/x"))
      .when(listXattrs(carol, "/x")).answers({ names: [] })
      .when(ask(root, "listXattrs", { inode: 99 })).refuses("ESTALE")
  })
})
