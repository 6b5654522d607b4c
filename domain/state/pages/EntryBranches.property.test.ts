import { EntryBranches } from "#domain/state/pages/EntryBranches.ts"
import { KEY_BYTES_MAX } from "#domain/state/pages/KeyList.ts"
import { Pages } from "#domain/state/pages/Pages.ts"
import { Slab } from "#domain/state/pages/Slab.ts"
import { Dice } from "#domain/testing/Dice.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import { describe, expect, it } from "vitest"

const { list } = seedsOf(process.env)
/** A tree of three heights from each. */
const seeds = list.slice(0, Math.max(1, list.length / 100))

const LEAVES = 6000

/** A key as `EntryTree` makes it, zeros behind it included, or without them a separator: few of the bytes differ. */
const keyOf = (dice: Dice): string => {
  const directory = `\0\0\0\0${dice.chance(50) ? "\0" : "\u0001"}\0${String.fromCharCode(dice.below(4))}`
  const number = String(dice.below(1_000_000))
  switch (dice.below(4)) {
    case 0:
      return directory + number
    case 1:
      return `${directory}file.mdtest.${number}`
    case 2:
      return directory + "long".repeat(60) + number
    default:
      return `${directory}${number}${dice.chance(10) ? "x".repeat(200) : "\u00ff"}`
  }
}

const key = Buffer.alloc(KEY_BYTES_MAX + 4)

const written = (text: string): Uint8Array => {
  key.fill(0)
  key.latin1Write(text, 0)
  return key
}

interface Child {
  readonly separator: string
  readonly leaf: number
}

/** The place of the last child whose separator is not behind the key. */
const placeOf = (children: ReadonlyArray<Child>, text: string): number => {
  let low = 1
  let high = children.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (children[middle]!.separator <= text) low = middle + 1
    else high = middle
  }
  return low - 1
}

const leavesOf = (branches: EntryBranches): Array<number> => {
  const leaves: Array<number> = []
  for (let leaf = branches.first(); leaf !== 0; leaf = branches.next(branches.nodes, branches.places)) {
    leaves.push(leaf)
  }
  return leaves
}

const compare = (branches: EntryBranches, children: ReadonlyArray<Child>, dice: Dice): void => {
  expect(leavesOf(branches)).toEqual(children.map(({ leaf }) => leaf))
  for (let i = 0; i < 500; i++) {
    const text = dice.chance(50) ? keyOf(dice) : dice.of(children).separator
    const place = placeOf(children, text)
    const leaf = branches.descend(written(text))
    if (leaf !== children[place]!.leaf) throw new Error(`${text} leads to ${leaf}, not to ${children[place]!.leaf}`)
    for (const step of [-1, 1] as const) {
      const beside = branches.beside(step)
      // Neighbours under another node are not told.
      if (beside !== 0 && beside !== children[place + step]?.leaf) throw new Error(`${beside} is not beside ${leaf}`)
    }
  }
}

describe("the branches of a tree", () => {
  it.each(seeds)("lead to the leaf of every key, whatever leaves come and go (seed %d)", (seed) => {
    const dice = new Dice(seed)
    const slab = new Slab()
    const branches = new EntryBranches(new Pages(slab))
    const children: Array<Child> = [{ separator: "", leaf: 1 }]
    branches.plant(1)
    const add = (leaf: number): void => {
      const separator = keyOf(dice)
      const place = placeOf(children, separator)
      if (children[place]!.separator === separator) return
      branches.descend(written(separator))
      branches.insert(key, 0, separator.length, leaf)
      children.splice(place + 1, 0, { separator, leaf })
    }
    const remove = (): void => {
      const place = dice.below(children.length)
      const { separator } = children[place]!
      branches.descend(written(separator))
      branches.remove(0)
      children.splice(place, 1)
      // What led to it leads to a neighbour: to the next one, if it was the first of its node.
      const heir = branches.descend(written(separator))
      const next = children[place]
      if (next !== undefined && heir === next.leaf) children[place] = { separator, leaf: heir }
      else if (heir !== (children[place - 1]?.leaf ?? 0)) throw new Error(`${heir} is no neighbour`)
    }
    for (let leaf = 2; leaf < LEAVES; leaf++) add(leaf)
    compare(branches, children, dice)
    for (let leaf = LEAVES; leaf < 1.5 * LEAVES; leaf++) {
      if (dice.chance(50)) add(leaf)
      else remove()
    }
    compare(branches, children, dice)
    const before = slab.usedBytes
    while (children.length > 300) remove()
    compare(branches, children, dice)
    const small = slab.usedBytes
    while (children.length > 0) remove()
    expect([branches.first(), branches.descend(written("a"))]).toEqual([0, 0])
    expect(before - small).toBeGreaterThan(5 * (small - slab.usedBytes))
  })

  it("leave full nodes behind leaves that come in order", () => {
    const slab = new Slab()
    const branches = new EntryBranches(new Pages(slab))
    branches.plant(1)
    for (let leaf = 2; leaf <= 20_000; leaf++) {
      const separator = `\0\0\0\0\0\0\u0001file.${String(leaf).padStart(8, "0")}`
      branches.descend(written(separator))
      branches.insert(key, 0, separator.length, leaf)
    }
    expect(leavesOf(branches).length).toBe(20_000)
    // Four bytes each for a leaf and a separator's head, most others in the prefix, and two tell where its tail ends.
    expect(slab.usedBytes).toBeLessThan(20_000 * 13)
  })
})
