import * as InodeNumber from "#domain/InodeNumber.ts"
import { Column, COLUMNS, type InodeRow } from "#domain/state/pages/InodeColumns.ts"
import { ENTRY_BYTES } from "#domain/state/pages/InodeLog.ts"
import { countOf, pack, packed, rangeOf, storedLengthOf, unpack } from "#domain/state/pages/InodePage.ts"
import { InodeTable } from "#domain/state/pages/InodeTable.ts"
import { PageKind, Pages } from "#domain/state/pages/Pages.ts"
import { RangeIndex } from "#domain/state/pages/RangeIndex.ts"
import { capacityFor, Slab, SLOT_BYTES_MAX } from "#domain/state/pages/Slab.ts"
import { Dice } from "#domain/testing/Dice.ts"
import { scatteredSlab } from "#domain/testing/ScatteredSlab.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import { ShadowStore } from "#domain/testing/ShadowStore.ts"
import { describe, expect, it } from "vitest"

const { list } = seedsOf(process.env)
const seeds = list.slice(0, Math.max(1, list.length / 50))

const SECONDS_MAX = 2 ** 50
const names = Object.keys(Column) as ReadonlyArray<keyof InodeRow & keyof typeof Column>
const times: ReadonlyArray<number> = [Column.mtime, Column.ctime, Column.atime]

describe("the inode table", () => {
  it.each(seeds)("is what a map of rows is, through growth, change and decline (seed %d)", (seed) => {
    const world = new World(seed)
    world.run(35_000, { add: 70, remove: 10 })
    world.compare()
    world.run(40_000, { add: 5, remove: 5 })
    world.compare()
    world.run(35_000, { add: 10, remove: 70 })
    world.compare()
    world.removeAll()
    expect([world.table.size, world.pages.count, world.pages.slab.usedBytes]).toEqual([0, 0, 0])
    world.run(500, { add: 70, remove: 10 })
    world.compare()
  })

  it.each(seeds)("has the same bytes for the same contents, whatever came before (seed %d)", (seed) => {
    const world = new World(seed)
    world.run(6000, { add: 60, remove: 20 })
    world.store.loadAll()
    world.table.packAll()
    const inOrder = tableOf([...world.model].sort(([a], [b]) => a - b))
    const shuffled = tableOf([...world.model].sort(([a], [b]) => (a % 61) - (b % 61) || (a % 7) - (b % 7) || b - a))
    const bytes = bytesOf(world.table, world.pages)
    expect(bytesOf(inOrder.table, inOrder.pages).equals(bytes)).toBe(true)
    expect(bytesOf(shuffled.table, shuffled.pages).equals(bytes)).toBe(true)
  })

  it.each(seeds)("lets no damaged page pass as good (seed %d)", (seed) => {
    const dice = new Dice(seed)
    const world = new World(seed)
    world.run(3000, { add: 80, remove: 10 })
    world.store.loadAll()
    world.table.packAll()
    const ids = world.table.pagesInOrder()
    for (let round = 0; round < 100; round++) {
      const page = round < 40 ? ids[ids.length - 1 - round] as number : dice.of(ids)
      const bytes = pageOf(world.pages, page)
      expect(InodeTable.validate(bytes, 0, bytes.length)).toBeUndefined()
      expect(InodeTable.validate(bytes, 0, bytes.length - 1 - dice.below(bytes.length - 1))).toBeTypeOf("string")
      expect(InodeTable.validate(Buffer.concat([bytes, bytes]), 0, bytes.length + 1)).toBeTypeOf("string")
      for (let flips = 0; flips < 60; flips++) {
        const damaged = Buffer.from(bytes)
        for (let i = dice.below(3); i >= 0; i--) damaged[dice.below(damaged.length)] = dice.below(256)
        if (InodeTable.validate(damaged, 0, damaged.length) === undefined) expectConsistent(damaged)
      }
    }
    const noise = Buffer.alloc(SLOT_BYTES_MAX)
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < 600; i++) noise[i] = dice.below(256)
      noise[0] = 0x11
      expect(InodeTable.validate(noise, 0, noise.readUInt16LE(8))).toBeTypeOf("string")
    }
  })

  it("marks the pages that change, and no others", () => {
    const { pages, table } = tableOf([])
    fill(table, 1, 1000, () => ({ mode: 0o100644 }))
    const store = new ShadowStore(pages)
    table.packAll()
    store.take()
    const changed = (): number => table.pagesInOrder().filter((page) => pages.changedIn(page) === pages.epoch).length
    expect(changed()).toBe(0)
    table.set(500, Column.mode, 0o100644)
    expect(changed()).toBe(0)
    table.set(500, Column.mode, 0o100600)
    expect(changed()).toBe(1)
    table.remove(900)
    table.packAll()
    expect(changed()).toBe(2)
    store.take()
    table.packAll()
    expect(changed()).toBe(0)
  })

  it("refuses values that no column has, and inodes that are there or not", () => {
    const { table } = tableOf([])
    table.row.size = 1.5
    expect(() => table.add(7)).toThrow("1.5 is no size of an inode")
    table.row.size = 2 ** 53
    expect(() => table.add(7)).toThrow("is no size")
    table.row.size = 0
    table.add(7)
    expect(() => table.add(7)).toThrow("inode 7 is there already")
    expect(() => table.set(8, Column.mode, 1)).toThrow("inode 8 is not there")
    expect(() => table.setTime(7, Column.ctime, 0, 1_000_000_000)).toThrow("is no ctimeNanos")
    expect(table.remove(8)).toBe(false)
  })

  it("needs less than a byte an inode for files created one after the other", () => {
    const { pages, table } = tableOf([])
    fill(table, 1, 128 * 200, (i) => {
      const seconds = 1_790_000_000 + Math.floor(i / 20_000)
      const nanos = (Math.floor(i / 500) * 7_654_321) % 1_000_000_000
      return { mode: 0o100644, uid: 1000, gid: 1000, nlink: 1, size: 3901, ...sameTimes(seconds, nanos) }
    })
    table.packAll()
    expect(pages.slab.usedBytes / table.size).toBeLessThan(0.8)
  })

  it("needs 12 bytes an inode for an unpacked tree: old mtimes, recent ctimes, sizes of all kinds", () => {
    const { pages, table } = tableOf([])
    const dice = new Dice(1)
    fill(table, 1, 128 * 50, (i) => {
      const directory = dice.chance(8)
      const ctime = { ctime: 1_790_000_000 + Math.floor(i / 800), ctimeNanos: dice.below(250_000_000) * 4 }
      return {
        mode: directory ? 0o040755 : dice.chance(80) ? 0o100644 : 0o100755,
        nlink: directory ? 2 + dice.below(3) : 1,
        size: directory ? 0 : dice.below(2 ** (4 + dice.below(17))),
        parent: directory ? 1 + dice.below(i + 1) : 0,
        mtime: 1_600_000_000 + Math.floor(i / 40) * 4_000_000,
        mtimeNanos: 0,
        ...ctime,
        atime: ctime.ctime,
        atimeNanos: ctime.ctimeNanos
      }
    })
    table.packAll()
    expect(pages.slab.usedBytes / table.size).toBeLessThan(12)
  })
})

