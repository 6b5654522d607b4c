import { Dice } from "#domain/testing/Dice.ts"
import { RECORD_HEADER_BYTES } from "#persistence/pages/PagePack.ts"
import { CHUNK_BYTES_MAX, CHUNK_PAGES, chunkOf, PageTable } from "#persistence/pages/PageTable.ts"
import { describe, expect, it } from "vitest"

const PAGES = 3 * CHUNK_PAGES
const PACKS = 5
const PACK_BYTES = 4 * 1024 * 1024

interface Place {
  readonly pack: number
  readonly offset: number
  readonly length: number
  readonly crc: number
  readonly kind: number
}

const withPacks = (): PageTable => {
  const table = new PageTable()
  for (let number = 1; number <= PACKS; number++) table.addPack({ number, epoch: 1, bytes: PACK_BYTES, live: 0 })
  return table
}

const changed = (table: PageTable, model: Map<number, Place>, dice: Dice, steps: number): void => {
  for (let step = 0; step < steps; step++) {
    const page = 1 + dice.below(PAGES - 1)
    if (dice.chance(30)) {
      table.clear(page)
      model.delete(page)
      continue
    }
    const place = {
      pack: 1 + dice.below(PACKS),
      offset: dice.below(2 ** 20),
      length: 1 + dice.below(16_000),
      crc: dice.below(2 ** 32 - 1),
      kind: 1 + dice.below(7)
    }
    table.set(page, place.kind, place.pack, place.offset, place.length, place.crc)
    model.set(page, place)
  }
}

const expectSame = (table: PageTable, model: ReadonlyMap<number, Place>): void => {
  const found = new Map<number, Place>()
  for (let page = 1; page < PAGES; page++) {
    const place = table.placeOf(page)
    if (place !== undefined) found.set(page, { ...place, kind: table.kindOf(page) })
  }
  expect(found).toEqual(model)
  for (const [page, { crc, offset, pack }] of [...model].slice(0, 100)) {
    const at = [[pack, offset, crc], [pack, offset + 1, crc], [pack, offset, crc ^ 1], [pack + 1, offset, crc]] as const
    expect(at.map(([pack, offset, crc]) => table.isAt(page, pack, offset, crc))).toEqual([true, false, false, false])
  }
  for (const { live, number } of table.packs.values()) {
    let bytes = 0
    for (const { length, pack } of model.values()) if (pack === number) bytes += RECORD_HEADER_BYTES + length
    expect(live).toBe(bytes)
  }
}

describe("a page table", () => {
  it("is a map of places, and knows what of each pack is in use", () => {
    const dice = new Dice(1)
    const table = withPacks()
    const model = new Map<number, Place>()
    for (let round = 0; round < 5; round++) {
      changed(table, model, dice, 2000)
      expectSame(table, model)
    }
  })

  it("comes back from its chunks, each when it is asked for", () => {
    const dice = new Dice(2)
    const table = withPacks()
    const model = new Map<number, Place>()
    changed(table, model, dice, 4000)
    const again = withPacks()
    for (const { live, number } of table.packs.values()) again.packs.set(number, { ...again.packs.get(number)!, live })
    expect(table.dirtyChunks).toEqual([0, 1, 2])
    for (const chunk of table.dirtyChunks) {
      again.openChunk(chunk, { pack: 1, offset: 0, length: 1, crc: 1 })
      expect(again.isChunkLoaded(chunk)).toBe(false)
      expect(again.placeOf(chunk * CHUNK_PAGES + 1)).toBeUndefined()
      expect(() => again.clear(chunk * CHUNK_PAGES + 1)).toThrow(`chunk ${chunk} of the page table is not loaded`)
      expect(again.loadChunk(chunk, table.encodeChunk(chunk))).toBeUndefined()
      expect(again.isChunkLoaded(chunk)).toBe(true)
    }
    expectSame(again, model)
    expect(again.dirtyChunks).toEqual([])
    changed(again, model, dice, 1)
    expect(again.dirtyChunks).toHaveLength(1)
  })

  it("moves a chunk's record from pack to pack", () => {
    const table = withPacks()
    table.set(5, 1, 1, 0, 10, 1)
    table.settleChunk(0, { pack: 2, offset: 0, length: 100, crc: 1 })
    expect(table.dirtyChunks).toEqual([])
    table.touchChunk(0)
    table.settleChunk(0, { pack: 3, offset: 0, length: 100, crc: 1 })
    const live = [...table.packs.values()].map((pack) => pack.live)
    expect(live).toEqual([RECORD_HEADER_BYTES + 10, 0, RECORD_HEADER_BYTES + 100, 0, 0])
    expect(table.chunkPlaces(2)).toEqual([{ pack: 3, offset: 0, length: 100, crc: 1 }, undefined])
  })

  it("takes no chunk that points out of its packs, and reads any bytes without harm", () => {
    const dice = new Dice(3)
    const table = withPacks()
    changed(table, new Map(), dice, 4000)
    const bytes = table.encodeChunk(1)
    const without = new PageTable()
    expect(without.loadChunk(1, bytes)).toMatch(/page \d+ is beyond the end of pack \d/)
    expect(bytes.length).toBeLessThanOrEqual(CHUNK_BYTES_MAX)
    expect(table.loadChunk(1, bytes.subarray(1))).toMatch(/a chunk of \d+ bytes is none/)
    for (let round = 0; round < 300; round++) {
      const broken = bytes.slice()
      for (let turns = 1 + dice.below(3); turns > 0; turns--) {
        const where = dice.below(broken.length)
        broken[where] = dice.below(256)
      }
      const target = withPacks()
      if (target.loadChunk(1, broken) !== undefined) continue
      const ends = Array.from({ length: CHUNK_PAGES }, (_, index) => {
        const { length, offset } = target.placeOf(CHUNK_PAGES + index) ?? { length: 0, offset: 0 }
        return offset + length
      })
      expect(Math.max(...ends)).toBeLessThanOrEqual(PACK_BYTES)
    }
  })

  it("finds the chunk of a page", () => {
    expect([0, 1, 1023, 1024, 5000].map(chunkOf)).toEqual([0, 0, 0, 1, 4])
  })
})
