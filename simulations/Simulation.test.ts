import { run } from "#simulations/campaign/Campaign.ts"
import { load, names } from "#simulations/scenarios/Library.ts"
import { parse } from "#simulations/scenarios/Scenario.ts"
import { simulate } from "#simulations/Simulation.ts"
import * as Either from "effect/Either"
import { availableParallelism } from "node:os"
import { describe, expect, it } from "vitest"

const SEEDS = 3
const MINUTES_MAX = 12

const now = (): number => performance.now()

describe("the deterministic world", () => {
  it("keeps every promise under every fault, for a hundred runs and more, and ends the same when run again", {
    timeout: MINUTES_MAX * 60_000
  }, async () => {
    const summary = await run({
      scenarios: names,
      firstSeed: 1,
      lastSeed: SEEDS,
      millisMax: undefined,
      workers: availableParallelism(),
      failuresMax: 3,
      onProgress: () => undefined
    })
    expect(summary.failures).toEqual([])
    expect(summary.runs).toBe(SEEDS * names.length)
    expect(summary.repeated).toBeGreaterThan(0)
    expect([...summary.faults.keys()].length).toBeGreaterThan(20)
  })

  it("goes another way under another seed", () => {
    const scenario = Either.getOrThrow(load("recovery"))
    expect(simulate(scenario, 1, { now }).digest).not.toBe(simulate(scenario, 2, { now }).digest)
  })
})

describe("a scenario", () => {
  it("that names an unknown fault, workload or field is refused by name", () => {
    const good = {
      about: "a test",
      runners: 1,
      zones: 1,
      clients: 1,
      loops: 1,
      seconds: 1,
      thinkSeconds: 1,
      leaseSeconds: 4,
      sessionLeaseSeconds: 10,
      snapshotEvents: 10,
      store: "objects",
      workloads: { namespace: 1 },
      faults: { killRunner: 1 }
    }
    const messageOf = (given: unknown): string =>
      Either.match(parse("mine", JSON.stringify(given)), { onLeft: ({ message }) => message, onRight: () => "" })
    expect(messageOf(good)).toBe("")
    expect(messageOf({ ...good, faults: { quake: 1 } })).toContain("no fault is called quake")
    expect(messageOf({ ...good, workloads: { nothing: 1 } })).toContain("no workload is called nothing")
    expect(messageOf({ ...good, runner: 2 })).toContain("runner")
    expect(messageOf({ ...good, zones: 0 })).toContain("zones")
    expect(Either.isLeft(parse("mine", "{"))).toBe(true)
    expect(Either.isLeft(load("/nowhere/at/all.json"))).toBe(true)
  })
})
