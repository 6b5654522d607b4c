/**
 * How a suite that several implementations share is run: the suite says its tests, the caller where they run. Here
 * is the ordinary way, in real time.
 */
import { layer } from "@effect/vitest"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/** Adds a test; the body is made anew for each run. */
export type AddTest<Services> = (
  name: string,
  body: () => Effect.Effect<void, unknown, Services | Scope.Scope>
) => void

/** Runs the tests that the suite adds, each with the services. */
export type Suite<Services> = (define: (test: AddTest<Services>) => void) => void

/** All tests share the services of one layer. */
export const realTime = <Services, E>(name: string, services: Layer.Layer<Services, E>): Suite<Services> => (define) =>
  layer(services, { excludeTestServices: true, timeout: "30 seconds" })(
    name,
    (it) => define((name, body) => it.scoped(name, body))
  )
