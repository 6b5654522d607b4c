import { Limits } from "#domain/Limits.ts"
import { Access } from "#domain/Session.ts"
import { type Actor, alice, root } from "#domain/testing/Actors.ts"
import { attributesSet } from "#domain/testing/Events.ts"
import { given } from "#domain/testing/Given.ts"
import {
  directory,
  fifo,
  file,
  forged,
  opened,
  removed,
  symlink,
  unset,
  written,
  xattr
} from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const open = (by: Actor, path: string, access: number = Access.read, truncate = false) =>
  ask(by, "open", ({ at }) => ({ inode: at(path), access, truncate }))

const opening = (by: Actor, path: string, access: number = Access.read) => (world: World) => [
  { _tag: "FileOpened", session: by.session, handle: world.last(by) + 1, inode: world.at(path), access } as const
]

const opensOf = (by: Actor, path: string) => (world: World) => ({
  attributes: world.stat(path),
  handle: world.last(by)
})

describe("open", () => {
  it("gives a handle that is the request's number", () => {
    const { world } = given(file("/x"))
      .when(open(alice, "/x")).happens(opening(alice, "/x")).replying(opensOf(alice, "/x"))
      .when(open(root, "/x", 3)).happens(opening(root, "/x", 3)).replying(opensOf(root, "/x"))
    expect(world.find("/x").opens).toBe(2)
    expect(world.live.expectSession(alice.session).opens.get(world.last(alice))).toEqual({
      inode: world.at("/x"),
      access: Access.read
    })
  })

  it("opens directories for reading, and fifos for anything", () => {
    given(directory("/d"), fifo("/p", { owner: alice }))
      .when(open(alice, "/d")).happens(opening(alice, "/d"))
      .when(open(alice, "/p", 3)).happens(opening(alice, "/p", 3))
      .when(open(alice, "/p", 3, true)).happens(opening(alice, "/p", 3))
  })

  it("wants the rights that its use needs", () => {
    given(file("/r", { mode: 0o604 }), file("/w", { mode: 0o602 }), directory("/d", { mode: 0o711 }))
      .when(open(alice, "/r", Access.write)).refuses("EACCES")
      .when(open(alice, "/r", 3)).refuses("EACCES")
      .when(open(alice, "/r", Access.read, true)).refuses("EACCES")
      .when(open(alice, "/w", Access.read)).refuses("EACCES")
      .when(open(alice, "/d")).refuses("EACCES")
      .when(open(alice, "/w", Access.write)).happens(opening(alice, "/w", Access.write))
  })

  it("cuts a file to nothing, which takes its privileges from it", () => {
    const { world } = given(file("/x", { mode: 0o6777, owner: alice }), written("/x", 5, 10))
      .and(xattr("/x", "security.capability", "c"))
      .when(open(alice, "/x", Access.write, true))
      .happens((world) => [
        { _tag: "XattrRemoved", inode: world.at("/x"), name: "security.capability" },
        attributesSet(world.at("/x"), { mode: 0o777 }),
        { _tag: "SizeSet", inode: world.at("/x"), size: 0 },
        ...opening(alice, "/x", Access.write)(world)
      ])
      .replying(opensOf(alice, "/x"))
    expect(world.stat("/x")).toMatchObject({ size: 0, dataBytes: 0, mtime: world.live.time })
  })

  it("refuses symbolic links, directories for writing, and what is not there", () => {
    given(symlink("/l", "x"), directory("/d", { mode: 0o700 }))
      .when(open(root, "/l")).refuses("ELOOP")
      .when(open(root, "/d", Access.write)).refuses("EISDIR")
      .when(open(root, "/d", Access.read, true)).refuses("EISDIR")
      .when(open(alice, "/d", Access.write)).refuses("EISDIR")
      .when(ask(root, "open", { inode: 99, access: 0, truncate: false })).refuses("ESTALE")
  })

  it.each([0, 4, 7, 128, 255])("refuses to open for %d, which is neither reading nor writing", (access) => {
    given(file("/x"))
      .when(open(root, "/x", access)).refuses("EINVAL")
  })

  it("opens no more files than a session may hold", () => {
    given(
      file("/x", { mode: 0o600 }),
      forged((state) => {
        const { opens } = state.expectSession(root.session)
        Object.defineProperty(opens, "size", { value: Limits.opensPerSessionMax })
      })
    )
      .when(open(root, "/x")).refuses("ENFILE")
      .when(open(alice, "/x")).refuses("EACCES")
  })

  it("lets a handle outlive the permission and the name", () => {
    given(file("/x", { mode: 0o666 }), opened("/x", "h", alice, Access.write), removed("/x", "x"))
      .when(ask(root, "setAttributes", ({ the }) => ({ ...unset, inode: the("x"), mode: 0 })))
      .happens(({ the }) => [attributesSet(the("x"), { mode: 0 })])
      .when(ask(alice, "setAttributes", ({ the }) => ({ ...unset, inode: the("x"), handle: the("h"), size: 9 })))
      .happens(({ the }) => [{ _tag: "SizeSet", inode: the("x"), size: 9 }])
  })
})
