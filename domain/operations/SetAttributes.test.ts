import * as Acl from "#domain/Acl.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { Limits } from "#domain/Limits.ts"
import type { RequestOf } from "#domain/Operations.ts"
import { Access } from "#domain/Session.ts"
import { aclBytes } from "#domain/testing/AclText.ts"
import { type Actor, alice, bob, carol, root, STAFF } from "#domain/testing/Actors.ts"
import { attributesSet } from "#domain/testing/Events.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, fifo, file, opened, symlink, unset, written, xattr } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import { describe, expect, it } from "vitest"

type Fields = Partial<RequestOf<"setAttributes">>

const set = (by: Actor, path: string, fields: Fields) =>
  ask(by, "setAttributes", ({ at }) => ({ ...unset, inode: at(path), ...fields }))

/** The same through a handle that a label stands for. */
const through = (label: string, by: Actor, path: string, fields: Fields) =>
  ask(by, "setAttributes", ({ at, the }) => ({ ...unset, inode: at(path), handle: the(label), ...fields }))

const changed = (path: string, fields: Parameters<typeof attributesSet>[1]) => ({ at }: World) => [
  attributesSet(at(path), fields)
]

const sized = (path: string, size: number) => ({ at }: World) => [
  { _tag: "SizeSet", inode: at(path), size } as const
]

const now = { now: true, time: Timestamp.zero }
const at = (seconds: number, nanos = 0) => ({ now: false, time: Timestamp.make(seconds, nanos) })

describe("setattr of the mode", () => {
  it("is the owner's and root's", () => {
    const { world } = given(file("/x", { owner: alice }))
      .when(set(alice, "/x", { mode: 0o4711 })).happens(changed("/x", { mode: 0o4711 }))
      .replying(({ stat }) => ({ attributes: stat("/x") }))
      .when(set(root, "/x", { mode: 0o100600 })).happens(changed("/x", { mode: 0o600 }))
      .when(set(bob, "/x", { mode: 0o777 })).refuses("EPERM")
    expect(world.stat("/x").mode).toBe(0o100600)
  })

  it("moves ctime even if the mode stays", () => {
    given(file("/x", { owner: alice })).when(set(alice, "/x", { mode: 0o644 })).happens(changed("/x", {}))
  })

  it("drops set-group-id for a group that the owner is not in", () => {
    given(file("/x", { owner: alice, gid: 60 }), file("/y", { owner: alice, gid: STAFF }))
      .when(set(alice, "/x", { mode: 0o2755 })).happens(changed("/x", { mode: 0o755 }))
      .when(set(alice, "/y", { mode: 0o2755 })).happens(changed("/y", { mode: 0o2755 }))
      .when(set(root, "/x", { mode: 0o2755 })).happens(changed("/x", { mode: 0o2755 }))
  })

  it("shows in the access control list", () => {
    const value = aclBytes("u::rw,u:1001:rwx,g::rx,m::r,o::")
    given(file("/x"), xattr("/x", Acl.ACCESS, aclBytes("u::rwx,u:1001:rwx,g::rx,m::rwx,o::rx")))
      .when(set(root, "/x", { mode: 0o640 }))
      .happens((world) => [
        { _tag: "XattrSet", inode: world.at("/x"), name: Acl.ACCESS, value },
        ...changed("/x", { mode: 0o640 })(world)
      ])
  })

  it("is not for symbolic links, whoever asks", () => {
    given(symlink("/l", "x", alice))
      .when(set(root, "/l", { mode: 0o600 })).refuses("EOPNOTSUPP")
      .when(set(alice, "/l", { mode: 0o600 })).refuses("EOPNOTSUPP")
      .when(set(bob, "/l", { mode: 0o600 })).refuses("EOPNOTSUPP")
  })
})

describe("setattr of the owner", () => {
  it("is root's, and takes set-user-id, set-group-id and capabilities from a file", () => {
    given(file("/x", { mode: 0o6775 }), xattr("/x", "security.capability", "c"))
      .when(set(root, "/x", { uid: 1000, gid: 1000 }))
      .happens((world) => [
        { _tag: "XattrRemoved", inode: world.at("/x"), name: "security.capability" },
        ...changed("/x", { mode: 0o775, uid: 1000, gid: 1000 })(world)
      ])
  })

  it("leaves set-group-id to a file that its group may not execute, and to directories", () => {
    given(file("/x", { mode: 0o2705 }), directory("/d", { mode: 0o6755 }))
      .when(set(root, "/x", { gid: 1000 })).happens(changed("/x", { gid: 1000 }))
      .when(set(root, "/d", { uid: 1000 })).happens(changed("/d", { uid: 1000 }))
  })

  it("lets an owner give the file to one of their groups, and to nobody else", () => {
    given(file("/x", { owner: alice }))
      .when(set(alice, "/x", { gid: STAFF })).happens(changed("/x", { gid: STAFF }))
      .when(set(alice, "/x", { gid: 60 })).refuses("EPERM")
      .when(set(alice, "/x", { uid: 1001 })).refuses("EPERM")
      .when(set(alice, "/x", { uid: 1000, gid: 1000 })).happens(changed("/x", { gid: 1000 }))
      .when(set(bob, "/x", { gid: 1001 })).refuses("EPERM")
      .when(set(bob, "/x", { uid: 1000 })).refuses("EPERM")
      .when(set(bob, "/x", { gid: 1000 })).refuses("EPERM")
  })
})

