import type { Batch } from "#domain/Batch.ts"
import * as BatchCodec from "#domain/codec/BatchCodec.ts"
import { Malformed } from "#domain/codec/Reader.ts"
import { Writer } from "#domain/codec/Writer.ts"
import { Limits } from "#domain/Limits.ts"
import { batch, damage, everyEvent } from "#domain/testing/Arbitraries.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

const { runs } = seedsOf(process.env)

const encode = (batch: Batch): Uint8Array => {
  const writer = new Writer(1)
  BatchCodec.encode(writer, batch)
  return writer.take()
}

/** What the bytes say; undefined if the decoder refuses them. Anything else that it does is thrown on. */
const decoded = (bytes: Uint8Array): Batch | undefined => {
  try {
    return BatchCodec.decode(bytes, Timestamp.zero)
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

const thingsIn = ({ floors, records }: Batch): number =>
  floors.length + records.length +
  records.reduce(
    (sum, { events }) =>
      sum + events.length +
      events.reduce((sum, event) => sum + (event._tag === "ContentReplaced" ? event.extents.length : 0), 0),
    0
  )

describe("the bytes of a batch", () => {
  it("give it back exactly, whatever is in it", () => {
    fc.assert(
      fc.property(batch, (batch) => {
        expect(BatchCodec.decode(encode(batch), batch.time)).toEqual(batch)
      }),
      runs(600)
    )
  })

  it("give every kind of event back", () => {
    fc.assert(
      fc.property(everyEvent, (events) => {
        const batch = {
          time: Timestamp.zero,
          floors: [],
          records: [{ session: 5, request: 1, uid: 0, operation: 32, events }]
        }
        expect(new Set(events.map(({ _tag }) => _tag)).size).toBe(24)
        expect(BatchCodec.decode(encode(batch), batch.time)).toEqual(batch)
      }),
      runs(200)
    )
  })

  it("are the same for the same batch, whatever was encoded before", () => {
    fc.assert(
      fc.property(batch, batch, (batch, other) => {
        const first = encode(batch)
        encode(other)
        expect(Buffer.compare(encode(batch), first)).toBe(0)
      }),
      runs(50)
    )
  })

  it("are refused once they are damaged, or read as another batch, and never anything else", () => {
    fc.assert(
      fc.property(batch, damage, (batch, damaged) => {
        const bytes = damaged(encode(batch))
        const found = decoded(bytes)
        expect(found === undefined ? 0 : thingsIn(found)).toBeLessThanOrEqual(bytes.length)
      }),
      runs(1500)
    )
  })

  it("are refused when they are cut short anywhere", () => {
    fc.assert(
      fc.property(batch, fc.nat(), (batch, place) => {
        const bytes = encode(batch)
        expect(decoded(bytes.subarray(0, place % bytes.length))).toBeUndefined()
      }),
      runs(300)
    )
  })

  it("are read from random bytes only as far as those reach", () => {
    const bytes = fc.uint8Array({ maxLength: 200 })
    fc.assert(
      fc.property(fc.oneof(bytes, bytes.map((rest) => Uint8Array.of(BatchCodec.VERSION, ...rest))), (bytes) => {
        const found = decoded(bytes)
        expect(found === undefined ? 0 : thingsIn(found)).toBeLessThanOrEqual(bytes.length)
      }),
      runs(5000)
    )
  })

  it("promise no more things than there are bytes", () => {
    const many = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]
    for (const head of [[], [0], [0, 1, 0, 0], [0, 1, 0, 0, 8]]) {
      expect(decoded(Uint8Array.of(BatchCodec.VERSION, ...head, ...many))).toBeUndefined()
    }
  })

  it("of another version are refused by its number", () => {
    expect(() => BatchCodec.decode(Uint8Array.of(BatchCodec.VERSION + 1), Timestamp.zero)).toThrow(/journal codec 2/)
  })

  it("may tell of as many sessions as a zone keeps, and of some that ended besides", () => {
    const floors = Array.from({ length: Limits.sessionsPerZoneMax }, (_, i) => ({ session: i + 1, floor: 7 }))
    const ended = { _tag: "SessionEnded", session: 2 ** 40, reason: "expired" } as const
    const records = [{ session: 0, request: 0, uid: 0, operation: 52, events: [ended] }]
    const bytes = encode({ time: Timestamp.zero, floors, records })
    expect(decoded(bytes)?.floors.length).toBe(Limits.sessionsPerZoneMax)
  })
})
