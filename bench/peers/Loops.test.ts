import { closed, open, Overrun, perSecond } from "#bench/peers/Loops.ts"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describe } from "vitest"

const quiet = () => undefined

describe("callers that ask again when they were answered", () => {
  it.live("are so many at once, and all that they did counts", () =>
    Effect.gen(function*() {
      let now = 0
      let most = 0
      const calls = new Map<number, number>()
      const ask = (caller: number) =>
        Effect.suspend(() => {
          most = Math.max(most, ++now)
          calls.set(caller, (calls.get(caller) ?? 0) + 1)
          return Effect.as(Effect.zipRight(Effect.sleep(1), Effect.sync(() => now--)), 7)
        })
      const load = yield* closed(5, ask, { seconds: 0.05, onProgress: quiet })
      const made = [...calls.values()].reduce((sum, count) => sum + count, 0)
      expect(most).toBe(5)
      expect([...calls.keys()].sort()).toEqual([0, 1, 2, 3, 4])
      expect(load.count).toBe(7 * made)
      expect(load.millis).toHaveLength(made)
      expect(load.seconds).toBeGreaterThanOrEqual(0.05)
      expect(perSecond(load)).toBeCloseTo(load.count / load.seconds, 9)
    }))

  it.live("end with the first error", () =>
    Effect.gen(function*() {
      const ask = (caller: number) => caller === 2 ? Effect.fail("refused") : Effect.as(Effect.sleep(1), 1)
      expect(yield* Effect.flip(closed(3, ask, { seconds: 60, onProgress: quiet }))).toBe("refused")
    }))
})

describe("calls that are due at a rate", () => {
  it.live("count from when they were due, however long those before them took", () =>
    Effect.gen(function*() {
      const total = 20
      const latch = yield* Effect.makeLatch()
      let asked = 0
      const ask = () => Effect.zipRight(++asked === total ? latch.open : Effect.void, Effect.as(latch.await, 3))
      const load = yield* open(200, 4, ask, { seconds: total / 200, onProgress: quiet })
      expect(load.count).toBe(3 * total)
      expect(load.millis).toHaveLength(total)
      // All were answered together: the first had waited since it was due, 95 ms before the last.
      expect(Math.max(...load.millis) - Math.min(...load.millis)).toBeGreaterThanOrEqual(90)
    }))

  it.live("are given up when too many wait", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(open(1e6, 1, () => Effect.never, { seconds: 60, onProgress: quiet }))
      expect(error).toBeInstanceOf(Overrun)
    }))

  it.live("fail when one of them fails", () =>
    Effect.gen(function*() {
      const ask = (caller: number) => caller === 1 ? Effect.fail("refused") : Effect.succeed(1)
      expect(yield* Effect.flip(open(100, 2, ask, { seconds: 0.05, onProgress: quiet }))).toBe("refused")
    }))
})
