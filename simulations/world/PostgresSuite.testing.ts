/**
 * Runs suites that a real Postgres passes over the simulated one. It knows no test.
 */
import type { Suite } from "#persistence/Suite.testing.ts"
import { makeWorld, type PostgresWorld, runIn } from "#simulations/world/PostgresWorld.testing.ts"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { describe, it } from "vitest"

const SEEDS = [1, 2, 3, 4, 5]

/** Each test has worlds of its own, one for each of some seeds. */
export const simulated =
  <Services, E>(name: string, services: (test: PostgresWorld) => Layer.Layer<Services, E>): Suite<Services> =>
  (define) =>
    describe(`${name}`, () => {
      define((name, body) => {
        it.each(SEEDS)(`${name} (seed %i)`, (seed) => {
          const test = makeWorld(seed)
          runIn(test, Effect.provide(body(), services(test)))
        })
      })
    })
