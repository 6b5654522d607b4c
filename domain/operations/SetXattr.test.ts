import * as Acl from "#domain/Acl.ts"
import { Limits } from "#domain/Limits.ts"
import type { RequestOf } from "#domain/Operations.ts"
import { aclBytes, aclOf } from "#domain/testing/AclText.ts"
import { type Actor, alice, bob, carol, root, STAFF } from "#domain/testing/Actors.ts"
import { attributesSet } from "#domain/testing/Events.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, fifo, file, forged, symlink, xattr } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

type Mode = RequestOf<"setXattr">["mode"]

const setXattr = (by: Actor, path: string, name: string, value = "v", mode: Mode = "either") =>
  ask(by, "setXattr", ({ at }) => ({ inode: at(path), name, value, mode }))

const set = (path: string, name: string, value = "v") => ({ at }: World) => [
  { _tag: "XattrSet", inode: at(path), name, value } as const
]

const removed = (path: string, name: string) => ({ at }: World) => [
  { _tag: "XattrRemoved", inode: at(path), name } as const
]

const own = () => given(file("/x", { owner: alice }), file("/shared", { mode: 0o666 }))

describe("setxattr", () => {
  it("sets an attribute and moves ctime alone", () => {
    const { world } = own()
      .when(setXattr(alice, "/x", "user.a", "")).happens(set("/x", "user.a", "")).replying(undefined)
      .when(setXattr(alice, "/x", "user.a", "\0\xff")).happens(set("/x", "user.a", "\0\xff"))
    expect(world.find("/x").xattrs?.get("user.a")).toBe("\0\xff")
    expect(world.stat("/x").ctime).toEqual(world.live.time)
    expect(world.stat("/x").mtime).not.toEqual(world.live.time)
  })

  it("creates or replaces where it shall do that alone", () => {
    own()
      .when(setXattr(alice, "/x", "user.a", "1", "replace")).refuses("ENODATA")
      .when(setXattr(alice, "/x", "user.a", "1", "create")).happens(set("/x", "user.a", "1"))
      .when(setXattr(alice, "/x", "user.a", "2", "create")).refuses("EEXIST")
      .when(setXattr(alice, "/x", "user.a", "2", "replace")).happens(set("/x", "user.a", "2"))
  })

  it("wants write permission for user attributes, and none of symbolic links and fifos", () => {
    given(file("/x"), directory("/d", { mode: 0o777 }), symlink("/l", "x", alice), fifo("/p", { owner: alice }))
      .when(setXattr(alice, "/x", "user.a")).refuses("EACCES")
      .when(setXattr(alice, "/d", "user.a")).happens(set("/d", "user.a"))
      .when(setXattr(alice, "/l", "user.a")).refuses("EPERM")
      .when(setXattr(root, "/p", "user.a")).refuses("EPERM")
  })

  it("leaves user attributes of a sticky directory to its owner", () => {
    given(directory("/t", { mode: 0o1777, owner: alice }))
      .when(setXattr(bob, "/t", "user.a")).refuses("EPERM")
      .when(setXattr(alice, "/t", "user.a")).happens(set("/t", "user.a"))
  })

  it("keeps trusted and security attributes for root, of symbolic links too", () => {
    given(file("/x", { owner: alice }), symlink("/l", "x", alice))
      .when(setXattr(alice, "/x", "trusted.a")).refuses("EPERM")
      .when(setXattr(alice, "/x", "security.a")).refuses("EPERM")
      .when(setXattr(root, "/x", "trusted.a")).happens(set("/x", "trusted.a"))
      .when(setXattr(root, "/l", "security.a")).happens(set("/l", "security.a"))
  })

  it("refuses names without a known name space, and name spaces without a name", () => {
    own()
      .when(setXattr(alice, "/x", "plain")).refuses("EOPNOTSUPP")
      .when(setXattr(alice, "/x", "system.other")).refuses("EOPNOTSUPP")
      .when(setXattr(alice, "/x", "user.")).refuses("EINVAL")
      .when(setXattr(root, "/x", "trusted.")).refuses("EINVAL")
      .when(setXattr(root, "/x", "security.")).refuses("EINVAL")
  })

  it("takes names of 255 bytes and values of 64 KiB, and no longer ones", () => {
    const longest = `user.${"n".repeat(Limits.xattrNameBytesMax - 5)}`
    const largest = "v".repeat(Limits.xattrValueBytesMax)
    own()
      .when(setXattr(alice, "/x", "")).refuses("ERANGE")
      .when(setXattr(alice, "/x", `${longest}n`)).refuses("ERANGE")
      .when(setXattr(alice, "/x", "user.a", `${largest}v`)).refuses("E2BIG")
      .when(setXattr(alice, "/x", longest, largest)).happens(set("/x", longest, largest))
  })

  it("takes as many names as a listing may hold", () => {
    const wide = (index: number): string => `user.${String(index).padStart(Limits.xattrNameBytesMax - 5, "n")}`
    const room = Limits.xattrListBytesMax / (Limits.xattrNameBytesMax + 1)
    own()
      .and(forged((state, { at }) => {
        for (let i = 0; i < room - 1; i++) state.expect(at("/x")).setXattr(wide(i), "")
      }))
      .when(setXattr(alice, "/x", wide(room))).happens(set("/x", wide(room)))
      .when(setXattr(alice, "/x", "user.a")).refuses("ENOSPC")
      .when(setXattr(alice, "/x", wide(room), "new")).happens(set("/x", wide(room), "new"))
  })

  it("refuses in the order of Linux when more than one thing is wrong", () => {
    const long = `plain${"n".repeat(Limits.xattrNameBytesMax)}`
    given(file("/x"))
      .when(setXattr(alice, "/x", long, "v".repeat(Limits.xattrValueBytesMax + 1))).refuses("ERANGE")
      .when(setXattr(alice, "/x", "plain", "v".repeat(Limits.xattrValueBytesMax + 1))).refuses("E2BIG")
      .when(setXattr(alice, "/x", "plain")).refuses("EACCES")
      .when(setXattr(alice, "/x", "user.")).refuses("EACCES")
      .when(ask(alice, "setXattr", { inode: 99, name: "user.a", value: "v", mode: "replace" })).refuses("ESTALE")
      .when(ask(alice, "setXattr", { inode: 99, name: "", value: "v", mode: "replace" })).refuses("ERANGE")
  })
})

