import { Limits } from "#domain/Limits.ts"
import * as Locks from "#domain/Locks.ts"
import { type Actor, alice, bob, carol, root } from "#domain/testing/Actors.ts"
import { lockBy } from "#domain/testing/Events.ts"
import { given } from "#domain/testing/Given.ts"
import { awaited, file, forged, locked, lockOf, type Range } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const acquired = (actor: Actor, path = "/x", range: Partial<Locks.Lock> = {}) => ({ at }: World) => [
  { _tag: "LockAcquired", inode: at(path), lock: lockBy(actor, range) } as const
]

const granted = (actor: Actor, label: string, path = "/x") => ({ at, the }: World) => [
  { _tag: "LockGranted", inode: at(path), session: actor.session, request: the(label) } as const
]

const waiting = (actor: Actor, range: Range = {}, path = "/x") => lockOf(actor, path, { ...range, wait: true })

const unlock = (actor: Actor, path = "/x", range: Partial<Locks.Lock> = {}) =>
  ask(actor, "unlock", ({ at }) => {
    const { end, family, owner, start } = lockBy(actor, range)
    return { inode: at(path), family, owner, start, end }
  })

const released = (actor: Actor, path = "/x", range: Partial<Locks.Lock> = {}) => ({ at }: World) => [
  { _tag: "LockReleased", inode: at(path), lock: lockBy(actor, { ...range, type: "read", pid: 0 }) } as const
]

/** Who holds what: the actor's session and owner, and the range. */
const held = (world: World, path = "/x") =>
  world.find(path).locks
    .map(({ end, owner, session, start, type }) => `${session}:${owner} ${type} ${start}-${end}`).sort()

const shared = { type: "read" } as const
const bytes = (start: number, end: number) => ({ start, end })

describe("lock", () => {
  it("is taken at once where nobody else's is in the way", () => {
    given(file("/x"), file("/y"))
      .when(lockOf(alice, "/x")).happens(acquired(alice)).replying(undefined)
      .when(lockOf(bob, "/y")).happens(acquired(bob, "/y"))
  })

  it("is shared by readers, and by nobody with a writer", () => {
    given(file("/x"))
      .when(lockOf(alice, "/x", shared)).happens(acquired(alice, "/x", shared))
      .when(lockOf(bob, "/x", shared)).happens(acquired(bob, "/x", shared))
      .when(lockOf(carol, "/x")).refuses("EAGAIN")
      .and(file("/y"), locked(alice, "/y"))
      .when(lockOf(bob, "/y", shared)).refuses("EAGAIN")
  })

  it("meets others byte by byte", () => {
    given(file("/x"), locked(alice, "/x", bytes(10, 19)))
      .when(lockOf(bob, "/x", bytes(0, 9))).happens(acquired(bob, "/x", bytes(0, 9)))
      .when(lockOf(bob, "/x", bytes(20, Locks.END))).happens(acquired(bob, "/x", bytes(20, Locks.END)))
      .when(lockOf(bob, "/x", bytes(9, 10))).refuses("EAGAIN")
      .when(lockOf(bob, "/x", bytes(19, 19))).refuses("EAGAIN")
      .when(lockOf(alice, "/x", bytes(Locks.END, Locks.END))).refuses("EAGAIN")
  })

  it("tells two owners of one session apart", () => {
    given(file("/x"), locked(alice, "/x"))
      .when(lockOf(alice, "/x", { owner: 8 })).refuses("EAGAIN")
      .when(lockOf(alice, "/x", { owner: 7 })).happens(acquired(alice))
  })

  it("of one family does not meet the other's", () => {
    given(file("/x"), locked(alice, "/x"))
      .when(lockOf(bob, "/x", { family: "flock" })).happens(acquired(bob, "/x", { family: "flock" }))
      .when(lockOf(carol, "/x", { family: "flock", ...shared })).refuses("EAGAIN")
  })

  it("needs no rights to the file", () => {
    given(file("/x", { mode: 0o000 })).when(lockOf(carol, "/x")).happens(acquired(carol))
  })

  it("refuses ranges that end before they start, and what is not there", () => {
    given(file("/x"))
      .when(lockOf(alice, "/x", bytes(5, 4))).refuses("EINVAL")
      .when(ask(alice, "lock", { ...lockBy(alice), inode: 99, wait: true })).refuses("ESTALE")
  })

  it("refuses more locks than one inode may have, those awaited among them", () => {
    const full = (place: "locks" | "waiters") =>
      forged((state, { at }) => {
        const { locks, waiters } = state.expect(at("/x"))
        const many = Array.from({ length: Limits.locksPerInodeMax }, (_, i) => ({
          ...lockBy(root, { owner: i, start: 2 * i, end: 2 * i }),
          request: 1_000_000 + i
        }))
        state.locked.set(at("/x"), { locks, waiters, [place]: many })
      })
    given(file("/x"), full("locks"))
      .when(lockOf(alice, "/x", bytes(1, 1))).refuses("ENOLCK")
      .when(lockOf(alice, "/x", bytes(0, 0))).refuses("EAGAIN")
    given(file("/x"), locked(bob, "/x"), full("waiters"))
      .when(waiting(alice)).refuses("ENOLCK")
  })
})

