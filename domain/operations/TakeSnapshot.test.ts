import { Limits } from "#domain/Limits.ts"
import { type Actor, alice, bob, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { impossible, LONGEST } from "#domain/testing/Names.ts"
import { directory, file, forged, opened, removed, snapshot } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const take = (by: Actor, path: string, name: string) =>
  ask(by, "takeSnapshot", ({ at }) => ({ directory: at(path), name, path }))

const taken = (by: Actor, path: string, name: string) => ({ at }: World) => [
  { _tag: "SnapshotTaken", directory: at(path), name, uid: by.who.uid, path } as const
]

describe("take-snapshot", () => {
  it("names the present of a directory, in one event, and touches nothing in it", () => {
    const { world } = given(directory("/d"), file("/d/x"))
    const before = world.stat("/d")
    given(directory("/d"), file("/d/x"))
      .when(take(root, "/d", "monday")).happens(taken(root, "/d", "monday"))
      .replying(({ at, live }) => ({
        snapshot: { directory: at("/d"), name: "monday", sequence: live.sequence, time: live.time, uid: 0, path: "/d" }
      }))
    expect(world.stat("/d")).toEqual(before)
  })

  it("is for the directory's owner and root", () => {
    given(directory("/d", { owner: alice, mode: 0o777 }))
      .when(take(bob, "/d", "s")).refuses("EPERM")
      .when(take(alice, "/d", "s")).happens(taken(alice, "/d", "s"))
      .when(take(root, "/d", "t")).happens(taken(root, "/d", "t"))
  })

  it("wants a name that is free in its directory, which others may use", () => {
    given(directory("/d"), directory("/e"), file("/d/s"), snapshot("/d", "s"))
      .when(take(root, "/d", "s")).refuses("EEXIST")
      .when(take(root, "/e", "s")).happens(taken(root, "/e", "s"))
      .when(take(root, "/d", LONGEST)).happens(taken(root, "/d", LONGEST))
  })

  it("refuses what is no directory, what is not there and what was removed", () => {
    given(file("/x"), directory("/d"), opened("/d", "h", root, 1), removed("/d", "d"))
      .when(take(root, "/x", "s")).refuses("ENOTDIR")
      .when(ask(root, "takeSnapshot", { directory: 99, name: "s", path: "/" })).refuses("ESTALE")
      .when(ask(root, "takeSnapshot", ({ the }) => ({ directory: the("d"), name: "s", path: "/" }))).refuses("ENOENT")
  })

  it.each(impossible)("refuses the name %j with %s", (name, errno) => {
    given().when(take(root, "/", name)).refuses(errno)
  })

  it("refuses when the zone keeps as many as it may", () => {
    given(forged((state, { root: directory }) => {
      for (let i = state.snapshots.length; i < Limits.snapshotsPerZoneMax; i++) {
        state.snapshots.push({ directory, name: `s${i}`, sequence: i + 1, time: state.time, uid: 0, path: "/" })
      }
    })).when(take(root, "/", "one more")).refuses("ENOSPC")
  })
})
