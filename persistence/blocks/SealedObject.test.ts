import { Limits } from "#domain/Limits.ts"
import * as SealedObject from "#persistence/blocks/SealedObject.ts"
import { crc32c } from "@node-rs/crc32"
import * as Either from "effect/Either"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

const piece = Limits.checksumPieceBytes

const sealed = (data: Uint8Array): Uint8Array => new Uint8Array(Buffer.concat([data, SealedObject.seal(data)]))

const dataOf = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => (i * 31 + (i >> 8)) & 0xff)

describe("the stored form of an object", () => {
  it("is, byte by byte, what its drawing says", () => {
    const trailer = SealedObject.seal(new TextEncoder().encode("123456789"))
    // e3069283 is the check value of CRC32C.
    expect(Buffer.from(trailer.subarray(0, 16)).toString("hex")).toBe("839206e3090000000000000043445301")
    expect(new DataView(trailer.buffer).getUint32(16, true)).toBe(crc32c(trailer.subarray(0, 16)))
    expect(trailer).toHaveLength(20)
    expect(SealedObject.seal(new Uint8Array(0))).toHaveLength(16)
  })

  it("opens to the data that was sealed, at every size around a piece", () => {
    for (const bytes of [0, 1, piece - 1, piece, piece + 1, 2 * piece, 3 * piece + 7]) {
      const data = dataOf(bytes)
      const stored = sealed(data)
      expect(stored).toHaveLength(SealedObject.sealedBytes(bytes))
      expect(SealedObject.objectBytesOf(stored.length)).toBe(bytes)
      expect(Buffer.compare(Either.getOrThrow(SealedObject.open(stored)), data)).toBe(0)
    }
  })

  it("has a size from which the object's size follows, for every size", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (bytes) => {
      expect(SealedObject.objectBytesOf(SealedObject.sealedBytes(bytes))).toBe(bytes)
    }))
    for (let stored = 0; stored < 100; stored++) {
      const bytes = SealedObject.objectBytesOf(stored)
      expect(SealedObject.sealedBytes(bytes) <= stored || bytes === 0).toBe(true)
      expect(SealedObject.sealedBytes(bytes + 1)).toBeGreaterThan(stored)
    }
  })

  it("opens no more once any bit of it is flipped, and says where", () => {
    const data = dataOf(piece + 100)
    const stored = sealed(data)
    const places = fc.oneof(
      fc.integer({ min: 0, max: stored.length - 1 }),
      fc.integer({ min: data.length, max: stored.length - 1 })
    )
    fc.assert(
      fc.property(places, fc.integer({ min: 0, max: 7 }), (at, bit) => {
        const broken = stored.slice()
        broken[at]! ^= 1 << bit
        const reason = Either.getOrThrow(Either.flip(SealedObject.open(broken)))
        expect(reason).toContain(at < data.length ? `piece ${Math.floor(at / piece)} ` : "trailer")
      }),
      { numRuns: 2000 }
    )
  })

  it("opens no more once it is cut at any byte", () => {
    const stored = sealed(dataOf(piece + 100))
    for (let length = 0; length < stored.length; length++) {
      expect(Either.isLeft(SealedObject.open(stored.subarray(0, length)))).toBe(true)
    }
  })

  it("opens no more once it is longer, though what is longer is zeros", () => {
    for (const more of [1, 4, 5, piece + 4]) {
      const longer = new Uint8Array(Buffer.concat([sealed(dataOf(100)), new Uint8Array(more)]))
      expect(Either.isLeft(SealedObject.open(longer))).toBe(true)
    }
  })

  it("hands on the checksums that it stores, and takes them instead of computing them", () => {
    const data = dataOf(3 * piece + 7)
    const trailer = SealedObject.seal(data)
    const sums = SealedObject.checksums(data)
    expect(sums).toHaveLength(4)
    expect(sums[1]).toBe(crc32c(data.subarray(piece, 2 * piece)))
    expect(SealedObject.storedChecksums(trailer)).toEqual(sums)
    expect(SealedObject.withChecksums(data.length, sums)).toEqual(trailer)
  })
})

describe("the cover of a range", () => {
  it("is the whole pieces around it, to the object's end at most", () => {
    const bytes = 3 * piece + 7
    expect(SealedObject.cover(bytes, 0, 1)).toEqual({ firstPiece: 0, start: 0, end: piece })
    expect(SealedObject.cover(bytes, piece - 1, 2)).toEqual({ firstPiece: 0, start: 0, end: 2 * piece })
    expect(SealedObject.cover(bytes, piece, piece)).toEqual({ firstPiece: 1, start: piece, end: 2 * piece })
    expect(SealedObject.cover(bytes, bytes - 1, 1)).toEqual({ firstPiece: 3, start: 3 * piece, end: bytes })
    expect(SealedObject.cover(bytes, bytes, 0)).toEqual({ firstPiece: 3, start: 3 * piece, end: 3 * piece })
  })

  it("proves its pieces against the trailer alone", () => {
    const data = dataOf(3 * piece + 7)
    const trailer = SealedObject.seal(data)
    const cover = SealedObject.cover(data.length, piece + 5, 2 * piece)
    const pieces = data.slice(cover.start, cover.end)
    expect(SealedObject.piecesFault(pieces, cover, trailer)).toBeUndefined()
    pieces[piece + 3]! ^= 1
    expect(SealedObject.piecesFault(pieces, cover, trailer)).toMatch(/^piece 2 \(bytes 65536 to 98303\)/)
    expect(SealedObject.piecesFault(pieces.subarray(0, piece), cover, trailer)).toContain("only 32768 of the bytes")
  })

  it("is not proved by the trailer of another object", () => {
    const trailer = SealedObject.seal(dataOf(piece + 1))
    expect(SealedObject.trailerFault(trailer, piece + 1)).toBeUndefined()
    expect(SealedObject.trailerFault(trailer, piece + 2)).toContain("trailer is that of 32769 bytes, not of 32770")
    expect(SealedObject.trailerFault(trailer, piece)).toContain("trailer has 24 bytes instead of 20")
  })
})
