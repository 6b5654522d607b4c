import { Entries } from "#domain/state/Entries.ts"
import { Dice } from "#domain/testing/Dice.ts"
import { same } from "#domain/testing/Same.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import { describe, expect, it } from "vitest"

const { list } = seedsOf(process.env)
/** A directory of thousands of names from each. */
const seeds = list.slice(0, Math.max(1, list.length / 20))

const STEPS = 12_000

/** Names of mixed lengths and bytes, some of them each other's beginnings; the same ones come again. */
const nameOf = (dice: Dice): string => {
  const number = dice.below(6000)
  switch (number % 3) {
    case 0:
      return `file.${number}`
    case 1:
      return String.fromCharCode(1 + (number % 255), number % 7 === 0 ? 255 : 97) + "x".repeat(number % 5)
    default:
      return `file.mdtest.${number % 50}.${"0".repeat(number % 4)}${number}`
  }
}

const all = (entries: Entries, after = ""): Array<readonly [string, number]> => {
  const found: Array<readonly [string, number]> = []
  entries.walk(after, (name, inode) => {
    found.push([name, inode])
    return true
  })
  return found
}

const sorted = (model: ReadonlyMap<string, number>): ReadonlyArray<readonly [string, number]> =>
  [...model].toSorted(([a], [b]) => (a < b ? -1 : 1))

describe("the entries of a directory", () => {
  it.each(seeds)("are a sorted map, whatever comes and goes (seed %d)", (seed) => {
    const dice = new Dice(seed)
    const entries = new Entries()
    const model = new Map<string, number>()
    // First it grows, then it changes, then it shrinks.
    for (let step = 0; step < STEPS; step++) {
      const name = nameOf(dice)
      const removes = dice.chance(step < STEPS / 3 ? 10 : step < (STEPS * 2) / 3 ? 50 : 85)
      if (removes) same(`step ${step}: whether ${name} was there`, entries.delete(name), model.delete(name))
      else {
        entries.set(name, step)
        model.set(name, step)
      }
      const other = nameOf(dice)
      same(`step ${step}: ${other}`, entries.get(other), model.get(other))
      same(`step ${step}: the size`, entries.size, model.size)
      if (step % 1000 === 999) same(`step ${step}: all entries`, all(entries), sorted(model))
    }
    expect(model.size).toBeGreaterThan(100)
    for (const name of model.keys()) expect(entries.delete(name)).toBe(true)
    expect([entries.size, all(entries)]).toEqual([0, []])
    entries.set("again", 1)
    expect([entries.size, all(entries)]).toEqual([1, [["again", 1]]])
  })

  it("are walked from any name, there or not, in pages of any length", () => {
    const dice = new Dice(seeds[0] ?? 1)
    const entries = new Entries()
    const model = new Map<string, number>()
    for (let i = 0; i < 5000; i++) {
      const name = nameOf(dice)
      entries.set(name, i)
      model.set(name, i)
    }
    const names = sorted(model)
    for (let i = 0; i < 200; i++) {
      const after = dice.chance(50) ? nameOf(dice) : names[dice.below(names.length)]![0].slice(0, 1 + dice.below(9))
      const limit = 1 + dice.below(600)
      const page: Array<string> = []
      entries.walk(after, (name) => {
        page.push(name)
        return page.length < limit
      })
      expect(page).toEqual(names.map(([name]) => name).filter((name) => name > after).slice(0, limit))
    }
  })

  it("are packed densely when they are created in order", () => {
    const entries = new Entries()
    const names = Array.from({ length: 5000 }, (_, i) => `f${String(i).padStart(6, "0")}`)
    for (const [i, name] of names.entries()) entries.set(name, i)
    expect(all(entries).map(([name]) => name)).toEqual(names)
    const { runs } = entries as unknown as { readonly runs: ReadonlyArray<{ readonly names: ReadonlyArray<string> }> }
    expect(runs.length).toBe(Math.ceil(names.length / 256))
  })

  it("are in runs of bounded length, in whatever order they are created", () => {
    const dice = new Dice(seeds[0] ?? 1)
    const entries = new Entries()
    for (let i = 0; i < 5000; i++) entries.set(nameOf(dice), i)
    const { runs } = entries as unknown as { readonly runs: ReadonlyArray<{ readonly names: ReadonlyArray<string> }> }
    for (const run of runs) expect(run.names.length).toBeLessThanOrEqual(256)
  })
})