interface Chances {
  readonly add: number
  readonly remove: number
}

/** A table, and what must be in it. */
class World {
  readonly pages = new Pages(scatteredSlab())
  readonly model = new Map<number, Float64Array>()
  table = new InodeTable(this.pages)
  private readonly dice: Dice
  private readonly living: Array<number> = []
  readonly store = new ShadowStore(this.pages)
  private next = InodeNumber.make(5, 1)
  private seconds = 1_790_000_000

  constructor(seed: number) {
    this.dice = new Dice(seed)
  }

  run(steps: number, { add, remove }: Chances): void {
    for (let step = 0; step < steps; step++) {
      const { dice } = this
      const roll = dice.below(100)
      if (roll < add || this.living.length === 0) this.add()
      else if (roll < add + remove) this.remove(dice.below(this.living.length))
      else if (dice.chance(60)) this.change(dice.of(this.living))
      else this.look()
      if (dice.below(2000) === 0) this.table.packAll()
      if (dice.below(3000) === 0) this.snapshot()
    }
  }

  /** One begins or ends; after some, everything is absent. */
  private snapshot(): void {
    const { dice, pages, store, table } = this
    if (!store.isOpen) {
      table.packAll()
      store.begin()
      return
    }
    store.end(dice.chance(30))
    if (dice.chance(50)) pages.evict(0)
  }

  removeAll(): void {
    while (this.living.length > 0) this.remove(this.dice.chance(50) ? this.living.length - 1 : 0)
  }

  compare(): void {
    this.store.loadAll()
    this.compareWith(this.table)
    this.table.packAll()
    const ids = this.table.pagesInOrder()
    for (const id of ids) expect(this.pages.capacity(id)).toBeLessThanOrEqual(roomFor(this.pages, id))
    expect(countOfKind(this.pages)).toBe(ids.length)
    for (const id of ids) {
      const bytes = pageOf(this.pages, id)
      expect(InodeTable.validate(bytes, 0, bytes.length)).toBeUndefined()
    }
    this.compareWith(this.table)
    const again = new InodeTable(this.pages)
    again.open(this.table.roots)
    this.table = again
    expect(this.table.pagesInOrder()).toEqual(ids)
    this.compareWith(this.table)
  }

