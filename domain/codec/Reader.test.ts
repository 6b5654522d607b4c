import { Malformed, Reader } from "#domain/codec/Reader.ts"
import { Writer } from "#domain/codec/Writer.ts"
import { byteString, uint } from "#domain/testing/Arbitraries.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

const { runs } = seedsOf(process.env)

/** The value after a way through bytes, and how many they were. */
const through = <Value>(write: (writer: Writer) => void, read: (reader: Reader) => Value): readonly [Value, number] => {
  const writer = new Writer(1)
  write(writer)
  const bytes = writer.take()
  const reader = new Reader(bytes)
  const value = read(reader)
  reader.end()
  return [value, bytes.length]
}

const reader = (...bytes: ReadonlyArray<number>): Reader => new Reader(Uint8Array.from(bytes))

describe("what a writer wrote", () => {
  it("is read again: numbers of any size, in as few bytes as they take", () => {
    fc.assert(
      fc.property(uint, (value) => {
        const [found, bytes] = through((w) => w.varint(value), (r) => r.varint())
        expect(found).toBe(value)
        expect(bytes).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)))
        expect(through((w) => w.u56(value), (r) => r.u56())).toEqual([value, 7])
      }),
      runs(500)
    )
  })

  it("is read again: numbers below zero", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }), (value) => {
        expect(through((w) => w.zigzag(value), (r) => r.zigzag())[0]).toBe(value)
      }),
      runs(500)
    )
  })

  it("is read again: bytes, and numbers of fixed size", () => {
    fc.assert(
      fc.property(byteString(300), fc.nat({ max: 0xffff }), fc.nat({ max: 0xffff_ffff }), (text, short, long) => {
        const bytes = Buffer.from(text, "latin1")
        expect(through((w) => w.string(text), (r) => r.string(300))[0]).toBe(text)
        expect(Buffer.compare(through((w) => w.blob(bytes), (r) => r.blob(300))[0], bytes)).toBe(0)
        expect(through((w) => w.u16(short), (r) => r.u16())).toEqual([short, 2])
        expect(through((w) => w.u32(long), (r) => r.u32())).toEqual([long, 4])
      }),
      runs(200)
    )
  })
})

describe("a reader", () => {
  it("refuses to read beyond the end", () => {
    for (const read of ["u8", "u16", "u32", "u56", "varint", "zigzag"] as const) {
      expect(() => reader()[read]()).toThrow(Malformed)
    }
    expect(() => reader(1, 2, 3)["u32"]()).toThrow(Malformed)
    expect(() => reader(0x80).varint()).toThrow(Malformed)
    expect(() => reader(3, 65, 65).string(10)).toThrow(Malformed)
    expect(() => reader(1).take(2)).toThrow(Malformed)
  })

  it("refuses numbers that are no safe integers", () => {
    expect(() => reader(...Array.from({ length: 7 }, () => 0xff), 0x1f).varint()).toThrow(/too large/)
    expect(reader(...Array.from({ length: 7 }, () => 0xff), 0x0f).varint()).toBe(Number.MAX_SAFE_INTEGER)
    expect(() => reader(0, 0, 0, 0, 0, 0, 0x20).u56()).toThrow(/too large/)
    expect(reader(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f).u56()).toBe(Number.MAX_SAFE_INTEGER)
  })

  it("ends with a number that never ends", () => {
    expect(() => reader(...Array.from({ length: 1000 }, () => 0x80), 1).varint()).toThrow(Malformed)
  })

  it("refuses counts and lengths that cannot be", () => {
    expect(() => reader(5, 0, 0).count(100)).toThrow(/count 5/)
    expect(() => reader(5, 0, 0, 0, 0, 0).count(4)).toThrow(/count 5/)
    expect(reader(5, 0, 0, 0, 0, 0).count(5)).toBe(5)
    expect(() => reader(5, 0, 0, 0, 0, 0).string(4)).toThrow(/above 4/)
  })

  it("says where it stopped", () => {
    const one = reader(1, 2, 3)
    one.u16()
    expect(() => one.end()).toThrow("1 bytes too many at byte 2")
  })
})
