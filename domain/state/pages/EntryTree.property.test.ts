import { Limits } from "#domain/Limits.ts"
import { countOf, firstKey, lengthOf } from "#domain/state/pages/EntryLeaf.ts"
import { validate } from "#domain/state/pages/EntryLeafCheck.ts"
import { EntryTree } from "#domain/state/pages/EntryTree.ts"
import { PageKind, Pages } from "#domain/state/pages/Pages.ts"
import { Slab } from "#domain/state/pages/Slab.ts"
import { Dice } from "#domain/testing/Dice.ts"
import { same } from "#domain/testing/Same.ts"
import { scatteredSlab } from "#domain/testing/ScatteredSlab.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import { ShadowStore } from "#domain/testing/ShadowStore.ts"
import { describe, expect, it } from "vitest"

const { list } = seedsOf(process.env)
/** A tree of tens of thousands of entries from each. */
const seeds = list.slice(0, Math.max(1, list.length / 100))

const STEPS = 100_000
const ZONE = 2 ** 43

/** Directories of this zone and of others, of any size. */
const directories = [
  1,
  2,
  3,
  255,
  256,
  65_536,
  2 ** 32,
  2 ** 32 + 1,
  ZONE - 1,
  ZONE + 1,
  5 * ZONE + 77,
  1023 * ZONE + 9,
  2 ** 53 - 1
]

const directoryOf = (dice: Dice): number =>
  dice.chance(70) ? directories[dice.below(4)]! : dice.chance(50) ? dice.of(directories) : 1000 + dice.below(3000)

const inodeOf = (dice: Dice, step: number): number =>
  dice.chance(85) ? 1 + step : dice.chance(50) ? (1 + dice.below(1023)) * ZONE + step : 2 ** 53 - 1 - step

/** Names of mixed lengths and bytes, some of them each other's beginnings. */
const names: ReadonlyArray<string> = Array.from({ length: 8000 }, (_, number) => {
  switch (number % 8) {
    case 0:
      return String.fromCharCode(1 + (number % 255), number % 7 === 0 ? 255 : 97) + "x".repeat(number % 5)
    case 1:
      return "a".repeat(1 + (number % 255))
    case 2:
      return number % 5 > 0 ? `${number}` : `${"long".repeat(62)}${String(number).padStart(7, "0")}`
    case 3:
      return number % 5 > 0 ? `${number}~` : `${number}`.padEnd(255, String.fromCharCode(1 + (number % 255)))
    case 4:
    case 5:
      return `file.mdtest.${number % 50}.${number}`
    default:
      return `file.${number}`
  }
})

/** The same ones come again. */
const nameOf = (dice: Dice): string => dice.of(names)

/** What a tree should be: by directory the inode of each name. */
class Model {
  readonly directories = new Map<number, Map<string, number>>()
  size = 0

  get(directory: number, name: string): number {
    return this.directories.get(directory)?.get(name) ?? 0
  }

  set(directory: number, name: string, inode: number): void {
    if (this.get(directory, name) === 0) this.size++
    const entries = this.directories.get(directory) ?? new Map<string, number>()
    this.directories.set(directory, entries.set(name, inode))
  }

  delete(directory: number, name: string): void {
    if (this.directories.get(directory)?.delete(name) === true) this.size--
  }
}

const makeTree = (slab = new Slab()): { readonly pages: Pages; readonly tree: EntryTree } => {
  const pages = new Pages(slab)
  return { pages, tree: new EntryTree(pages) }
}

/** Whether the tree says what the model says. */
const compare = (tree: EntryTree, model: Model): void => {
  for (const [directory, entries] of model.directories) {
    const sorted = [...entries.keys()].sort()
    let at = 0
    tree.walk(directory, "", (name, inode) => {
      if (name !== sorted[at++]) throw new Error(`${directory}/${name} instead of ${sorted[at - 1]}`)
      if (inode !== entries.get(name)) throw new Error(`${directory}/${name} points to ${inode}`)
      return true
    })
    if (at !== sorted.length) throw new Error(`directory ${directory} shows ${at} names of ${sorted.length}`)
    if (tree.isEmpty(directory) !== (at === 0)) throw new Error(`directory ${directory} with ${at} names`)
  }
  expect(tree.size).toBe(model.size)
}

const bytesOf = (pages: Pages, leaf: number): Uint8Array => {
  pages.locate(leaf)
  return pages.bytes.slice(pages.at, pages.at + lengthOf(pages.bytes, pages.at))
}

const checkLeaf = (bytes: Uint8Array, what: string): void =>
  same(`leaf ${what}`, validate(bytes, 0, bytes.length), undefined)

