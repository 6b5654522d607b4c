import * as Extents from "#domain/Extents.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

const { runs } = seedsOf(process.env)

/** Bytes of the files of these tests. */
const SIZE = 64

/** What a byte of a file is: a hole, or a byte of a slice. */
type Byte = undefined | string
const byteOf = (slice: number, at: number): Byte => `${slice}@${at}`

const bytesOf = (extents: Extents.Extents, size = SIZE): Array<Byte> => {
  const bytes = Array.from<Byte>({ length: size })
  for (const { length, offset, slice, sliceOffset } of extents) {
    for (let i = 0; i < length; i++) bytes[offset + i] = byteOf(slice, sliceOffset + i)
  }
  return bytes
}

/** What every list of extents promises, however it was made. */
const expectSound = (extents: Extents.Extents): void => {
  for (const [index, extent] of extents.entries()) {
    expect(extent.length).toBeGreaterThan(0)
    const next = extents[index + 1]
    if (next === undefined) continue
    expect(next.offset).toBeGreaterThanOrEqual(Extents.end(extent))
    const continues = next.slice === extent.slice && next.offset === Extents.end(extent) &&
      next.sliceOffset === extent.sliceOffset + extent.length
    expect(continues, "neighbours that are one").toBe(false)
  }
}

const range = fc.tuple(fc.nat({ max: SIZE - 1 }), fc.nat({ max: SIZE })).map(
  ([offset, length]) => ({ offset, length: Math.min(length, SIZE - offset) })
)
const nonEmpty = range.filter(({ length }) => length > 0)

/** A range and what it shall hold: pieces of few slices, so that some of them continue each other. */
const change = fc.tuple(
  nonEmpty,
  fc.array(
    fc.record({
      gap: fc.nat({ max: 3 }),
      length: fc.integer({ min: 1, max: 12 }),
      slice: fc.integer({ min: 1, max: 2 }),
      from: fc.option(fc.nat({ max: 20 }), { nil: undefined })
    }),
    { maxLength: 4 }
  )
).map(([{ length, offset }, pieces]) => {
  const inserted: Array<Extents.Extent> = []
  let at = offset
  let next = 0
  for (const piece of pieces) {
    at += piece.gap
    const bytes = Math.min(piece.length, offset + length - at)
    if (bytes <= 0) break
    const sliceOffset = piece.from ?? next
    inserted.push({ offset: at, length: bytes, slice: piece.slice, sliceOffset, sliceBytes: 1000 })
    at += bytes
    next = sliceOffset + bytes
  }
  return { offset, length, inserted }
})

/** A file that some changes made, as extents and as bytes. */
const file = fc.array(change, { maxLength: 12 }).map((changes) => {
  let extents = Extents.empty
  for (const { inserted, length, offset } of changes) extents = Extents.replace(extents, offset, length, inserted)
  return extents
})

describe("the extents of a file", () => {
  it("are after any changes what the same changes make of plain bytes", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        let extents = Extents.empty
        const bytes = bytesOf([])
        for (const { inserted, length, offset } of changes) {
          extents = Extents.replace(extents, offset, length, inserted)
          const piece = bytesOf(inserted)
          for (let at = offset; at < offset + length; at++) bytes[at] = piece[at]
          expectSound(extents)
          expect(bytesOf(extents)).toEqual(bytes)
        }
        expect(Extents.dataBytes(extents)).toBe(bytes.filter((byte) => byte !== undefined).length)
      }),
      runs(400)
    )
  })

  it("are within a range those bytes alone, none of them empty", () => {
    fc.assert(
      fc.property(file, range, (extents, { length, offset }) => {
        const within = Extents.within(extents, offset, length)
        expectSound(within)
        const bytes = bytesOf(extents).map((byte, at) => (at >= offset && at < offset + length ? byte : undefined))
        expect(bytesOf(within)).toEqual(bytes)
      }),
      runs(400)
    )
  })

  it("are cut to the byte at the largest offsets, where sums are no safe integers any more", () => {
    const offset = Number.MAX_SAFE_INTEGER - 20
    const extent = { offset, length: 20, slice: 1, sliceOffset: 704_894, sliceBytes: 704_914 }
    for (let cut = 1; cut < 20; cut++) {
      expect(Extents.within([extent], offset + cut, 20 - cut)).toEqual([
        { ...extent, offset: offset + cut, length: 20 - cut, sliceOffset: 704_894 + cut }
      ])
    }
  })

  it("move along the file as a whole", () => {
    fc.assert(
      fc.property(file, fc.nat({ max: 20 }), (extents, distance) => {
        const moved = Extents.shifted(extents, distance)
        expect(bytesOf(moved, SIZE + distance).slice(distance)).toEqual(bytesOf(extents))
        expect(Extents.shifted(moved, -distance)).toEqual(extents)
      }),
      runs(200)
    )
  })

  it("tell the next data and the next hole", () => {
    fc.assert(
      fc.property(file, fc.nat({ max: SIZE + 5 }), (extents, from) => {
        const bytes = bytesOf(extents)
        const data = bytes.findIndex((byte, at) => at >= from && byte !== undefined)
        expect(Extents.nextData(extents, from)).toBe(data === -1 ? undefined : data)
        const hole = bytes.findIndex((byte, at) => at >= from && byte === undefined)
        expect(Extents.nextHole(extents, from)).toBe(hole === -1 ? Math.max(from, SIZE) : hole)
      }),
      runs(400)
    )
  })
})
