import type { ByteString } from "#domain/ByteString.ts"
import * as Extents from "#domain/Extents.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { EXTENTS, firstOf as firstExtent } from "#domain/state/pages/ExtentPages.ts"
import { ExtraTable } from "#domain/state/pages/ExtraTable.ts"
import { PageOrder } from "#domain/state/pages/PageOrder.ts"
import { PageKind, Pages } from "#domain/state/pages/Pages.ts"
import { lengthOf } from "#domain/state/pages/RecordPages.ts"
import { capacityFor, Slab, SLOT_BYTES_MAX } from "#domain/state/pages/Slab.ts"
import { firstOf as firstText } from "#domain/state/pages/TextPages.ts"
import { Dice } from "#domain/testing/Dice.ts"
import { scatteredSlab } from "#domain/testing/ScatteredSlab.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import { ShadowStore } from "#domain/testing/ShadowStore.ts"
import { describe, expect, it } from "vitest"

const { list } = seedsOf(process.env)
const seeds = list.slice(0, Math.max(1, list.length / 100))

const MIB = 1024 * 1024
const xattrNames = ["user.a", "security.selinux", "user.b", "x", `user.${"n".repeat(250)}`]

describe("the extra table", () => {
  it.each(seeds)("is what maps are, through growth, change and decline (seed %d)", (seed) => {
    const world = new World(seed)
    world.run(40_000, 10)
    world.compare()
    world.run(30_000, 50)
    world.compare()
    world.run(35_000, 90)
    world.compare()
    world.dropAll()
    expect([world.pages.count, world.pages.slab.usedBytes]).toEqual([0, 0])
    world.run(300, 10)
    world.compare()
  })

  it.each(seeds)("keeps values that no page holds, and whole lists of them (seed %d)", (seed) => {
    const dice = new Dice(seed)
    const { pages, table } = emptyTable()
    const models = new Map<number, Map<ByteString, ByteString>>()
    for (let step = 0; step < 600; step++) {
      const inode = 1 + dice.below(6)
      const model = models.get(inode) ?? new Map<ByteString, ByteString>()
      models.set(inode, model)
      const name = `user.${dice.below(8)}`
      if (dice.chance(25)) {
        table.setXattr(inode, name, undefined)
        model.delete(name)
      } else {
        const value = String.fromCharCode(dice.below(256)).repeat(dice.chance(30) ? 65_536 : dice.below(30_000))
        table.setXattr(inode, name, value)
        model.set(name, value)
      }
      if (table.xattr(inode, name) !== model.get(name)) throw new Error(`${name} of ${inode}`)
    }
    expectValid(table, pages)
    for (const each of [table, opened(pages, table)]) {
      for (const [inode, model] of models) expect(each.xattrs(inode) ?? new Map()).toEqual(model)
    }
    for (const inode of models.keys()) table.drop(inode)
    expect(pages.count).toBe(0)
  })

  it("keeps a file of many extents, and changes only its last pages when it grows", () => {
    const { pages, table } = emptyTable()
    table.setExtents(1, [extentOf(0, 5, 1)])
    table.setExtents(9, [extentOf(0, 5, 2)])
    let extents: Extents.Extents = []
    for (let i = 0; i < 3000; i++) {
      const next = extentOf(i * 10_000, 1 + ((i * 7919) % 9000), 3 + i * 2)
      extents = [...extents, next]
      if (i % 100 === 0) table.setExtents(5, extents)
    }
    table.setExtents(5, extents)
    new ShadowStore(pages).take()
    table.setExtents(5, extents)
    expect(changedPages(table, pages)).toBe(0)
    extents = [...extents, extentOf(50_000_000, 1, 4)]
    table.setExtents(5, extents)
    expect(changedPages(table, pages)).toBeLessThanOrEqual(2)
    expect(table.extents(5)).toEqual(extents)
    extents = extents.filter((_, index) => index % 2 === 0)
    table.setExtents(5, extents)
    expect(table.extents(5)).toEqual(extents)
    expect(table.dataBytes(5)).toBe(Extents.dataBytes(extents))
    expect([table.extents(1).length, table.extents(9).length]).toEqual([1, 1])
    expectValid(table, pages)
    table.setExtents(5, [])
    expect(table.pagesInOrder().length).toBe(1)
  })

  it.each(seeds)("lets no damaged page pass as good (seed %d)", (seed) => {
    const dice = new Dice(seed)
    const world = new World(seed)
    world.run(3000, 10)
    const slab = new Slab()
    world.store.loadAll()
    const ids = world.table.pagesInOrder()
    for (let round = 0; round < 40; round++) {
      const bytes = pageOf(world.pages, dice.of(ids))
      expect(ExtraTable.validate(bytes, 0, bytes.length - 1 - dice.below(bytes.length - 1))).toBeTypeOf("string")
      expect(ExtraTable.validate(Buffer.concat([bytes, bytes]), 0, bytes.length + 1)).toBeTypeOf("string")
      for (let flips = 0; flips < 60; flips++) {
        const damaged = Buffer.from(bytes)
        for (let i = dice.below(3); i >= 0; i--) damaged[dice.below(damaged.length)] = dice.below(256)
        if (ExtraTable.validate(damaged, 0, damaged.length) === undefined) readPage(damaged, slab)
      }
    }
    const noise = Buffer.alloc(SLOT_BYTES_MAX)
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < 600; i++) noise[i] = dice.below(256)
      noise[0] = 0x21 + (round & 1)
      expect(ExtraTable.validate(noise, 0, noise.readUInt16LE(2))).toBeTypeOf("string")
    }
  })

  it("refuses extents that overlap, or lie in no slice", () => {
    const { table } = emptyTable()
    expect(() => table.setExtents(1, [extentOf(0, 10, 1), extentOf(9, 1, 2)])).toThrow("inode 1 cannot have")
    expect(() => table.setExtents(1, [{ ...extentOf(0, 10, 1), sliceBytes: 9 }])).toThrow("inode 1 cannot have")
    expect(() => table.setXattr(1, "", "x")).toThrow("without a name")
    expect(() => table.setXattr(1, "n".repeat(256), "x")).toThrow("a name of 256 bytes")
  })

  it("needs about three bytes for a small file packed behind another, five for one with a slice of its own", () => {
    const dice = new Dice(1)
    const packedTable = emptyTable()
    for (let inode = 1; inode <= 128 * 100;) {
      const lengths = Array.from({ length: 500 }, () => 1 + dice.below(12_000))
      const sliceBytes = lengths.reduce((sum, length) => sum + length, 0)
      let sliceOffset = 0
      for (const length of lengths) {
        packedTable.table.setExtents(inode, [{ offset: 0, length, slice: 7, sliceOffset, sliceBytes }])
        sliceOffset += length
        inode++
      }
    }
    expect(packedTable.pages.slab.usedBytes / (128 * 100)).toBeLessThan(3.6)
    const own = emptyTable()
    for (let inode = 1; inode <= 128 * 100; inode++) {
      own.table.setExtents(inode, [extentOf(0, 1 + dice.below(100_000), 1 + inode * 3)])
    }
    expect(own.pages.slab.usedBytes / (128 * 100)).toBeLessThan(5.6)
  })

  it("needs about two bytes for an attribute that a file shares with the one before", () => {
    const { pages, table } = emptyTable()
    for (let inode = 1; inode <= 128 * 50; inode++) {
      table.setXattr(inode, "security.selinux", "system_u:object_r:usr_t:s0")
    }
    expect(bytesIn(table, pages) / (128 * 50)).toBeLessThan(2.05)
  })
})

