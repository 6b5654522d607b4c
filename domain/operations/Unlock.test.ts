import * as StateCodec from "#domain/codec/StateCodec.ts"
import { Limits } from "#domain/Limits.ts"
import * as Locks from "#domain/Locks.ts"
import { type Actor, alice, bob, root } from "#domain/testing/Actors.ts"
import { lockBy } from "#domain/testing/Events.ts"
import { given, perform } from "#domain/testing/Given.ts"
import { awaited, file, forged, locked } from "#domain/testing/Steps.ts"
import { ask, bytesOf, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const unlock = (actor: Actor, range: Partial<Locks.Lock> = {}) =>
  ask(actor, "unlock", ({ at }) => {
    const { end, family, owner, start } = lockBy(actor, range)
    return { inode: at("/x"), family, owner, start, end }
  })

const released = (actor: Actor, range: Partial<Locks.Lock> = {}) => ({ at }: World) => [
  { _tag: "LockReleased", inode: at("/x"), lock: lockBy(actor, { ...range, type: "read", pid: 0 }) } as const
]

const ranges = (world: World) => world.find("/x").locks.map(({ end, start }) => [start, end])

describe("unlock", () => {
  it("frees what its owner holds", () => {
    const { world } = given(file("/x"), locked(alice, "/x"))
      .when(unlock(alice)).happens(released(alice)).replying(undefined)
    expect([ranges(world), world.live.locked.size]).toEqual([[], 0])
  })

  it("frees a range, which splits a lock in two", () => {
    const { world } = given(file("/x"), locked(alice, "/x"))
      .when(unlock(alice, { start: 10, end: 19 })).happens(released(alice, { start: 10, end: 19 }))
    expect(ranges(world)).toEqual([[0, 9], [20, Locks.END]])
    given(file("/x"), locked(alice, "/x", { start: 5, end: 9 }))
      .when(unlock(alice, { start: 0, end: 7 })).happens(released(alice, { start: 0, end: 7 }))
      .when(unlock(alice, { start: 9 })).happens(released(alice, { start: 9 }))
  })

  it("grants what waits for the range alone", () => {
    given(file("/x"), locked(alice, "/x"))
      .and(awaited("far", bob, "/x", { start: 50, end: 59 }), awaited("near", root, "/x", { start: 10, end: 10 }))
      .when(unlock(alice, { start: 0, end: 19 }))
      .happens((world) => [
        ...released(alice, { start: 0, end: 19 })(world),
        { _tag: "LockGranted", inode: world.at("/x"), session: root.session, request: world.the("near") }
      ])
      .completing(["near", "granted"])
  })

  it("does nothing where its owner holds nothing", () => {
    given(file("/x"), locked(alice, "/x", { start: 0, end: 9 }))
      .when(unlock(bob)).answers(undefined)
      .when(unlock(alice, { owner: 8 })).answers(undefined)
      .when(unlock(alice, { family: "flock" })).answers(undefined)
      .when(unlock(alice, { start: 10 })).answers(undefined)
  })

  it("refuses ranges that end before they start, and what is not there", () => {
    given(file("/x"))
      .when(unlock(alice, { start: 5, end: 4 })).refuses("EINVAL")
      .when(ask(alice, "unlock", { inode: 99, family: "posix", owner: 7, start: 0, end: 1 })).refuses("ESTALE")
  })

  it("makes no more locks than a snapshot gives back", () => {
    const { world } = given(
      file("/x"),
      forged((state, { at }) => {
        const locks = Array.from(
          { length: Limits.locksPerInodeMax },
          (_, i) => lockBy(root, { start: 4 * i, end: 4 * i + 2 })
        )
        state.locked.set(at("/x"), { locks, waiters: [] })
      })
    )
    perform(world, unlock(root, { start: 1, end: 1 }))
    expect(() => StateCodec.decode(bytesOf(world.live))).not.toThrow()
  })
})