const minimal = aclBytes("u::rw,g::r,o::")
const wide = aclBytes("u::rwx,u:1001:rw,g::rx,m::rwx,o::rwx")

describe("setxattr of an access control list", () => {
  it("sets the mode too, whose group bits are the mask's", () => {
    given(file("/x", { owner: alice, mode: 0o4755 }))
      .when(setXattr(alice, "/x", Acl.ACCESS, aclBytes("u::rwx,u:1001:rw,g::rx,m::rw,o::")))
      .happens((world) => [
        attributesSet(world.at("/x"), { mode: 0o4760 }),
        ...set("/x", Acl.ACCESS, aclBytes("u::rwx,u:1001:rw,g::rx,m::rw,o::"))(world)
      ])
  })

  it("keeps no list that mode bits alone can say", () => {
    const { world } = given(file("/x", { owner: alice }))
      .when(setXattr(alice, "/x", Acl.ACCESS, minimal))
      .happens(({ at }) => [attributesSet(at("/x"), { mode: 0o640 })])
      .and(xattr("/x", Acl.ACCESS, wide))
      .when(setXattr(alice, "/x", Acl.ACCESS, minimal))
      .happens((world) => [attributesSet(world.at("/x"), { mode: 0o640 }), ...removed("/x", Acl.ACCESS)(world)])
    expect(world.find("/x").xattrs).toBeUndefined()
  })

  it("drops set-group-id for a group that the owner is not in", () => {
    given(file("/x", { owner: alice, gid: 60, mode: 0o2755 }), file("/y", { owner: alice, gid: STAFF, mode: 0o2755 }))
      .when(setXattr(alice, "/x", Acl.ACCESS, minimal))
      .happens(({ at }) => [attributesSet(at("/x"), { mode: 0o640 })])
      .when(setXattr(root, "/y", Acl.ACCESS, minimal))
      .happens(({ at }) => [attributesSet(at("/y"), { mode: 0o2640 })])
  })

  it("gives directories a default list, minimal or not, and leaves the mode", () => {
    given(directory("/d", { owner: alice }))
      .when(setXattr(alice, "/d", Acl.DEFAULT, minimal)).happens(set("/d", Acl.DEFAULT, minimal))
      .when(setXattr(alice, "/d", Acl.DEFAULT, wide))
      .happens(set("/d", Acl.DEFAULT, wide))
  })

  it("removes a list by one without entries", () => {
    given(file("/x"), xattr("/x", Acl.ACCESS, wide), directory("/d"))
      .when(setXattr(root, "/x", Acl.ACCESS, Acl.format([]))).happens(removed("/x", Acl.ACCESS))
      .when(setXattr(root, "/x", Acl.ACCESS, "")).answers(undefined)
      .when(setXattr(root, "/d", Acl.DEFAULT, "")).answers(undefined)
      .when(setXattr(carol, "/x", Acl.DEFAULT, "")).answers(undefined)
  })

  it("is the owner's and root's", () => {
    given(file("/x", { mode: 0o666 }), directory("/d", { mode: 0o777 }))
      .when(setXattr(carol, "/x", Acl.ACCESS, minimal)).refuses("EPERM")
      .when(setXattr(carol, "/x", Acl.ACCESS, "")).refuses("EPERM")
      .when(setXattr(carol, "/d", Acl.DEFAULT, minimal)).refuses("EPERM")
  })

  it("is for neither symbolic links nor, as a default list, files", () => {
    given(file("/x"), symlink("/l", "x"))
      .when(setXattr(root, "/l", Acl.ACCESS, minimal)).refuses("EOPNOTSUPP")
      .when(setXattr(carol, "/x", Acl.DEFAULT, minimal)).refuses("EACCES")
  })

  it("refuses bytes that spell no list, before it looks at the rights", () => {
    const other = wide.replace("\x02", "\x03")
    given(file("/x"))
      .when(setXattr(carol, "/x", Acl.ACCESS, "abc")).refuses("EINVAL")
      .when(setXattr(carol, "/x", Acl.ACCESS, other)).refuses("EOPNOTSUPP")
      .when(setXattr(carol, "/x", Acl.ACCESS, `${minimal}.`)).refuses("EINVAL")
      .when(setXattr(carol, "/x", Acl.ACCESS, Acl.format(aclOf("u::rw,g::r,o::").slice(1)))).refuses("EPERM")
      .when(setXattr(root, "/x", Acl.ACCESS, Acl.format(aclOf("u::rw,g::r,o::").slice(1)))).refuses("EINVAL")
      .when(
        setXattr(
          root,
          "/x",
          Acl.ACCESS,
          Acl.format([{ tag: Acl.USER_OBJ, permissions: 8, id: 0 }, ...aclOf("g::r,o::")])
        )
      ).refuses("EINVAL")
  })

  it("refuses lists of more entries than one may have", () => {
    const named = (count: number): string =>
      Acl.format([
        ...aclOf("u::rwx"),
        ...Array.from({ length: count - 4 }, (_, id) => ({ tag: Acl.USER, permissions: 4, id })),
        ...aclOf("g::rx,m::rwx,o::rwx")
      ])
    given(file("/x", { mode: 0o775 }))
      .when(setXattr(root, "/x", Acl.ACCESS, named(Limits.aclEntriesMax + 1))).refuses("EINVAL")
      .when(setXattr(root, "/x", Acl.ACCESS, named(Limits.aclEntriesMax)))
      .happens((world) => [
        attributesSet(world.at("/x"), { mode: 0o777 }),
        ...set("/x", Acl.ACCESS, named(Limits.aclEntriesMax))(world)
      ])
  })
})