const checkAll = (tree: EntryTree, pages: Pages, model: Model): void => {
  compare(tree, model)
  const leaves = [...tree.leaves()]
  expect(leaves.length).toBe(leafCountOf(pages))
  for (const leaf of leaves) checkLeaf(bytesOf(pages, leaf), `${leaf}`)
  const again = new EntryTree(pages)
  again.open(tree.roots)
  expect([...again.leaves()]).toEqual(leaves)
  compare(again, model)
}

const leafCountOf = (pages: Pages): number => {
  let count = 0
  for (let page = 1; page < pages.limit; page++) if (pages.kindOf(page) === PageKind.entryLeaf) count++
  return count
}

/** Bytes an entry in slots, and entries a page. */
const densityOf = (pages: Pages, tree: EntryTree): readonly [number, number] => [
  pages.slab.usedBytes / tree.size,
  tree.size / leafCountOf(pages)
]

describe("the tree of entries", () => {
  it.each(seeds)("is a sorted map of directories and names, whatever comes and goes (seed %d)", (seed) => {
    const dice = new Dice(seed)
    const { pages, tree } = makeTree(scatteredSlab())
    const model = new Model()
    const store = new ShadowStore(pages)
    const remove = (directory: number, name: string): void => {
      store.retry(() => tree.warm(directory, name))
      const expected = model.get(directory, name)
      if (tree.delete(directory, name) !== expected) throw new Error(`${directory}/${name} was not ${expected}`)
      model.delete(directory, name)
    }
    // First it grows, then it changes, then it shrinks.
    for (let step = 0; step < STEPS; step++) {
      const directory = directoryOf(dice)
      const name = nameOf(dice)
      if (dice.chance(step < STEPS / 2 ? 10 : step < STEPS * 0.75 ? 50 : 90)) remove(directory, name)
      else {
        const inode = inodeOf(dice, step)
        const before = model.get(directory, name)
        store.retry(() => tree.warm(directory, name))
        // Whoever has looked before, as operations do, has the place already.
        if (dice.chance(50) && store.retry(() => tree.get(directory, name)) !== before) {
          throw new Error(`step ${step}: ${directory}/${name} is not ${before}`)
        }
        if (tree.set(directory, name, inode) !== before) {
          throw new Error(`step ${step}: ${directory}/${name} was not ${before}`)
        }
        model.set(directory, name, inode)
      }
      const other = directoryOf(dice)
      const another = nameOf(dice)
      const expected = model.get(other, another)
      const found = store.retry(() => tree.get(other, another))
      if (found !== expected) throw new Error(`step ${step}: ${other}/${another} is not ${expected}`)
      if (dice.below(STEPS / 40) === 0) snapshot(store, pages, dice)
      if (step % (STEPS / 4) !== STEPS / 4 - 1) continue
      store.loadAll()
      checkAll(tree, pages, model)
    }
    expect(model.size).toBeGreaterThan(1000)
    for (const [directory, entries] of model.directories) {
      for (const name of entries.keys()) remove(directory, name)
      if (directory !== directories[1]) continue
      store.loadAll()
      checkAll(tree, pages, model)
    }
    expect(store.faults).toBeGreaterThan(100)
    expect([tree.size, [...tree.leaves()], pages.count]).toEqual([0, [], 0])
    expect([tree.get(1, "a"), tree.delete(1, "a"), tree.isEmpty(1)]).toEqual([0, 0, true])
    expect([tree.set(1, "a", 7), tree.get(1, "a"), tree.size]).toEqual([0, 7, 1])
  })

  it("gives its memory back, and merges what is left of many leaves", () => {
    const { pages, tree } = makeTree()
    const names = Array.from({ length: 50_000 }, (_, i) => `file.mdtest.${i % 16}.${i >>> 4}`)
    for (const [i, name] of names.entries()) tree.set(1, name, i + 1)
    const { usedBytes } = pages.slab
    const dice = new Dice(1)
    for (const name of names) if (dice.chance(95)) tree.delete(1, name)
    const [bytes, records] = densityOf(pages, tree)
    expect(records).toBeGreaterThan(40)
    expect(bytes).toBeLessThan(15)
    expect(pages.slab.usedBytes).toBeLessThan(usedBytes / 7)
    for (const name of names) tree.delete(1, name)
    expect([tree.size, pages.count, pages.slab.usedBytes]).toEqual([0, 0, 0])
  })

  it("has room for other zones' numbers in leaves that were full of this zone's", () => {
    const { pages, tree } = makeTree()
    const model = new Model()
    const point = (directory: number, name: string, inode: number): void => {
      tree.set(directory, name, inode)
      model.set(directory, name, inode)
    }
    // Of one of these lengths as many fit as have room for nothing more.
    for (let directory = 90; directory < 150; directory++) {
      const names = Array.from({ length: 160 }, (_, i) => String(i).padStart(3, "0").padEnd(directory, "x"))
      for (const [i, name] of names.entries()) point(directory, name, i + 1)
      for (const [i, name] of names.entries()) point(directory, name, 1 + i + (i % 2) * 700 * ZONE)
      for (const [i, name] of names.entries()) {
        if (i % 3 === 0) continue
        tree.delete(directory, name)
        model.delete(directory, name)
      }
    }
    checkAll(tree, pages, model)
  })

  it("leaves full pages behind what is created in order", () => {
    const { pages, tree } = makeTree()
    for (let i = 0; i < 50_000; i++) tree.set(1, `f${String(i).padStart(8, "0")}`, 100 + i)
    expect(leafCountOf(pages)).toBe(Math.ceil(50_000 / 128))
    expect(densityOf(pages, tree)[0]).toBeLessThan(4)
  })

  it.each(
    [
      ["one rank", 1, 5.5, 60],
      ["16 ranks in turn", 16, 5.5, 60],
      ["1000 ranks in turn", 1000, 7.5, 60],
      ["16 ranks, in any order", -16, 6.5, 80]
    ] as const
  )("is dense when names are created by %s", (_, ranks, bytesMax, recordsMin) => {
    const { pages, tree } = makeTree()
    const count = Math.abs(ranks)
    const order = Array.from({ length: 50_000 }, (_, i) => i)
    if (ranks < 0) shuffle(order, new Dice(1))
    for (const [i, at] of order.entries()) {
      tree.set(1, `file.mdtest.${at % count}.${Math.floor(at / count)}`, 100 + i)
    }
    const [bytes, records] = densityOf(pages, tree)
    expect(bytes).toBeLessThan(bytesMax)
    expect(records).toBeGreaterThan(recordsMin)
  })

  it("walks from any name, there or not, in pages of any length", () => {
    const dice = new Dice(1)
    const { tree } = makeTree()
    const found = new Set<string>()
    for (let i = 0; i < 6000; i++) {
      const name = nameOf(dice)
      tree.set(7, name, i + 1)
      tree.set(6, name, i + 1)
      tree.set(ZONE + 7, name, i + 1)
      found.add(name)
    }
    const names = [...found].sort()
    for (let i = 0; i < 300; i++) {
      const after = dice.chance(50) ? nameOf(dice) : dice.of(names).slice(0, 1 + dice.below(9))
      const limit = 1 + dice.below(600)
      const page: Array<string> = []
      tree.walk(7, after, (name, inode) => {
        // Reading on the way is allowed.
        if (tree.get(ZONE + 7, name) !== inode) throw new Error(`${name} is not ${inode}`)
        page.push(name)
        return page.length < limit
      })
      const from = names.findIndex((name) => name > after)
      expect(page).toEqual(from < 0 ? [] : names.slice(from, from + limit))
    }
    expect([5, 6, 7, 8, ZONE, ZONE + 7].map((directory) => tree.isEmpty(directory)))
      .toEqual([true, false, false, true, true, false])
  })

  it("marks every page that it changes, and the same steps give the same bytes, looked for before or not", () => {
    const run = (looks: boolean): { readonly pages: Pages; readonly tree: EntryTree } => {
      const dice = new Dice(3)
      const { pages, tree } = makeTree()
      let before = new Map<number, string>()
      for (let step = 0; step < 12_000; step++) {
        const directory = directoryOf(dice)
        if (dice.chance(step < 6000 ? 10 : 70)) tree.delete(directory, nameOf(dice))
        else {
          const run = dice.below(4)
          const name = nameOf(dice)
          for (let i = 0; i <= run; i++) {
            const next = i === 0 ? name : `${name}${i}`
            if (next.length > Limits.nameBytesMax) continue
            if (looks) tree.get(directory, next)
            tree.set(directory, next, inodeOf(dice, step))
          }
        }
        if (step % 500 > 0) continue
        const after = new Map([...tree.leaves()].map((leaf) => [leaf, fingerprintOf(bytesOf(pages, leaf))]))
        for (const [leaf, print] of after) {
          if (pages.changedIn(leaf) < pages.epoch) same(`leaf ${leaf} at ${step}`, print, before.get(leaf))
        }
        before = after
        pages.epoch++
      }
      return { pages, tree }
    }
    const [one, other] = [run(false), run(true)]
    const leaves = [...one.tree.leaves()]
    expect([...other.tree.leaves()]).toEqual(leaves)
    for (const leaf of leaves) expect(bytesOf(one.pages, leaf)).toEqual(bytesOf(other.pages, leaf))
  })
})