describe("an owner's locks", () => {
  it("merge where they touch and are alike", () => {
    const { world } = given(file("/x"))
      .and(locked(alice, "/x", bytes(0, 9)), locked(alice, "/x", bytes(20, 29)), locked(alice, "/x", bytes(10, 19)))
    expect(held(world)).toEqual(["2:7 write 0-29"])
    locked(alice, "/x", { ...bytes(30, 39), ...shared })(world)
    expect(held(world)).toEqual(["2:7 read 30-39", "2:7 write 0-29"])
    locked(alice, "/x", { ...bytes(40, Locks.END), ...shared })(world)
    expect(held(world)).toEqual([`2:7 read 30-${Locks.END}`, "2:7 write 0-29"])
  })

  it("split where a range of them becomes another kind", () => {
    const { world } = given(file("/x"), locked(alice, "/x", bytes(0, 99)))
      .when(lockOf(alice, "/x", { ...bytes(40, 59), ...shared }))
      .happens(acquired(alice, "/x", { ...bytes(40, 59), ...shared }))
    expect(held(world)).toEqual(["2:7 read 40-59", "2:7 write 0-39", "2:7 write 60-99"])
    locked(alice, "/x", bytes(30, 69))(world)
    expect(held(world)).toEqual(["2:7 write 0-99"])
  })

  it("are replaced by a wider one", () => {
    const { world } = given(
      file("/x"),
      locked(alice, "/x", bytes(5, 6)),
      locked(alice, "/x", { ...bytes(8, 9), ...shared })
    )
    locked(alice, "/x")(world)
    expect(held(world)).toEqual([`2:7 write 0-${Locks.END}`])
  })
})

describe("a lock that is waited for", () => {
  it("is kept in the zone, and granted by an unlock", () => {
    given(file("/x"), locked(alice, "/x"))
      .when(waiting(bob)).waits("bob", (world) => [
        {
          _tag: "LockAwaited",
          inode: world.at("/x"),
          waiter: { ...lockBy(bob), request: world.last(bob) + 1 }
        }
      ])
      .when(unlock(alice)).happens((world) => [...released(alice)(world), ...granted(bob, "bob")(world)])
      .completing(["bob", "granted"])
      .when(unlock(bob)).happens(released(bob))
  })

  it("is granted first come first served", () => {
    const { world } = given(file("/x"), locked(root, "/x"))
      .and(awaited("alice", alice, "/x"), awaited("bob", bob, "/x", shared), awaited("carol", carol, "/x", shared))
      .when(unlock(root)).happens((world) => [...released(root)(world), ...granted(alice, "alice")(world)])
      .completing(["alice", "granted"])
      .when(unlock(alice)).happens((world) => [
        ...released(alice)(world),
        ...granted(bob, "bob")(world),
        ...granted(carol, "carol")(world)
      ])
      .completing(["bob", "granted"], ["carol", "granted"])
    expect(world.live.expect(world.at("/x")).waiters).toEqual([])
  })

  it("is granted past earlier ones that must go on waiting", () => {
    given(file("/x"), locked(root, "/x", bytes(0, 9)), locked(root, "/x", { ...bytes(20, 29), ...shared }))
      .and(awaited("alice", alice, "/x", bytes(0, 29)), awaited("bob", bob, "/x", bytes(0, 9)))
      .when(unlock(root, "/x", bytes(0, 9)))
      .happens((world) => [...released(root, "/x", bytes(0, 9))(world), ...granted(bob, "bob")(world)])
      .completing(["bob", "granted"])
  })

  it("is granted by a downgrade", () => {
    given(file("/x"), locked(alice, "/x"), awaited("bob", bob, "/x", shared), awaited("carol", carol, "/x"))
      .when(lockOf(alice, "/x", shared))
      .happens((world) => [...acquired(alice, "/x", shared)(world), ...granted(bob, "bob")(world)])
      .completing(["bob", "granted"])
  })

  it("is granted by the grant of another one that frees it", () => {
    given(file("/x"), locked(alice, "/x", bytes(0, 10)), locked(root, "/x", bytes(15, 20)))
      .and(awaited("bob", bob, "/x", { ...bytes(0, 10), ...shared }))
      .and(awaited("alice", alice, "/x", { ...bytes(0, 20), ...shared }))
      .when(unlock(root, "/x", bytes(15, 20)))
      .happens((world) => [
        ...released(root, "/x", bytes(15, 20))(world),
        ...granted(alice, "alice")(world),
        ...granted(bob, "bob")(world)
      ])
      .completing(["alice", "granted"], ["bob", "granted"])
  })

  it("keeps what its owner holds meanwhile", () => {
    const { world } = given(file("/x"), locked(alice, "/x", shared), locked(bob, "/x", shared))
      .when(waiting(alice)).waits("alice")
    expect(held(world)).toEqual([`2:7 read 0-${Locks.END}`, `3:7 read 0-${Locks.END}`])
  })

  it("does not keep others from what is free", () => {
    given(file("/x"), locked(alice, "/x", shared), awaited("bob", bob, "/x"))
      .when(lockOf(carol, "/x", shared)).happens(acquired(carol, "/x", shared))
  })
})

