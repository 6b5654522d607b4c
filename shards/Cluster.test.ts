import { judge } from "#shards/Cluster.ts"
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describe, expect } from "vitest"

const runners = ["a", "b", "c", "d"].map((host) => RunnerAddress.make(host, 1))
const [self, ...others] = runners as [RunnerAddress.RunnerAddress, ...Array<RunnerAddress.RunnerAddress>]

/** What the judge says of all runners in a second round, when these do not answer it. */
const verdicts = (silent: ReadonlyArray<string>) => {
  const health = judge(self, ({ host }) => Effect.succeed(!silent.includes(host)))
  const round = Effect.forEach(
    runners,
    (runner) => Effect.map(health.isAlive(runner), (alive) => [runner.host, alive] as const)
  )
  return Effect.map(Effect.zipRight(round, round), (said) => Object.fromEntries(said))
}

describe("the runner that judges the others", () => {
  it.effect("says who does not answer", () =>
    Effect.gen(function*() {
      expect(yield* verdicts([])).toEqual({ a: true, b: true, c: true, d: true })
      expect(yield* verdicts(["c"])).toEqual({ a: true, b: true, c: false, d: true })
    }))

  it.effect("that most do not answer takes itself for the one that is cut off, and judges nobody else", () =>
    Effect.gen(function*() {
      expect(yield* verdicts(["b", "c"])).toEqual({ a: false, b: true, c: true, d: true })
      expect(yield* verdicts(["b", "c", "d"])).toEqual({ a: false, b: true, c: true, d: true })
    }))

  it.effect("has no majority to ask among two, and believes itself", () =>
    Effect.gen(function*() {
      const health = judge(self, () => Effect.succeed(false))
      const other = others[0] as RunnerAddress.RunnerAddress
      for (let round = 0; round < 3; round++) {
        expect(yield* health.isAlive(other)).toBe(false)
        expect(yield* health.isAlive(self)).toBe(true)
      }
    }))
})