interface Extra {
  target: ByteString
  extents: Extents.Extents
  readonly xattrs: Map<ByteString, ByteString>
}

/** A table, and what must be in it. */
class World {
  readonly pages = new Pages(scatteredSlab())
  readonly store = new ShadowStore(this.pages)
  table = new ExtraTable(this.pages)
  private readonly model = new Map<number, Extra>()
  private readonly dice: Dice
  private next = InodeNumber.make(5, 1)
  private slice = InodeNumber.make(5, 1)
  private readonly recent: Array<number> = []

  constructor(seed: number) {
    this.dice = new Dice(seed)
  }

  /** So many steps, of which so many in a hundred take something away. */
  run(steps: number, removals: number): void {
    for (let step = 0; step < steps; step++) {
      const { dice } = this
      const inode = this.anyNumber()
      this.store.retry(() => this.table.warm(inode))
      if (dice.chance(removals)) this.remove(inode)
      else this.change(inode)
      if (dice.below(1000) === 0) this.snapshot()
      if (dice.chance(5)) this.check(this.table, this.anyNumber())
    }
  }

  /** One begins or ends; after some, everything is absent. */
  private snapshot(): void {
    const { dice, pages, store } = this
    if (!store.isOpen) return store.begin()
    store.end(dice.chance(30))
    if (dice.chance(50)) pages.evict(0)
  }

