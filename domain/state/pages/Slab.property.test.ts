import { PageKind, Pages } from "#domain/state/pages/Pages.ts"
import { capacityFor, CHUNK_BYTES, Slab, SLOT_BYTES_MAX } from "#domain/state/pages/Slab.ts"
import { Dice } from "#domain/testing/Dice.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import { describe, expect, it } from "vitest"

const { list } = seedsOf(process.env)
const seeds = list.slice(0, Math.max(1, list.length / 20))

describe("the slab", () => {
  it.each(seeds)("gives slots that keep what is written into them, whatever comes and goes (seed %d)", (seed) => {
    const dice = new Dice(seed)
    const slab = new Slab()
    const living: Array<{ readonly address: number; readonly bytes: number; readonly mark: number }> = []
    const check = ({ address, bytes, mark }: (typeof living)[number]): void => {
      const chunk = slab.chunkOf(address)
      const at = slab.offsetOf(address)
      if (chunk[at] !== mark || chunk[at + bytes - 1] !== mark) throw new Error(`the slot at ${address} was changed`)
    }
    for (let step = 0; step < 25_000; step++) {
      const grows = dice.chance(step < 10_000 ? 65 : 35)
      const isEmpty = living.length === 0
      if (isEmpty || dice.chance(1)) slab.trim()
      expect(slab.heldBytes === 0).toBe(isEmpty)
      if (grows || living.length === 0) {
        const bytes = 1 + dice.below(dice.chance(80) ? 900 : SLOT_BYTES_MAX)
        const address = slab.allocate(bytes)
        const mark = step & 255
        if (slab.capacityAt(address) !== capacityFor(bytes)) throw new Error(`not ${capacityFor(bytes)} bytes`)
        const at = slab.offsetOf(address)
        slab.chunkOf(address).fill(mark, at, at + slab.capacityAt(address))
        living.push({ address, bytes, mark })
      } else {
        const index = dice.below(living.length)
        const slot = living[index] as (typeof living)[number]
        check(slot)
        slab.free(slot.address)
        living[index] = living.at(-1) as (typeof living)[number]
        living.pop()
      }
    }
    for (const slot of living) check(slot)
    expect(slab.usedBytes).toBe(living.reduce((sum, { bytes }) => sum + capacityFor(bytes), 0))
    for (const { address } of living) slab.free(address)
    expect(slab.usedBytes).toBe(0)
    expect(slab.heldBytes).toBeLessThanOrEqual(2 * CHUNK_BYTES)
    slab.trim()
    expect(slab.heldBytes).toBe(0)
  })

  it("wastes at most a fifth of a slot beyond the smallest", () => {
    for (let bytes = 200; bytes <= SLOT_BYTES_MAX / 2; bytes++) {
      expect((capacityFor(bytes) - bytes) / capacityFor(bytes)).toBeLessThan(bytes < 2048 ? 0.2 : 0.34)
    }
  })

  it("refuses what no slot holds, and to free what is not there", () => {
    const slab = new Slab()
    expect(() => slab.allocate(SLOT_BYTES_MAX + 1)).toThrow("at most 16384")
    expect(() => slab.free(0)).toThrow("nothing lives at 0")
  })
})

describe("pages", () => {
  it("keep their number and contents when they grow, and their last change's epoch", () => {
    const pages = new Pages(new Slab())
    const page = pages.create(40, PageKind.texts)
    pages.locate(page)
    pages.bytes.set([1, 2, 3], pages.at)
    pages.epoch++
    expect(pages.changedIn(page)).toBe(1)
    pages.resize(page, 9000, 3)
    pages.locate(page)
    expect([...pages.bytes.subarray(pages.at, pages.at + 3)]).toEqual([1, 2, 3])
    expect([pages.capacity(page) >= 9000, pages.changedIn(page), pages.count]).toEqual([true, 2, 1])
    pages.release(page)
    expect([pages.count, pages.slab.usedBytes]).toEqual([0, 0])
    expect(pages.create(16, PageKind.texts)).toBe(page)
  })
})