  private compareWith(table: InodeTable): void {
    expect(table.size).toBe(this.model.size)
    const sorted = [...this.model.keys()].sort((a, b) => a - b)
    const walked: Array<number> = []
    table.walk((inode) => walked.push(inode) > 0)
    expect(walked).toEqual(sorted)
    const middle = sorted[sorted.length >> 1] ?? 0
    const rest: Array<number> = []
    table.walk((inode) => rest.push(inode) < 10, middle)
    expect(rest).toEqual(sorted.slice(sorted.length >> 1, (sorted.length >> 1) + 10))
    for (const [inode, row] of this.model) {
      if (!isRow(table, inode, row)) throw new Error(`inode ${inode}: ${JSON.stringify(table.row)}, not ${row}`)
    }
  }

  private add(): void {
    const inode = this.newNumber()
    if (this.model.has(inode)) return
    this.store.retry(() => this.table.warm(inode))
    if (this.dice.chance(10)) return this.create(inode)
    const row = new Float64Array(COLUMNS)
    if (this.dice.chance(70)) this.usualRow(row)
    else for (let column = 0; column < COLUMNS; column++) row[column] = this.anyValue(column)
    this.table.row.load(row)
    this.table.add(inode)
    this.model.set(inode, row)
    this.living.push(inode)
  }

  /** A file as it is created, and what follows it; sometimes after it was changed, and then not like it. */
  private create(inode: number): void {
    const { dice, living, model, table } = this
    const row = new Float64Array(COLUMNS)
    row.set([0o100644, 7, 8, 1])
    for (const time of times) row.set([this.seconds, 9], time)
    expect(table.create(inode, 0o100644, 7, 8, 1, 0, 0, this.seconds, 9)).toBe(true)
    model.set(inode, row)
    living.push(inode)
    if (dice.chance(20)) this.change(inode)
    if (dice.chance(20)) table.packAll()
    if (dice.chance(10)) this.remove(living.length - 1)
    for (let next = inode + 1; Number.isSafeInteger(next) && dice.chance(90); next++) {
      const before = model.get(next - 1)
      if (!table.createNext(next)) return
      expect(before).toEqual(row)
      expect(model.has(next)).toBe(false)
      model.set(next, row.slice())
      living.push(next)
      if (next === this.next) this.next++
    }
  }

  private newNumber(): number {
    const { dice } = this
    if (dice.chance(70)) return this.next++
    if (dice.chance(10)) return Number.MAX_SAFE_INTEGER - dice.below(300)
    if (dice.chance(50)) return InodeNumber.make(dice.below(5), 1 + dice.below(3000))
    return InodeNumber.make(dice.below(1024), dice.below(2 ** 30))
  }

  private usualRow(row: Float64Array): void {
    const { dice } = this
    if (dice.below(300) === 0) this.seconds++
    row.set([dice.chance(90) ? 0o100644 : 0o040755, 1000, 1000, 1, 0, dice.chance(50) ? 0 : dice.below(100_000)])
    for (const time of times) {
      row[time] = this.seconds
      row[time + 1] = 5
    }
  }

  private anyValue(column: number): number {
    const { dice } = this
    const isNanos = column > Column.mtime && column % 2 === 1
    if (dice.chance(40)) return dice.below(dice.chance(50) ? 3 : 100)
    if (isNanos) return dice.chance(20) ? 999_999_999 : dice.below(1_000_000_000)
    if (column >= Column.mtime) {
      return dice.chance(30) ? SECONDS_MAX * (dice.chance(50) ? 1 : -1) : 1e9 - dice.below(2e9)
    }
    if (column === Column.mode) return dice.below(65_536)
    if (column === Column.nlink) return dice.chance(20) ? 2 ** 31 - 1 : dice.below(2 ** 31)
    if (column < Column.size) return dice.chance(20) ? 2 ** 32 - 1 : dice.below(2 ** 32 - 1)
    return dice.chance(20) ? Number.MAX_SAFE_INTEGER : dice.below(2 ** 32 - 1) * 2 ** dice.below(21)
  }

