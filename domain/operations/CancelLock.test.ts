import * as Locks from "#domain/Locks.ts"
import { type Actor, alice, bob, carol, root } from "#domain/testing/Actors.ts"
import { lockBy } from "#domain/testing/Events.ts"
import { given } from "#domain/testing/Given.ts"
import { awaited, file, locked } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const cancel = (actor: Actor, label: string, path = "/x") =>
  ask(actor, "cancelLock", ({ at, the }) => ({ inode: at(path), waiting: the(label) }))

const abandoned = (actor: Actor, label: string) => ({ at, the }: World) => [
  { _tag: "LockAbandoned", inode: at("/x"), session: actor.session, request: the(label) } as const
]

describe("the end of a wait", () => {
  it("answers the request that waited with EINTR", () => {
    const { world } = given(file("/x"), locked(root, "/x"), awaited("alice", alice, "/x"), awaited("bob", bob, "/x"))
      .when(cancel(alice, "alice")).happens(abandoned(alice, "alice")).replying(undefined)
      .completing(["alice", "EINTR"])
    expect(world.find("/x").waiters.map(({ session }) => session)).toEqual([bob.session])
  })

  it("is remembered: the request gets EINTR when it is asked again", () => {
    const { world } = given(file("/x"), locked(root, "/x"), awaited("alice", alice, "/x"))
      .when(cancel(alice, "alice")).happens(abandoned(alice, "alice"))
    expect(world.live.expectSession(alice.session).replies.get(world.the("alice"))).toBe("\x04\0")
    expect(world.replica.expectSession(alice.session).replies.get(world.the("alice"))).toBe("\x04\0")
  })

  it("does nothing to a request that waits no more, or never did", () => {
    const { world } = given(file("/x"), file("/y"), locked(root, "/x"), awaited("alice", alice, "/x"))
      .when(cancel(alice, "alice", "/y")).answers(undefined)
      .when(ask(alice, "cancelLock", ({ at }) => ({ inode: at("/x"), waiting: 12_345 }))).answers(undefined)
      .when(ask(root, "unlock", ({ at }) => ({ inode: at("/x"), family: "posix", owner: 7, start: 0, end: 2 ** 40 })))
      .happens(({ at }) => [
        {
          _tag: "LockReleased",
          inode: at("/x"),
          lock: lockBy(root, { type: "read", pid: 0, end: 2 ** 40 })
        }
      ])
      .when(ask(root, "unlock", ({ at }) => ({ inode: at("/x"), family: "posix", owner: 7, start: 0, end: Locks.END })))
      .happens(({ at, the }) => [
        { _tag: "LockReleased", inode: at("/x"), lock: lockBy(root, { type: "read", pid: 0 }) },
        { _tag: "LockGranted", inode: at("/x"), session: alice.session, request: the("alice") }
      ])
      .when(cancel(alice, "alice")).answers(undefined)
    expect(world.find("/x").locks).toEqual([lockBy(alice)])
  })

  it("is not for the waits of others", () => {
    given(file("/x"), locked(root, "/x"), awaited("alice", alice, "/x"))
      .when(cancel(carol, "alice")).answers(undefined)
      .when(cancel(alice, "alice")).happens(abandoned(alice, "alice"))
  })

  it("refuses what is not there", () => {
    given().when(ask(alice, "cancelLock", { inode: 99, waiting: 1 })).refuses("ESTALE")
  })
})