describe("a leaf", () => {
  const dice = new Dice(11)
  const { pages, tree } = makeTree()
  for (let i = 0; i < 12_000; i++) {
    const name = nameOf(dice)
    if (dice.chance(80)) tree.set(directoryOf(dice), name, inodeOf(dice, i))
    else tree.delete(directoryOf(dice), name)
  }
  const leaves = [...tree.leaves()].map((leaf) => bytesOf(pages, leaf))

  it("that was damaged is refused with a reason, or is another good one", () => {
    let refused = 0
    for (let round = 0; round < 3000; round++) {
      const bytes = dice.of(leaves).slice()
      const flips = 1 + dice.below(3)
      for (let flip = 0; flip < flips; flip++) {
        // The header and the rows are hit more often than their share of the bytes.
        const at = dice.below(dice.chance(30) ? Math.min(60, bytes.length) : bytes.length)
        bytes[at] = dice.chance(50) ? bytes[at]! ^ (1 << dice.below(8)) : dice.below(256)
      }
      const reason = validate(bytes, 0, bytes.length)
      if (reason === undefined) readsWell(bytes)
      else refused++
    }
    expect(refused).toBeGreaterThan(750)
  })

  it("that was cut off, lies outside or is noise is refused with a reason", () => {
    const bytes = leaves.find(({ length }) => length > 600)!
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.slice(0, length)
      if (length >= 6) cut.set([length & 255, length >>> 8], 4)
      expect(validate(cut, 0, length)).toMatch(/bytes|record|interval|begin/)
    }
    expect(validate(bytes, 1, bytes.length)).toMatch("outside")
    expect(validate(bytes, -1, 10)).toMatch("outside")
    expect(validate(new Uint8Array(20_000), 0, 20_000)).toMatch("at most 16384")
    for (let round = 0; round < 10_000; round++) {
      const noise = Uint8Array.from({ length: dice.below(80) }, () => dice.below(dice.chance(50) ? 4 : 256))
      if (noise.length > 8 && dice.chance(80)) noise.set([1, 1, 0, 0, noise.length, 0, dice.below(9), 0])
      if (validate(noise, 0, noise.length) === undefined) readsWell(noise)
    }
  })

  it.each([
    ["a prefix of 262 bytes", [6, 6, 7, 1]],
    ["0 records", [0, 0]],
    ["129 records", [0, 129]],
    ["0 intervals", [1, 0]],
    ["no inode number", [14, 32]]
  ])("is refused for %s", (reason, [at, ...rest]) => {
    const bytes = leaves.find(({ length }) => length > 600)!.slice()
    const changes = [at!, ...rest]
    for (let i = 0; i + 1 < changes.length; i += 2) bytes[changes[i]!] = changes[i + 1]!
    expect(validate(bytes, 0, bytes.length)).toMatch(reason)
  })
})

