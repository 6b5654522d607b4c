import { Limits } from "#domain/Limits.ts"
import { operations } from "#domain/Operations.ts"
import { type Actor, alice, descriptorOf } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { file, forged } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

/** Somebody whom the zone does not know yet. */
const dave: Actor = { name: "dave", session: 2 ** 52 - 1, who: { uid: 1003, gid: 1003, groups: [] } }

const openSession = (actor: Actor) =>
  ask(actor, "openSession", ({ root }) => ({ inode: root, descriptor: descriptorOf(actor) }))

const opened = [{ _tag: "SessionOpened", session: dave.session, descriptor: descriptorOf(dave) } as const]

describe("the opening of a session", () => {
  it("makes it known to the zone, with who it is and since when", () => {
    const { world } = given().when(openSession(dave)).happens(opened).replying(undefined)
    const session = world.live.expectSession(dave.session)
    expect(session.descriptor).toEqual(descriptorOf(dave))
    expect(session.since).toEqual(world.live.time)
  })

  it("goes before a session's first change by itself", () => {
    given()
      .when(ask(dave, "reserveSlices", ({ root }) => ({ inode: root, count: 1 })))
      .happens([...opened, { _tag: "SlicesReserved", first: 1, count: 1 }])
      .when(ask(dave, "reserveSlices", ({ root }) => ({ inode: root, count: 1 })))
      .happens([{ _tag: "SlicesReserved", first: 2, count: 1 }])
  })

  it("happens though the first change is refused", () => {
    const { world } = given()
    world.begin()
    const refused = ask(dave, "unlink", ({ root }: World) => ({ parent: root, name: "no" }))
    world.decide(world.message(dave, [world.command(refused)]))
    expect(world.commit().batch?.records.map(({ events, request }) => [request, events])).toEqual([[0, opened]])
  })

  it("does not happen for a read", () => {
    given(file("/x")).when(ask(dave, "getAttributes", ({ at }) => ({ inode: at("/x") })))
      .answers(({ stat }) => ({ attributes: stat("/x") }))
  })

  it("happens once", () => {
    given().when(openSession(alice)).answers(undefined)
  })

  it("is refused when the zone keeps as many sessions as it may", () => {
    given(forged((state) => void Object.defineProperty(state.sessions, "size", { value: Limits.sessionsPerZoneMax })))
      .when(openSession(dave)).refuses("ENFILE")
      .when(ask(dave, "reserveSlices", ({ root }) => ({ inode: root, count: 1 }))).refuses("ENFILE")
      .when(openSession(alice)).answers(undefined)
  })

  it("is not for the zone itself", () => {
    const { world } = given()
    world.begin()
    world.decider.decideOwn(operations.openSession, { inode: world.root, descriptor: descriptorOf(dave) })
    expect(world.commit().batch).toBeUndefined()
  })
})