describe("a wait that could never end", () => {
  it("is refused between two owners and two files", () => {
    given(file("/x"), file("/y"), locked(alice, "/x"), locked(bob, "/y"), awaited("alice", alice, "/y"))
      .when(waiting(bob)).refuses("EDEADLK")
      .when(lockOf(bob, "/x")).refuses("EAGAIN")
  })

  it("is refused around a circle of three files", () => {
    given(file("/x"), file("/y"), file("/z"), locked(alice, "/x"), locked(bob, "/y"), locked(carol, "/z"))
      .and(awaited("alice", alice, "/y"), awaited("bob", bob, "/z"))
      .when(waiting(carol)).refuses("EDEADLK")
      .and(file("/w"), locked(root, "/w"))
      .when(waiting(carol, {}, "/w")).waits("carol")
  })

  it("is refused between ranges of one file, and between two upgrades", () => {
    given(file("/x"), locked(alice, "/x", bytes(0, 9)), locked(bob, "/x", bytes(10, 19)))
      .and(awaited("alice", alice, "/x", bytes(10, 19)))
      .when(waiting(bob, bytes(0, 9))).refuses("EDEADLK")
      .and(file("/y"), locked(alice, "/y", { ...shared, owner: 1 }), locked(bob, "/y", { ...shared, owner: 1 }))
      .and(awaited("upgrade", alice, "/y", { owner: 1 }))
      .when(waiting(bob, { owner: 1 }, "/y")).refuses("EDEADLK")
  })

  it("is refused between two owners of one session", () => {
    given(file("/x"), file("/y"), locked(alice, "/x", { owner: 1 }), locked(alice, "/y", { owner: 2 }))
      .and(awaited("first", alice, "/y", { owner: 1 }))
      .when(waiting(alice, { owner: 2 })).refuses("EDEADLK")
  })

  it("is refused through any of several holders", () => {
    given(file("/x"), file("/y"), locked(carol, "/x", shared), locked(alice, "/x", shared), locked(bob, "/y"))
      .and(awaited("alice", alice, "/y"))
      .when(waiting(bob)).refuses("EDEADLK")
  })

  it("is not seen where the circle is open", () => {
    given(file("/x"), file("/y"), locked(alice, "/x"), locked(bob, "/y"), awaited("alice", alice, "/y"))
      .when(waiting(carol)).waits("carol")
      .when(waiting(bob, { owner: 8 })).waits("other owner")
      .when(ask(alice, "cancelLock", ({ at, the }) => ({ inode: at("/y"), waiting: the("alice") })))
      .happens(({ at, the }) => [
        { _tag: "LockAbandoned", inode: at("/y"), session: alice.session, request: the("alice") }
      ])
      .completing(["alice", "EINTR"])
      .when(waiting(bob)).waits("bob")
  })

  it("is not left to two upgrades of whole-file locks, as flock gives the old lock up first", () => {
    const whole = { family: "flock", owner: 3 } as const
    const { world } = given(file("/x"), locked(alice, "/x", { ...whole, ...shared }))
      .and(locked(bob, "/x", { ...whole, ...shared }))
      .and(awaited("alice", alice, "/x", whole), awaited("bob", bob, "/x", whole))
    expect(world.find("/x").locks.map(({ type }) => type)).toEqual(["write"])
  })
})
