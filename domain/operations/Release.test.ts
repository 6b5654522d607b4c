import { type Actor, alice, bob, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, ended, file, opened, removed, written } from "#domain/testing/Steps.ts"
import { ask } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const release = (by: Actor, label: string, handle: string) =>
  ask(by, "release", ({ the }) => ({ inode: the(label), handle: the(handle) }))

const released = (by: Actor, label: string) => ({ the }: { readonly the: (label: string) => number }) => [
  { _tag: "FileReleased", session: by.session, handle: the(label) } as const
]

const openTwice = () =>
  given(file("/x"), written("/x", 0, 10), opened("/x", "a", alice, 1), opened("/x", "b", bob, 1))
    .and((world) => world.call("x", world.at("/x")))

describe("release", () => {
  it("gives a handle back", () => {
    const { world } = openTwice().when(release(alice, "x", "a")).happens(released(alice, "a")).replying(undefined)
    expect(world.find("/x").opens).toBe(1)
  })

  it("lets a file without a name go with its last handle, and its data with it", () => {
    const { world } = openTwice()
      .and(removed("/x", "x"))
      .when(release(alice, "x", "a")).happens(released(alice, "a"))
      .when(ask(root, "getAttributes", ({ the }) => ({ inode: the("x") })))
      .answers(({ live, the }) => ({ attributes: live.expect(the("x")).attributes() }))
      .when(release(bob, "x", "b")).happens(released(bob, "b"))
      .when(ask(root, "getAttributes", ({ the }) => ({ inode: the("x") }))).refuses("ESTALE")
    expect(world.live.dataBytes).toBe(0)
  })

  it("lets a file without a name go with the last session that has it open", () => {
    const { world } = openTwice().and(removed("/x", "x"), ended(alice))
    expect(world.live.expect(world.the("x")).opens).toBe(1)
    ended(bob)(world)
    expect(world.live.inode(world.the("x"))).toBeUndefined()
  })

  it("refuses handles of others, of other files, and those given back already", () => {
    openTwice()
      .and(directory("/d"), (world) => world.call("d", world.at("/d")))
      .when(release(root, "x", "a")).refuses("EBADF")
      .when(release(alice, "d", "a")).refuses("EBADF")
      .when(ask(alice, "release", ({ the }) => ({ inode: the("x"), handle: 0 }))).refuses("EBADF")
      .when(ask(alice, "release", { inode: 99, handle: 1 })).refuses("EBADF")
      .when(release(alice, "x", "a")).happens(released(alice, "a"))
      .when(release(alice, "x", "a")).refuses("EBADF")
  })
})
