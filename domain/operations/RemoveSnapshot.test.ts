import { type Actor, alice, bob, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, removed, snapshot } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const remove = (by: Actor, directory: (world: World) => number, name: string) =>
  ask(by, "removeSnapshot", (world) => ({ directory: directory(world), name }))

const gone = (directory: (world: World) => number, name: string) => (world: World) => [
  { _tag: "SnapshotRemoved", directory: directory(world), name } as const
]

const d = ({ at }: World): number => at("/d")

describe("remove-snapshot", () => {
  it("takes one name away, and no other", () => {
    const { world } = given(directory("/d"), snapshot("/d", "a"), snapshot("/d", "b"), snapshot("/", "a"))
      .when(remove(root, d, "a")).happens(gone(d, "a")).replying(undefined)
      .when(remove(root, d, "a")).refuses("ENOENT")
    expect(world.live.snapshots.map(({ name, path }) => [path, name])).toEqual([["/d", "b"], ["/", "a"]])
  })

  it("frees the name for another moment", () => {
    const { world } = given(directory("/d"), snapshot("/d", "a", root, "first"))
      .when(remove(root, d, "a")).happens(gone(d, "a"))
      .and(snapshot("/d", "a", root, "second"))
    expect(world.live.snapshots.map(({ sequence }) => sequence)).toEqual([world.the("second")])
    expect(world.the("second")).toBeGreaterThan(world.the("first"))
  })

  it("is for the directory's owner and root, whoever took it", () => {
    given(directory("/d", { owner: alice }), snapshot("/d", "a"), snapshot("/d", "b"))
      .when(remove(bob, d, "a")).refuses("EPERM")
      .when(remove(alice, d, "a")).happens(gone(d, "a"))
      .when(remove(root, d, "b")).happens(gone(d, "b"))
  })

  it("is for who took it and root once the directory is gone", () => {
    const was = ({ the }: World): number => the("was")
    given(directory("/d", { owner: alice }), snapshot("/d", "a", alice), snapshot("/d", "b"), removed("/d", "was"))
      .when(remove(bob, was, "a")).refuses("EPERM")
      .when(remove(alice, was, "b")).refuses("EPERM")
      .when(remove(alice, was, "a")).happens(gone(was, "a"))
      .when(remove(root, was, "b")).happens(gone(was, "b"))
  })

  it("refuses what has no such snapshot", () => {
    given(directory("/d"), snapshot("/", "a"))
      .when(remove(root, d, "a")).refuses("ENOENT")
      .when(remove(root, () => 99, "a")).refuses("ENOENT")
  })
})