/** One begins or ends; after some, everything is absent, or much. */
const snapshot = (store: ShadowStore, pages: Pages, dice: Dice): void => {
  if (!store.isOpen) return store.begin()
  store.end(dice.chance(30))
  if (dice.chance(80)) pages.evict(dice.chance(50) ? 0 : pages.slab.usedBytes / 4)
}

/** A new one would clear 4 MiB every time. */
const slab = new Slab()

/** A leaf that passes is a tree of its own: what it shows is in order, found again, and can be changed. */
const readsWell = (bytes: Uint8Array): void => {
  const pages = new Pages(slab)
  const page = pages.create(bytes.length, PageKind.entryLeaf)
  pages.locate(page)
  pages.bytes.set(bytes, pages.at)
  const tree = new EntryTree(pages)
  tree.open({ root: page, height: 0, entries: countOf(bytes, 0) })
  const first = new Uint8Array(300)
  let length = firstKey(bytes, 0, first)
  let left = tree.size
  while (left > 0) {
    const directory = first.subarray(0, 7).reduce((sum, byte) => sum * 256 + byte, 0)
    const names: Array<string> = []
    tree.walk(directory, "", (name, inode) => {
      if (tree.get(directory, name) !== inode) throw new Error(`${directory}/${name} is not found again`)
      if (name <= (names.at(-1) ?? "")) throw new Error(`${directory}/${name} is not in order`)
      return names.push(name) > 0
    })
    if (names.length === 0) throw new Error(`nothing in ${directory}`)
    for (const name of names) if (tree.delete(directory, name) === 0) throw new Error(`${name} cannot be deleted`)
    left -= names.length
    if (tree.size !== left) throw new Error(`${tree.size} entries, not ${left}`)
    if (left === 0) break
    pages.locate([...tree.leaves()][0]!)
    length = firstKey(pages.bytes, pages.at, first)
  }
  if (length === 0 || pages.count > 0) throw new Error("something is left")
}

/** FNV-1a: enough to notice a change. */
const fingerprintOf = (bytes: Uint8Array): string => {
  let hash = 0x811c_9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x0100_0193)
  return `${bytes.length}:${hash >>> 0}`
}

const shuffle = (items: Array<number>, dice: Dice): void => {
  for (let i = items.length - 1; i > 0; i--) {
    const j = dice.below(i + 1)
    const item = items[i]!
    items[i] = items[j]!
    items[j] = item
  }
}
