import * as InodeNumber from "#domain/InodeNumber.ts"
import { operations } from "#domain/Operations.ts"
import { root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { ask, ROOT_MODE, World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const found = (world: World) => {
  world.begin()
  world.decider.decideOwn(operations.foundZone, { inode: world.root, mode: ROOT_MODE })
  return world.commit().batch?.records.flatMap(({ events }) => events)
}

describe("the founding of a zone", () => {
  it("makes its own root, which is its own parent and belongs to root", () => {
    const world = new World(7)
    expect(found(world)).toEqual([{ _tag: "ZoneFounded", zone: 7, mode: ROOT_MODE, uid: 0, gid: 0 }])
    expect(world.live.expect(InodeNumber.rootOf(7))).toMatchObject({
      mode: ROOT_MODE,
      nlink: 2,
      parent: InodeNumber.rootOf(7),
      ctime: world.live.time
    })
    expect([world.live.founded, world.live.nextInode, world.live.nextSlice]).toEqual([true, 2, 1])
  })

  it("happens once", () => {
    const world = new World(0)
    expect(found(world)).toHaveLength(1)
    expect(found(world)).toBeUndefined()
  })

  it("is not for clients", () => {
    given().when(ask(root, "foundZone", ({ root }) => ({ inode: root, mode: ROOT_MODE }))).refuses("EPERM")
  })
})
