import * as Acl from "#domain/Acl.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import type { RequestOf } from "#domain/Operations.ts"
import { Access } from "#domain/Session.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import { aclBytes } from "#domain/testing/AclText.ts"
import { type Actor, alice, bob, carol, root, STAFF } from "#domain/testing/Actors.ts"
import { attributesSet, created } from "#domain/testing/Events.ts"
import { given } from "#domain/testing/Given.ts"
import { LONGEST, unmakeable } from "#domain/testing/Names.ts"
import {
  directory,
  ended,
  fifo,
  file,
  forged,
  opened,
  removed,
  symlink,
  written,
  xattr
} from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

type Fields = Partial<RequestOf<"create">>

const usual = { mode: 0o644, umask: 0, exclusive: false, truncate: false, access: 0 }

const create = (by: Actor, path: string, fields: Fields = {}) =>
  ask(by, "create", ({ place }) => ({ ...place(path), ...usual, ...fields }))

const made = (by: Actor, path: string, mode: number, gid = by.who.gid) => ({ fresh, place }: World) => [
  created(place(path), fresh, Mode.S_IFREG | mode, by, { gid })
]

const home = directory("/home", { owner: alice })

describe("create", () => {
  it("makes an empty file of the caller's, less the umask, and leaves it closed", () => {
    const { world } = given(home)
      .when(create(alice, "/home/x", { mode: 0o4666, umask: 0o027 })).happens(made(alice, "/home/x", 0o4640))
      .replying(({ stat }) => ({ attributes: stat("/home/x"), handle: 0, created: true }))
    expect(world.stat("/home/x")).toMatchObject({ size: 0, nlink: 1, atime: world.live.time, ctime: world.live.time })
    expect(world.stat("/home").mtime).toEqual(world.live.time)
  })

  it("opens what it made by a handle that is the request's number, whatever the mode says", () => {
    given(home)
      .when(create(alice, "/home/x", { mode: 0, access: Access.write }))
      .happens((world) => [
        ...made(alice, "/home/x", 0)(world),
        {
          _tag: "FileOpened",
          session: alice.session,
          handle: world.last(alice) + 1,
          inode: world.fresh,
          access: Access.write
        }
      ])
      .replying((world) => ({ attributes: world.stat("/home/x"), handle: world.last(alice), created: true }))
  })

  it("finds what is there, needing no rights to it if it shall stay closed", () => {
    given(file("/x", { mode: 0o000 }))
      .when(create(alice, "/x")).answers(({ stat }) => ({ attributes: stat("/x"), handle: 0, created: false }))
  })

  it("opens what is there", () => {
    given(file("/x"))
      .when(create(alice, "/x", { access: Access.read }))
      .happens((world) => [
        { _tag: "FileOpened", session: alice.session, handle: world.last(alice) + 1, inode: world.at("/x"), access: 1 }
      ])
      .replying((world) => ({ attributes: world.stat("/x"), handle: world.last(alice), created: false }))
  })

  it("cuts what is there to nothing, which loses set-user-id", () => {
    const { world } = given(file("/x", { mode: 0o4766 }), written("/x", 0, 10))
      .when(create(alice, "/x", { truncate: true }))
      .happens(({ at }) => [
        attributesSet(at("/x"), { mode: 0o766 }),
        { _tag: "SizeSet", inode: at("/x"), size: 0 }
      ])
      .replying(({ stat }) => ({ attributes: stat("/x"), handle: 0, created: false }))
    expect(world.stat("/x")).toMatchObject({ size: 0, dataBytes: 0, mode: Mode.S_IFREG | 0o766 })
  })

  it("refuses to find anything if it shall be new", () => {
    given(home, file("/x"), directory("/d"), symlink("/l", "nowhere"))
      .when(create(alice, "/x", { exclusive: true })).refuses("EEXIST")
      .when(create(alice, "/d", { exclusive: true })).refuses("EEXIST")
      .when(create(alice, "/l", { exclusive: true })).refuses("EEXIST")
      .when(create(alice, "/home/x", { exclusive: true })).happens(made(alice, "/home/x", 0o644))
  })

  it("refuses directories and leaves symbolic links to the caller", () => {
    given(directory("/d"), symlink("/l", "nowhere"))
      .when(create(root, "/d")).refuses("EISDIR")
      .when(create(root, "/l")).refuses("ELOOP")
      .when(create(root, "/l", { access: Access.read })).refuses("ELOOP")
  })

  it("wants the rights to open what is there", () => {
    given(file("/x", { mode: 0o604 }), file("/y", { mode: 0o602 }), fifo("/p", { mode: 0o600 }))
      .when(create(alice, "/x", { access: Access.write })).refuses("EACCES")
      .when(create(alice, "/x", { truncate: true })).refuses("EACCES")
      .when(create(alice, "/x", { truncate: true, access: Access.read })).refuses("EACCES")
      .when(create(alice, "/y", { access: Access.read })).refuses("EACCES")
      .when(create(alice, "/p", { access: Access.read })).refuses("EACCES")
  })

  it("wants write permission on the directory for what is new alone", () => {
    given(file("/x"), directory("/shut", { mode: 0o700 }))
      .when(create(alice, "/new")).refuses("EACCES")
      .when(create(alice, "/x", { exclusive: true })).refuses("EEXIST")
      .when(create(alice, "/shut/x")).refuses("EACCES")
  })

  it("refuses what is no directory, what is not there and what was removed", () => {
    given(file("/x"), directory("/d"), opened("/d", "h", root, 1), removed("/d", "d"))
      .when(create(root, "/x/y")).refuses("ENOTDIR")
      .when(ask(root, "create", { ...usual, parent: 99, name: "x" })).refuses("ESTALE")
      .when(ask(root, "create", ({ the }) => ({ ...usual, parent: the("d"), name: "x" }))).refuses("ENOENT")
  })

  it.each(unmakeable)("refuses the name %j with %s", (name, errno) => {
    given().when(ask(root, "create", ({ root }) => ({ ...usual, parent: root, name }))).refuses(errno)
  })

  it("takes the longest name", () => {
    given().when(create(root, `/${LONGEST}`)).happens(made(root, `/${LONGEST}`, 0o644))
  })

  it("takes the group of a set-group-id directory, and set-group-id from who is not in it", () => {
    const shared = directory("/s", { mode: 0o2777, gid: STAFF })
    given(shared)
      .when(create(alice, "/s/a", { mode: 0o2755 })).happens(made(alice, "/s/a", 0o2755, STAFF))
      .when(create(carol, "/s/c", { mode: 0o2755 })).happens(made(carol, "/s/c", 0o755, STAFF))
      .when(create(carol, "/s/d", { mode: 0o2745 })).happens(made(carol, "/s/d", 0o2745, STAFF))
      .when(create(root, "/s/r", { mode: 0o2755 })).happens(made(root, "/s/r", 0o2755, STAFF))
  })

  it("takes the default list of its directory instead of the umask", () => {
    given(home, xattr("/home", Acl.DEFAULT, aclBytes("u::rwx,u:1001:rw,g::rx,m::rwx,o::rx")))
      .when(create(alice, "/home/x", { mode: 0o666, umask: 0o077 }))
      .happens((world) => [
        ...made(alice, "/home/x", 0o664)(world),
        {
          _tag: "XattrSet",
          inode: world.fresh,
          name: Acl.ACCESS,
          value: aclBytes("u::rw,u:1001:rw,g::rx,m::rw,o::r")
        }
      ])
  })

  it("gives each inode number once, to the last", () => {
    given(forged((state) => {
      state.nextInode = Limits.localNumberMax
    }))
      .when(create(root, "/x")).happens(made(root, "/x", 0o644))
      .when(create(root, "/y")).refuses("ENOSPC")
      .when(create(alice, "/y")).refuses("EACCES")
  })

  it("opens no more files than a session may hold, neither old ones nor new ones", () => {
    given(file("/old"), forged(fullOf(root)))
      .when(create(root, "/old", { access: Access.read })).refuses("ENFILE")
      .when(create(root, "/old")).answers(({ stat }) => ({ attributes: stat("/old"), handle: 0, created: false }))
      .when(create(root, "/new")).happens(made(root, "/new", 0o644))
      .when(create(root, "/newer", { access: Access.read })).refuses("ENFILE")
  })

  it.each([4, 7, 128, 255])("refuses to open for %d, which is neither reading nor writing", (access) => {
    given(file("/old"))
      .when(create(root, "/old", { access })).refuses("EINVAL")
      .when(create(root, "/new", { access })).refuses("EINVAL")
  })

  it("keeps what it opened alive without a name, until the session ends", () => {
    const { world } = given()
      .when(create(bob, "/x", { access: Access.read })).refuses("EACCES")
      .and(directory("/t", { mode: 0o777 }))
      .when(create(bob, "/t/x", { access: Access.read | Access.write }))
      .happens((world) => [
        ...made(bob, "/t/x", 0o644)(world),
        { _tag: "FileOpened", session: bob.session, handle: world.last(bob) + 1, inode: world.fresh, access: 3 }
      ])
      .and(removed("/t/x", "x"))
    expect(world.live.inode(world.the("x"))?.nlink).toBe(0)
    ended(bob)(world)
    expect(world.live.inode(world.the("x"))).toBeUndefined()
  })
})

/** As if the actor's session held as many files open as it may. */
const fullOf = ({ session }: Actor) => (state: ZoneState): void =>
  void Object.defineProperty(state.expectSession(session).opens, "size", { value: Limits.opensPerSessionMax })
