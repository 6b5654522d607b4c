import * as Chain from "#persistence/Chain.ts"
import { expectRows, rowAfter } from "#persistence/Journal.contract.ts"
import * as SegmentCodec from "#persistence/SegmentCodec.ts"
import * as Either from "effect/Either"
import * as FastCheck from "fast-check"
import { describe, expect, it } from "vitest"

const rowShape = FastCheck.record({
  epoch: FastCheck.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  events: FastCheck.integer({ min: 1, max: 100_000 }),
  codec: FastCheck.integer({ min: 0, max: 255 }),
  seconds: FastCheck.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  nanos: FastCheck.integer({ min: 0, max: 999_999_999 }),
  payload: FastCheck.uint8Array({ maxLength: 300 })
})

const segments = FastCheck.record({
  zone: FastCheck.integer({ min: 0, max: 1023 }),
  sequence: FastCheck.integer({ min: 0, max: 2 ** 50 }),
  hash: FastCheck.uint8Array({ minLength: 32, maxLength: 32 }),
  shapes: FastCheck.array(rowShape, { minLength: 1, maxLength: 20 })
}).map(({ hash, sequence, shapes, zone }): SegmentCodec.Segment => {
  const from = { sequence, hash }
  const rows: Array<Chain.JournalRow> = []
  let head: Chain.ChainHead = from
  for (const { nanos, seconds, ...options } of shapes) {
    const row = rowAfter(head, { ...options, zone, time: { seconds, nanos } })
    rows.push(row)
    head = Chain.headOf(row)
  }
  return { zone, from, rows }
})

const encoded = (segment: SegmentCodec.Segment): Uint8Array => Either.getOrThrow(SegmentCodec.encode(segment))

describe("the bytes of a segment", () => {
  it("bring back every column of every row", () => {
    FastCheck.assert(FastCheck.property(segments, (segment) => {
      const { from, rows, zone } = Either.getOrThrow(SegmentCodec.decode(encoded(segment)))
      expect(zone).toBe(segment.zone)
      expect(from.sequence).toBe(segment.from.sequence)
      expect(Buffer.compare(from.hash, segment.from.hash)).toBe(0)
      expectRows(rows, segment.rows)
    }))
  })

  it("that were cut, prolonged or changed in any bit are refused, and nothing crashes", () => {
    FastCheck.assert(FastCheck.property(segments, FastCheck.nat(), FastCheck.nat(7), (segment, at, bit) => {
      const bytes = encoded(segment)
      expect(Either.isLeft(SegmentCodec.decode(bytes.subarray(0, at % bytes.length)))).toBe(true)
      expect(Either.isLeft(SegmentCodec.decode(Buffer.concat([bytes, Buffer.alloc(1 + at % 99)])))).toBe(true)
      const turned = Buffer.from(bytes)
      turned[at % bytes.length] = (turned[at % bytes.length] ?? 0) ^ (1 << bit)
      expect(Either.isLeft(SegmentCodec.decode(turned)), `byte ${at % bytes.length}, bit ${bit}`).toBe(true)
    }))
  })

  it("that are anything at all are refused, and nothing crashes", () => {
    const header = encoded({ zone: 1, from: Chain.START, rows: [rowAfter(Chain.START, { zone: 1, epoch: 1 })] })
      .subarray(0, 4)
    FastCheck.assert(
      FastCheck.property(FastCheck.uint8Array({ maxLength: 500 }), FastCheck.boolean(), (rest, named) => {
        const bytes = named ? Buffer.concat([header, rest]) : rest
        expect(Either.isLeft(SegmentCodec.decode(bytes))).toBe(true)
      })
    )
  })

  it("are not made of a run with a gap, a broken link, a row of another zone, or no row", () => {
    const first = rowAfter(Chain.START, { zone: 1, epoch: 1 })
    const second = rowAfter(Chain.headOf(first), { zone: 1, epoch: 1 })
    const third = rowAfter(Chain.headOf(second), { zone: 1, epoch: 1 })
    const reasonOf = (rows: ReadonlyArray<Chain.JournalRow>): string =>
      Either.match(SegmentCodec.encode({ zone: 1, from: Chain.START, rows }), {
        onLeft: (reason) => reason,
        onRight: () => ""
      })
    expect(reasonOf([first, second, third])).toBe("")
    expect(reasonOf([])).toBe("it has no row")
    expect(reasonOf([first, third])).toBe("event 2: events 2 to 2 are missing")
    expect(reasonOf([first, { ...second, epoch: 2 }])).toBe("event 2: its contents do not give its hash")
    expect(reasonOf([rowAfter(Chain.START, { zone: 2, epoch: 1 })])).toBe("event 1: the row is of zone 2")
  })
})
