import { operations } from "#domain/Operations.ts"
import { type Actor, alice, bob, carol, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { awaited, ended, file, locked, opened, removed, written } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

type Reason = "closed" | "expired" | "evicted"

const endSession = (by: Actor, session = by.session, reason: Reason = "closed") =>
  ask(by, "endSession", ({ root }) => ({ inode: root, session, reason }))

const over = (actor: Actor, reason: Reason = "closed") =>
  [{ _tag: "SessionEnded", session: actor.session, reason }] as const

const granted = (actor: Actor, label: string, path = "/x") => ({ at, the }: World) => [
  { _tag: "LockGranted", inode: at(path), session: actor.session, request: the(label) } as const
]

/** The zone ends a session by itself. */
const expire = (world: World, actor: Actor) => {
  world.begin()
  world.decider.decideOwn(operations.endSession, {
    inode: world.root,
    session: actor.session,
    reason: "expired"
  })
  return world.commit()
}

describe("the end of a session", () => {
  it("forgets the session and remembers that it ended", () => {
    const { world } = given().when(endSession(alice)).happens(over(alice)).replying(undefined)
    expect([world.live.sessions.has(alice.session), world.live.ended.has(alice.session)]).toEqual([false, true])
  })

  it("is for one's own session alone", () => {
    given()
      .when(endSession(alice, bob.session)).refuses("EPERM")
      .when(endSession(root, bob.session, "evicted")).refuses("EPERM")
      .when(endSession(alice, 0)).refuses("EPERM")
      .when(endSession(alice, alice.session, "evicted")).happens(over(alice, "evicted"))
  })

  it("is for the zone too, for any session, once", () => {
    const { world } = given()
    expect(expire(world, bob).batch?.records).toEqual([
      { session: 0, request: 0, uid: 0, operation: operations.endSession.code, events: over(bob, "expired") }
    ])
    expect(expire(world, bob).batch).toBeUndefined()
  })

  it("closes its files, of which those without a name go", () => {
    const { world } = given(file("/x"), file("/y"), written("/y", 0, 10))
      .and(opened("/x", "a", alice, 1), opened("/x", "b", alice, 1), opened("/y", "c", alice, 1))
      .and(opened("/x", "d", bob, 1), removed("/y", "y"))
      .when(endSession(alice)).happens(over(alice))
    expect(world.find("/x").opens).toBe(1)
    expect(world.live.inode(world.the("y"))).toBeUndefined()
    expect(world.live.dataBytes).toBe(0)
  })

  it("grants its locks to who waits, on each file first come first served", () => {
    given(file("/x"), file("/y"), locked(alice, "/x"), locked(alice, "/y"))
      .and(awaited("bob x", bob, "/x"), awaited("carol x", carol, "/x"), awaited("carol y", carol, "/y"))
      .when(endSession(alice))
      .happens((world) => [
        ...over(alice),
        ...granted(bob, "bob x")(world),
        ...granted(carol, "carol y", "/y")(world)
      ])
      .completing(["bob x", "granted"], ["carol y", "granted"])
  })

  it("answers its own requests that wait with EINTR, and they are in nobody's way", () => {
    const { world } = given(file("/x"), locked(root, "/x"), awaited("alice", alice, "/x"))
      .when(endSession(alice)).happens(over(alice)).completing(["alice", "EINTR"])
    expect(world.find("/x").waiters).toEqual([])
  })

  it("frees between others what only its wait and its locks kept apart", () => {
    given(file("/x"), locked(alice, "/x", { start: 0, end: 9 }), locked(root, "/x", { start: 20, end: 29 }))
      .and(awaited("alice", alice, "/x", { start: 20, end: 29 }), awaited("bob", bob, "/x", { start: 0, end: 19 }))
      .when(endSession(alice)).happens((world) => [...over(alice), ...granted(bob, "bob")(world)])
      .completing(["alice", "EINTR"], ["bob", "granted"])
  })

  it("grants the lock of a file without a name to who waits for it", () => {
    const { world } = given(file("/x"), opened("/x", "h", alice, 1), locked(alice, "/x"), awaited("bob", bob, "/x"))
      .and(removed("/x", "x"))
      .when(endSession(alice))
      .happens(({ the }) => [
        ...over(alice),
        { _tag: "LockGranted", inode: the("x"), session: bob.session, request: the("bob") }
      ])
      .completing(["bob", "granted"])
    ended(bob)(world)
    expect(world.live.inode(world.the("x"))).toBeUndefined()
  })

  it("ends all sessions one after the other without a trace of locks or opens", () => {
    const { world } = given(file("/x"), opened("/x", "a", alice, 1), opened("/x", "b", bob, 1))
      .and(locked(alice, "/x"), awaited("bob", bob, "/x"), awaited("carol", carol, "/x"), removed("/x", "x"))
      .and(ended(bob), ended(alice), ended(carol))
    expect([world.live.inodeCount, world.live.locked.size, world.live.sessions.size]).toEqual([1, 0, 1])
  })
})