  private change(inode: number): void {
    const { dice, model, table } = this
    const row = model.get(inode) as Float64Array
    this.store.retry(() => table.warm(inode))
    const column = dice.below(Column.mtime)
    if (dice.chance(60)) {
      const value = this.anyValue(column)
      row[column] = value
      table.set(inode, column, value)
    }
    for (const time of times) {
      if (dice.chance(60)) continue
      const seconds = dice.chance(60) ? this.seconds : this.anyValue(time)
      const nanos = dice.chance(60) ? 5 : this.anyValue(time + 1)
      row[time] = seconds
      row[time + 1] = nanos
      table.setTime(inode, time, seconds, nanos)
    }
  }

  private remove(index: number): void {
    const inode = this.living[index] as number
    this.living[index] = this.living.at(-1) as number
    this.living.pop()
    this.model.delete(inode)
    this.store.retry(() => this.table.warm(inode))
    if (!this.table.remove(inode)) throw new Error(`inode ${inode} was not there`)
    if (this.table.has(inode)) throw new Error(`inode ${inode} is still there`)
  }

  private look(): void {
    const { dice, model, table } = this
    const inode = dice.chance(80) ? dice.of(this.living) : this.newNumber()
    const row = model.get(inode)
    this.store.retry(() => table.warm(inode))
    if (table.has(inode) !== (row !== undefined)) throw new Error(`has(${inode})`)
    if (row === undefined) return
    const column = dice.below(COLUMNS)
    if (!table.locate(inode) || table.value(column) !== row[column]) throw new Error(`column ${column} of ${inode}`)
    if (!isRow(table, inode, row)) throw new Error(`inode ${inode}`)
  }
}

const isRow = (table: InodeTable, inode: number, row: Float64Array): boolean =>
  table.read(inode) && names.every((name) => table.row[name] === row[Column[name]])

const tableOf = (contents: Iterable<readonly [number, Float64Array]>): { pages: Pages; table: InodeTable } => {
  const pages = new Pages(new Slab())
  const table = new InodeTable(pages)
  for (const [inode, row] of contents) {
    table.row.load(row)
    table.add(inode)
  }
  table.packAll()
  return { pages, table }
}

const fill = (table: InodeTable, first: number, count: number, row: (i: number) => Partial<InodeRow>): void => {
  for (let i = 0; i < count; i++) {
    Object.assign(table.row, row(i))
    table.add(first + i)
  }
}

const sameTimes = (seconds: number, nanos: number): Partial<InodeRow> => ({
  mtime: seconds,
  mtimeNanos: nanos,
  ctime: seconds,
  ctimeNanos: nanos,
  atime: seconds,
  atimeNanos: nanos
})

/** A page as it would be written anew: these bytes follow from its contents. */
const pageOf = (pages: Pages, page: number): Buffer => {
  pages.locate(page)
  const { at, bytes } = pages
  const range = rangeOf(bytes, at)
  return Buffer.from(packed.subarray(0, pack(range, unpack(bytes, at))))
}

/** Bytes of a slot for what the page has, and for a few changes to come. */
const roomFor = (pages: Pages, page: number): number => {
  pages.locate(page)
  return capacityFor(storedLengthOf(pages.bytes, pages.at) + 4 * ENTRY_BYTES)
}

const countOfKind = (pages: Pages): number => {
  let count = 0
  for (let page = 1; page < pages.limit; page++) if (pages.kindOf(page) === PageKind.inodes) count++
  return count
}

const bytesOf = (table: InodeTable, pages: Pages): Buffer =>
  Buffer.concat(table.pagesInOrder().map((page) => pageOf(pages, page)))

/** A page that passed for good reads as one, and is written as it was. */
const slab = new Slab()
const expectConsistent = (bytes: Buffer): void => {
  const pages = new Pages(slab)
  const page = pages.create(bytes.length, PageKind.inodes)
  pages.locate(page)
  pages.bytes.set(bytes, pages.at)
  const index = new RangeIndex(pages)
  index.set(rangeOf(bytes, 0), page)
  const table = new InodeTable(pages)
  table.open({ inodes: countOf(bytes, 0), ranges: [...index.roots] })
  const contents: Array<[number, Float64Array]> = []
  table.walk((inode) => {
    const row = new Float64Array(COLUMNS)
    if (table.read(inode)) table.row.store(row)
    return contents.push([inode, row]) > 0
  })
  expect(contents.length).toBe(table.size)
  for (const [inode] of contents) table.remove(inode)
  for (const [inode, row] of contents) {
    table.row.load(row)
    table.add(inode)
  }
  table.packAll()
  expect(bytesOf(table, pages).equals(bytes)).toBe(true)
  for (const [inode] of contents) table.remove(inode)
}
