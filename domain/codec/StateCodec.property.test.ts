import { Malformed } from "#domain/codec/Reader.ts"
import * as StateCodec from "#domain/codec/StateCodec.ts"
import { evolve } from "#domain/Evolve.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import { root } from "#domain/testing/Actors.ts"
import { damage } from "#domain/testing/Arbitraries.ts"
import { created } from "#domain/testing/Events.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import { Traffic } from "#domain/testing/Traffic.ts"
import { bytesOf, World } from "#domain/testing/World.ts"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

const { list, runs } = seedsOf(process.env)

/** What the bytes say; undefined if the decoder refuses them. Anything else that it does is thrown on. */
const decoded = (bytes: Uint8Array): ZoneState | undefined => {
  try {
    return StateCodec.decode(bytes)
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

/** Zones with some of everything in them, as bytes. */
const states = list.slice(0, 8).map((seed) => {
  const traffic = new Traffic(seed)
  traffic.run(80)
  return bytesOf(traffic.world.live)
})
const state = fc.constantFrom(...states)

describe("the bytes of a state", () => {
  it("give it back to the last byte", () => {
    for (const bytes of states) expect(Buffer.compare(bytesOf(StateCodec.decode(bytes)), bytes)).toBe(0)
  })

  it("come in runs of bounded length when there are many", () => {
    const { live } = World.founded()
    for (let i = 0; i < 20_000; i++) evolve(live, created({ parent: 1, name: `name-${i}` }, 2 + i, 0o100644, root))
    const lengths: Array<number> = []
    const parts: Array<Uint8Array> = []
    for (const run of StateCodec.encode(live)) {
      lengths.push(run.length)
      parts.push(new Uint8Array(run))
    }
    expect(lengths.length).toBeGreaterThan(2)
    expect(Math.max(...lengths.slice(1))).toBeLessThan(512 * 1024)
    const bytes = Buffer.concat(parts)
    expect(Buffer.compare(bytesOf(StateCodec.decode(bytes)), bytes)).toBe(0)
  })

  it("are refused once they are damaged, or read as another state, and never anything else", () => {
    fc.assert(
      fc.property(state, damage, (bytes, damaged) => {
        const broken = damaged(bytes)
        expect(decoded(broken)?.inodeCount ?? 0).toBeLessThanOrEqual(broken.length)
      }),
      runs(1500)
    )
  })

  it("are refused when they are cut short anywhere", () => {
    fc.assert(
      fc.property(state, fc.nat(), (bytes, place) => {
        expect(decoded(bytes.subarray(0, place % bytes.length))).toBeUndefined()
      }),
      runs(300)
    )
  })

  it("are read from random bytes only as far as those reach", () => {
    const bytes = fc.uint8Array({ maxLength: 200 })
    fc.assert(
      fc.property(fc.oneof(bytes, bytes.map((rest) => Uint8Array.of(StateCodec.VERSION, ...rest))), (bytes) => {
        expect(decoded(bytes)?.inodeCount ?? 0).toBeLessThanOrEqual(bytes.length)
      }),
      runs(3000)
    )
  })

  it("of another version are refused by its number", () => {
    expect(() => StateCodec.decode(Uint8Array.of(StateCodec.VERSION + 1))).toThrow(/snapshot codec 4/)
  })
})