  dropAll(): void {
    for (const inode of this.model.keys()) {
      this.store.retry(() => this.table.warm(inode))
      this.table.drop(inode)
    }
    this.model.clear()
    this.recent.length = 0
  }

  compare(): void {
    this.compareWith(this.table)
    this.store.loadAll()
    expectValid(this.table, this.pages)
    const ids = this.table.pagesInOrder()
    this.table = opened(this.pages, this.table)
    expect(this.table.pagesInOrder()).toEqual(ids)
    this.compareWith(this.table)
  }

  private compareWith(table: ExtraTable): void {
    for (const inode of this.model.keys()) this.check(table, inode)
    for (let i = 0; i < 100; i++) this.check(table, this.anyNumber())
  }

  private check(table: ExtraTable, inode: number): void {
    this.store.retry(() => table.warm(inode))
    const { extents, target, xattrs } = this.model.get(inode) ?? { target: "", extents: [], xattrs: new Map() }
    if (table.target(inode) !== target) throw new Error(`target of ${inode}`)
    if (!sameExtents(table.extents(inode), extents)) throw new Error(`extents of ${inode}`)
    if (table.dataBytes(inode) !== Extents.dataBytes(extents)) throw new Error(`bytes of ${inode}`)
    const found = table.xattrs(inode)
    if ((found?.size ?? 0) !== xattrs.size) throw new Error(`attributes of ${inode}`)
    for (const [name, value] of xattrs) {
      if (found?.get(name) !== value || table.xattr(inode, name) !== value) throw new Error(`${name} of ${inode}`)
    }
  }

  private anyNumber(): number {
    const { dice, recent } = this
    if (recent.length > 0 && dice.chance(50)) return dice.of(recent)
    let inode = this.next++
    if (dice.chance(15)) inode = Number.MAX_SAFE_INTEGER - dice.below(300)
    else if (dice.chance(30)) inode = InodeNumber.make(dice.below(6), 1 + dice.below(3000))
    if (recent.length < 3000) recent.push(inode)
    else recent[dice.below(3000)] = inode
    return inode
  }

  private extraOf(inode: number): Extra {
    const extra = this.model.get(inode) ?? { target: "", extents: [], xattrs: new Map() }
    this.model.set(inode, extra)
    return extra
  }

  private change(inode: number): void {
    const { dice, table } = this
    const extra = this.extraOf(inode)
    const kind = dice.below(100)
    if (kind < 65) {
      extra.extents = this.written(dice.chance(25) ? [] : extra.extents)
      table.setExtents(inode, extra.extents)
    } else if (kind < 82) {
      extra.target = this.text(dice.below(400) === 0 ? 4095 : 60)
      table.setTarget(inode, extra.target)
    } else {
      const name = dice.of(xattrNames)
      const value = dice.chance(50) ? "the usual" : this.text(dice.below(200) === 0 ? 40_000 : 40)
      extra.xattrs.set(name, value)
      table.setXattr(inode, name, value)
    }
  }

  private written(extents: Extents.Extents): Extents.Extents {
    const { dice } = this
    const fresh = extents.length === 0
    if (dice.chance(50)) this.slice += dice.below(3)
    const slice = dice.chance(2) ? InodeNumber.make(dice.below(1024), 1 + dice.below(2 ** 32 - 1)) : this.slice
    const length = 1 + dice.below(dice.chance(90) ? 20_000 : MIB)
    const sliceOffset = dice.chance(50) ? 0 : dice.below(MIB)
    const sliceBytes = dice.chance(50) ? sliceOffset + length : 64 * MIB - dice.below(3 * MIB)
    let offset = fresh && dice.chance(80) ? 0 : dice.below(50_000)
    if (dice.chance(1)) offset = Number.MAX_SAFE_INTEGER - length - dice.below(10)
    return Extents.replace(extents, offset, length, [{ offset, length, slice, sliceOffset, sliceBytes }])
  }

