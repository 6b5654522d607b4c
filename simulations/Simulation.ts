/**
 * One run of a scenario under one seed: load and faults for a while, then quiet, then everything is looked at. The
 * same seed ends in the same digest.
 */
import { historyViolations } from "#simulations/checks/HistoryCheck.ts"
import { inspect, outlast } from "#simulations/checks/Inspector.ts"
import { tamper } from "#simulations/checks/Tampering.ts"
import type { Violation } from "#simulations/checks/Violation.ts"
import { SimulatedCluster } from "#simulations/cluster/SimulatedCluster.ts"
import { faults } from "#simulations/faults/Faults.ts"
import type { Observation } from "#simulations/history/History.ts"
import type { Scenario } from "#simulations/scenarios/Scenario.ts"
import { leavingNone } from "#simulations/world/Fibers.ts"
import type { Process } from "#simulations/world/Process.ts"
import { withoutRealTime } from "#simulations/world/RealTime.ts"
import { SECOND, World, WorldBroken } from "#simulations/world/World.ts"

export interface Result {
  readonly scenario: string
  readonly seed: number
  readonly digest: string
  readonly violations: ReadonlyArray<Violation>
  /** Seconds of the world. */
  readonly seconds: number
  readonly operations: number
  readonly faults: ReadonlyMap<string, number>
  readonly probes: ReadonlyMap<string, number>
  readonly observations: ReadonlyArray<Observation>
  readonly story: ReadonlyArray<string>
  /** Real milliseconds: of all, and of the checks of the history. */
  readonly millis: { readonly all: number; readonly checks: number }
}

/** Clients must be done so many leases after everything works again. */
const LEASES_MAX = 60

export const simulate = (
  scenario: Scenario,
  seed: number,
  options: { readonly story?: boolean; readonly now: () => number }
): Result => {
  const begun = options.now()
  const { stackTraceLimit } = Error
  // Most errors of a run are expected, and their stacks would be a tenth of its cost.
  Error.stackTraceLimit = options.story === true ? stackTraceLimit : 0
  const world = new World(seed, options)
  const cluster = new SimulatedCluster(world, scenario)
  let checks = 0
  try {
    withoutRealTime(seed, () => leavingNone(() => play(cluster)))
    const before = options.now()
    const found = historyViolations(cluster.recorder.observations, {
      onGivenUp: (rule) => world.probe(`not judged: ${rule}`)
    })
    for (const violation of found) cluster.violations.push(violation)
    checks = options.now() - before
  } catch (cause) {
    if (!(cause instanceof WorldBroken)) throw cause
    cluster.violate("time passes", cause.message)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
  return {
    scenario: scenario.name,
    seed,
    digest: world.digest,
    violations: cluster.violations,
    seconds: world.now / SECOND,
    operations: cluster.recorder.observations.length,
    faults: world.faults,
    probes: world.probes,
    observations: cluster.recorder.observations,
    story: world.story,
    millis: { all: options.now() - begun, checks }
  }
}

const play = (cluster: SimulatedCluster): void => {
  try {
    live(cluster)
  } finally {
    cluster.world.end()
  }
}

const live = (cluster: SimulatedCluster): void => {
  const { clients, runnerNames, scenario } = cluster
  const limit = LEASES_MAX * scenario.leaseSeconds
  for (const name of runnerNames) cluster.startRunner(name)
  for (let number = 1; number <= scenario.clients; number++) cluster.startClient(`client-${number}`)
  for (const [name, seconds] of scenario.faults) befall(cluster, () => faults[name](cluster), seconds)
  cluster.runFor(scenario.seconds)

  cluster.ending = true
  cluster.heal()
  const gone = () => [...clients.values()].every(({ isDead }) => isDead)
  if (!cluster.runFor(limit, gone)) {
    const stuck = [...clients.values()].filter(({ isDead }) => !isDead).map(({ name }) => name)
    cluster.violate("every call ends", `${stuck.join(", ")} still waits ${limit} s after all is well again`)
    return
  }
  cluster.heal()
  if (!ends(cluster, outlast(cluster)) || !ends(cluster, inspect(cluster))) return
  if (scenario.tampering) ends(cluster, tamper(cluster))
  else stop(cluster)
}

/** All runners stop at once, as `docker compose stop` has it, and hand over what nobody takes. */
const stop = (cluster: SimulatedCluster): void => {
  const runners = [...cluster.runners.values()].filter((runner) => runner.serves())
  for (const runner of runners) runner.stop()
  if (cluster.runFor(STOP_SECONDS_MAX, () => runners.every((runner) => !runner.serves()))) return
  const left = runners.filter((runner) => runner.serves()).map(({ process }) => process.name)
  cluster.violate("a runner stops in time", `${left.join(", ")} did not stop in ${STOP_SECONDS_MAX} s`)
}

/** `cadastre runner` gives up after this. */
const STOP_SECONDS_MAX = 25

const ends = (cluster: SimulatedCluster, process: Process): boolean => {
  if (cluster.runFor(LEASES_MAX * cluster.scenario.leaseSeconds, () => process.isDead)) return true
  cluster.violate("every call ends", `the last look at everything, by ${process.name}, does not end`)
  return false
}

/** Again and again, at random moments, as long as the load lasts. */
const befall = (cluster: SimulatedCluster, fault: () => void, meanSeconds: number): void => {
  const { world } = cluster
  world.later(world.dice.below(2 * meanSeconds * SECOND), undefined, () => {
    if (cluster.ending) return
    fault()
    befall(cluster, fault, meanSeconds)
  })
}