describe("setattr of the size", () => {
  it("cuts data off, and makes a hole", () => {
    const { world } = given(file("/x", { owner: alice }), written("/x", 0, 100))
      .when(set(alice, "/x", { size: 30 })).happens(sized("/x", 30))
      .when(set(alice, "/x", { size: 50 })).happens(sized("/x", 50))
      .when(set(alice, "/x", { size: Limits.fileBytesMax })).happens(sized("/x", Limits.fileBytesMax))
    expect(world.stat("/x")).toMatchObject({ size: Limits.fileBytesMax, dataBytes: 30, mtime: world.live.time })
    expect(world.live.dataBytes).toBe(30)
  })

  it("moves no time if the size stays, unless by a handle", () => {
    given(file("/x", { owner: alice }), written("/x", 0, 100), opened("/x", "h", alice, Access.write))
      .when(set(alice, "/x", { size: 100 })).answers(({ stat }) => ({ attributes: stat("/x") }))
      .when(through("h", alice, "/x", { size: 100 })).happens(sized("/x", 100))
  })

  it("takes set-user-id and set-group-id from a file, except for root", () => {
    given(file("/x", { mode: 0o6777 }))
      .when(set(root, "/x", { size: 5 })).happens(sized("/x", 5))
      .when(set(alice, "/x", { size: 6 }))
      .happens((world) => [...changed("/x", { mode: 0o777 })(world), ...sized("/x", 6)(world)])
  })

  it("wants write permission, or a handle that was opened with it", () => {
    given(file("/x", { mode: 0o604 }), opened("/x", "r", alice, Access.read), opened("/x", "w"))
      .when(set(alice, "/x", { size: 1 })).refuses("EACCES")
      .when(through("r", alice, "/x", { size: 1 })).refuses("EINVAL")
      .when(through("w", root, "/x", { size: 1 })).happens(sized("/x", 1))
  })

  it("refuses handles that are not one's own or not the file's", () => {
    given(file("/x"), file("/y"), opened("/x", "h"))
      .when(through("h", bob, "/x", { size: 1 })).refuses("EBADF")
      .when(through("h", root, "/y", { size: 1 })).refuses("EBADF")
  })

  it("refuses what is no regular file, before it looks at the rights", () => {
    given(directory("/d"), fifo("/p"), opened("/p", "h"))
      .when(set(carol, "/d", { size: 1 })).refuses("EISDIR")
      .when(set(carol, "/p", { size: 1 })).refuses("EINVAL")
      .when(through("h", root, "/p", { size: 1 })).refuses("EINVAL")
  })
})

describe("setattr of the times", () => {
  it("lets the owner and root set any", () => {
    given(file("/x", { owner: alice }))
      .when(set(alice, "/x", { atime: at(-5, 7), mtime: at(2 ** 40) }))
      .happens(changed("/x", { atime: Timestamp.make(-5, 7), mtime: Timestamp.make(2 ** 40, 0) }))
      .when(set(root, "/x", { mtime: at(3) })).happens(changed("/x", { mtime: Timestamp.make(3, 0) }))
      .when(set(alice, "/x", { atime: now }))
      .happens((world) => changed("/x", { atime: world.now })(world))
  })

  it("lets who may write set both to now, and no more", () => {
    given(file("/x", { mode: 0o662, gid: STAFF }), file("/r"))
      .when(set(carol, "/x", { atime: now, mtime: now }))
      .happens((world) => changed("/x", { atime: world.now, mtime: world.now })(world))
      .when(set(carol, "/x", { atime: now })).refuses("EPERM")
      .when(set(carol, "/x", { atime: now, mtime: at(5) })).refuses("EPERM")
      .when(set(carol, "/r", { atime: now, mtime: now })).refuses("EACCES")
      .when(set(carol, "/r", { atime: at(5), mtime: at(5) })).refuses("EPERM")
  })

  it("never makes a batch that the journal cannot give back, whatever times a message carries", () => {
    const extremes = [-(2 ** 52), -(2 ** 51), 0, 2 ** 51, 2 ** 52 - 1]
    for (const atime of extremes) {
      for (const mtime of extremes) {
        const { world } = given(file("/x"))
        const command = world.command(set(root, "/x", { atime: at(atime), mtime: at(mtime, 999_999_999) }))
        const message = carried(world.message(root, [command]))
        if (message === undefined) continue
        world.begin()
        world.decide(message)
        expect(() => world.commit(), `${atime} and ${mtime} seconds`).not.toThrow()
      }
    }
  })
})

describe("setattr", () => {
  it("does nothing if nothing is asked", () => {
    given(file("/x")).when(set(carol, "/x", {})).answers(({ stat }) => ({ attributes: stat("/x") }))
  })

  it("changes all at once or nothing", () => {
    given(file("/x", { owner: alice }), file("/y", { mode: 0o666 }))
      .when(set(alice, "/x", { mode: 0o600, size: 9, atime: at(1) }))
      .happens((world) => [
        ...sized("/x", 9)(world),
        ...changed("/x", { mode: 0o600, atime: Timestamp.make(1, 0) })(world)
      ])
      .when(set(alice, "/x", { mode: 0o777, uid: 1001 })).refuses("EPERM")
      .when(set(alice, "/y", { size: 1, mode: 0o777 })).refuses("EPERM")
  })

  it("refuses what is not there", () => {
    given().when(ask(root, "setAttributes", { ...unset, inode: 99 })).refuses("ESTALE")
  })
})

/** The message on the other side of the wire; undefined if it does not get there. */
const carried = (message: MessageCodec.Message): MessageCodec.Message | undefined => {
  try {
    return MessageCodec.decode(MessageCodec.encode(message))
  } catch {
    return undefined
  }
}