  private text(bytesMax: number): ByteString {
    const { dice } = this
    const bytes = Buffer.alloc(dice.below(bytesMax + 1), dice.below(256))
    for (let i = 0; i < 5 && i < bytes.length; i++) bytes[i] = dice.below(256)
    return bytes.latin1Slice()
  }

  private remove(inode: number): void {
    const { dice, table } = this
    const extra = this.extraOf(inode)
    const kind = dice.below(10)
    if (kind < 5) {
      table.drop(inode)
      this.model.delete(inode)
    } else if (kind < 7) {
      extra.extents = Extents.within(extra.extents, 0, dice.below(100_000))
      table.setExtents(inode, extra.extents)
    } else if (kind < 8) {
      extra.target = ""
      table.setTarget(inode, "")
    } else {
      const name = dice.of(xattrNames)
      extra.xattrs.delete(name)
      table.setXattr(inode, name, undefined)
    }
  }
}

/** The same table, found again by its roots. */
const opened = (pages: Pages, table: ExtraTable): ExtraTable => {
  const again = new ExtraTable(pages)
  again.open(table.roots)
  return again
}

const emptyTable = (): { pages: Pages; table: ExtraTable } => {
  const pages = new Pages(new Slab())
  return { pages, table: new ExtraTable(pages) }
}

const extentOf = (offset: number, length: number, slice: number): Extents.Extent => ({
  offset,
  length,
  slice,
  sliceOffset: 0,
  sliceBytes: length
})

const sameExtents = (a: Extents.Extents, b: Extents.Extents): boolean =>
  a.length === b.length && a.every((extent, index) => {
    const other = b[index] as Extents.Extent
    return extent.offset === other.offset && extent.length === other.length && extent.slice === other.slice &&
      extent.sliceOffset === other.sliceOffset && extent.sliceBytes === other.sliceBytes
  })

const changedPages = (table: ExtraTable, pages: Pages): number =>
  table.pagesInOrder().filter((page) => pages.changedIn(page) === pages.epoch).length

const pageOf = (pages: Pages, page: number): Buffer => {
  pages.locate(page)
  const length = lengthOf(pages.bytes, pages.at)
  return Buffer.from(pages.bytes.subarray(pages.at, pages.at + length))
}

/** Bytes of slots, without those of the tables that find the pages. */
const bytesIn = (table: ExtraTable, pages: Pages): number =>
  table.pagesInOrder().reduce((sum, page) => sum + pages.capacity(page), 0)

/** All pages are valid, in slots no larger than they need, and there are no others. */
const expectValid = (table: ExtraTable, pages: Pages): void => {
  const ids = table.pagesInOrder()
  for (const id of ids) {
    const bytes = pageOf(pages, id)
    expect(ExtraTable.validate(bytes, 0, bytes.length)).toBeUndefined()
  }
  const found: Array<number> = []
  for (let page = 1; page < pages.limit; page++) {
    const kind = pages.kindOf(page)
    if (kind === PageKind.extents || kind === PageKind.texts) found.push(page)
  }
  expect(found).toEqual(ids.toSorted((a, b) => a - b))
  // The last page of each kind keeps room for what comes next.
  const roomy = ids.filter((id) => pages.capacity(id) !== capacityFor(pageOf(pages, id).length))
  expect(roomy.length).toBeLessThanOrEqual(2)
}

/** A page that passed for good is read, changed and given back like any other. */
const readPage = (bytes: Buffer, slab: Slab): void => {
  const pages = new Pages(slab)
  const isExtents = bytes[0] === EXTENTS
  const page = pages.create(bytes.length, isExtents ? PageKind.extents : PageKind.texts)
  pages.locate(page)
  pages.bytes.set(bytes, pages.at)
  const order = new PageOrder(pages)
  order.insertNext((isExtents ? firstExtent : firstText)(bytes, 0).inode, page)
  const table = new ExtraTable(pages)
  table.open(isExtents ? { extents: order.roots, texts: [] } : { extents: [], texts: order.roots })
  const inodes = table.inodes()
  expect(inodes.size).toBeGreaterThan(0)
  for (const inode of inodes) {
    const extents = table.extents(inode)
    expect(extents.every((extent) => Extents.isValid(extent))).toBe(true)
    table.xattrs(inode)
    table.target(inode)
    table.setExtents(inode, [])
    table.drop(inode)
  }
  expect(pages.count).toBe(0)
}
