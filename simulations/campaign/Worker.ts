/** A thread that runs one seed after the other. */
import type { Job, Outcome } from "#simulations/campaign/Job.ts"
import { load } from "#simulations/scenarios/Library.ts"
import type { Scenario } from "#simulations/scenarios/Scenario.ts"
import { simulate } from "#simulations/Simulation.ts"
import * as Either from "effect/Either"
import { parentPort } from "node:worker_threads"

const scenarios = new Map<string, Scenario>()

const scenarioOf = (name: string): Scenario => {
  let scenario = scenarios.get(name)
  if (scenario === undefined) scenarios.set(name, scenario = Either.getOrThrowWith(load(name), (error) => error))
  return scenario
}

parentPort?.on("message", ({ scenario, seed }: Job) => {
  const result = simulate(scenarioOf(scenario), seed, { now: () => performance.now() })
  const { digest, faults, millis, operations, probes, seconds, violations } = result
  const outcome: Outcome = {
    scenario,
    seed,
    digest,
    operations,
    seconds,
    faults,
    probes,
    violations,
    workMillis: millis.all,
    checkMillis: millis.checks
  }
  parentPort?.postMessage(outcome)
})
