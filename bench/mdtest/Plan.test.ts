import type { Shape } from "#bench/mdtest/Options.ts"
import * as Plan from "#bench/mdtest/Plan.ts"
import { describe, expect, it } from "vitest"

const shape: Shape = {
  tasks: 2,
  zones: 1,
  callers: 1,
  batch: 1,
  items: 100,
  itemsPerDirectory: undefined,
  branching: 1,
  depth: 0,
  unique: false,
  writeBytes: 0
}

const shapes: ReadonlyArray<Shape> = [1, 2, 3, 7].flatMap((zones) =>
  [1, 2, 5].flatMap((tasks) =>
    [false, true].flatMap((unique) =>
      [[1, 0], [1, 3], [3, 2]].flatMap(([branching = 1, depth = 0]) =>
        [undefined, 4].map((itemsPerDirectory) => ({
          ...shape,
          zones,
          tasks,
          unique,
          branching,
          depth,
          itemsPerDirectory
        }))
      )
    )
  )
)

const tasksOf = ({ tasks }: Shape): ReadonlyArray<number> => Array.from({ length: tasks }, (_, task) => task)

describe("the plan of mdtest", () => {
  it("gives each task all of its items, once, in directories that are there", () => {
    for (const one of shapes) {
      const { directories, itemsPerDirectory, trees } = Plan.treesOf(one)
      for (const task of tasksOf(one)) {
        const lanes = Plan.lanesOf(one, task)
        expect(lanes.reduce((sum, { items }) => sum + items, 0)).toBe(100)
        expect(new Set(lanes.map(({ zone }) => zone)).size).toBe(lanes.length)
        for (const { items, zone } of lanes) {
          expect(zone).toBeLessThan(one.zones)
          expect(items).toBeLessThanOrEqual(trees * directories * itemsPerDirectory)
        }
      }
    }
  })

  it("has one task that makes each zone's test directory and each tree", () => {
    for (const one of shapes) {
      const all = tasksOf(one).flatMap((task) => Plan.lanesOf(one, task))
      for (const zone of new Set(all.map((lane) => lane.zone))) {
        const here = all.filter((lane) => lane.zone === zone)
        expect(here.filter(({ hasTest }) => hasTest)).toHaveLength(1)
        for (const owner of new Set(here.map((lane) => lane.owner))) {
          expect(here.filter((lane) => lane.owner === owner && lane.keeps)).toHaveLength(1)
        }
      }
    }
  })

  it("uses every zone as long as there are tasks for it", () => {
    const zonesOf = (one: Shape) =>
      new Set(tasksOf(one).flatMap((task) => Plan.lanesOf(one, task).map(({ zone }) => zone))).size
    expect(zonesOf({ ...shape, zones: 7 })).toBe(7)
    expect(zonesOf({ ...shape, zones: 7, unique: true })).toBe(7)
    expect(zonesOf({ ...shape, zones: 2, tasks: 5, unique: true })).toBe(2)
  })

  it("reaches every directory level by level, each below one of the level above", () => {
    for (const [branching, depth, trees] of [[1, 0, 3], [1, 3, 1], [3, 2, 2]] as const) {
      const directories = depth === 2 ? 13 : depth + 1
      const forest = { trees, directories, itemsPerDirectory: 1 }
      const seen = new Set<number>([-1])
      for (let depthNow = 0; depthNow <= depth; depthNow++) {
        const level = Plan.levelOf(forest, branching, depthNow)
        const here = Array.from({ length: level.count }, (_, n) => level.directory(n))
        for (const directory of here) expect(seen).toContain(level.parent(directory))
        for (const directory of here) seen.add(directory)
      }
      expect([...seen].sort((a, b) => a - b)).toEqual(
        Array.from({ length: trees * directories + 1 }, (_, n) => n - 1)
      )
    }
  })

  it("grows as many trees as the items of a directory ask for", () => {
    expect(Plan.treesOf({ ...shape, itemsPerDirectory: 10 })).toMatchObject({ trees: 10, itemsPerDirectory: 10 })
    expect(Plan.treesOf({ ...shape, itemsPerDirectory: 10, branching: 3, depth: 1 })).toMatchObject({ trees: 3 })
    expect(Plan.treesOf({ ...shape, branching: 3, depth: 1 })).toMatchObject({ trees: 1, itemsPerDirectory: 25 })
    expect(Plan.itemsFor({ ...shape, zones: 2, branching: 3, depth: 1 }, 10)).toBe(80)
  })
})
