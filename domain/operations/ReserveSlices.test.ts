import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import { type Actor, alice, bob, root } from "#domain/testing/Actors.ts"
import { Given, given } from "#domain/testing/Given.ts"
import { ended, forged } from "#domain/testing/Steps.ts"
import { ask, World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const reserve = (by: Actor, count: number) => ask(by, "reserveSlices", ({ root }) => ({ inode: root, count }))

const reserved = (local: number, count: number) => ({ zone }: World) => [
  { _tag: "SlicesReserved", first: InodeNumber.make(zone, local), count } as const
]

describe("the reservation of slices", () => {
  it("gives numbers in runs, to anybody", () => {
    given()
      .when(reserve(alice, 3)).happens(reserved(1, 3)).replying({ first: 1, count: 3 })
      .when(reserve(bob, 1)).happens(reserved(4, 1)).replying({ first: 4, count: 1 })
  })

  it("gives numbers of its own zone", () => {
    new Given(World.founded(5)).when(reserve(root, 2)).happens(reserved(1, 2))
      .replying({ first: InodeNumber.make(5, 1), count: 2 })
  })

  it("never gives a number twice, whatever becomes of the session or of the zone", () => {
    const { world } = given().when(reserve(alice, 10)).happens(reserved(1, 10)).and(ended(alice))
    world.restart()
    new Given(world).when(reserve(bob, 10)).happens(reserved(11, 10))
    expect(world.live.nextSlice).toBe(21)
  })

  it("gives from one number to as many as a reservation may take", () => {
    const max = Limits.slicesPerReservationMax
    given()
      .when(reserve(alice, 0)).refuses("EINVAL")
      .when(reserve(alice, max + 1)).refuses("EINVAL")
      .when(reserve(alice, max)).happens(reserved(1, max))
  })

  it("refuses when too few numbers are left", () => {
    given(forged((state) => {
      state.nextSlice = Limits.localNumberMax - 9
    }))
      .when(reserve(alice, 11)).refuses("ENOSPC")
      .when(reserve(alice, 9)).happens(reserved(Limits.localNumberMax - 9, 9))
      .when(reserve(alice, 2)).refuses("ENOSPC")
  })
})
