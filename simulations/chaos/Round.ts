/**
 * One round: runners on an empty database, clients at work and faults for a while; then all is healed, the clients
 * finish, everything is looked at, the runners stop, and the history is judged.
 */
import { Dice } from "#domain/testing/Dice.ts"
import type { Chronicle } from "#simulations/chaos/Chronicle.ts"
import { ClientGroup } from "#simulations/chaos/ClientGroup.ts"
import { clientNames, type Cluster, type ClusterConfig, type Ledger, type Runners } from "#simulations/chaos/Cluster.ts"
import { type FaultName, faultNames, faults, type Stage } from "#simulations/chaos/Faults.ts"
import type { Errand } from "#simulations/chaos/Wire.ts"
import { historyViolations } from "#simulations/checks/HistoryCheck.ts"
import type { Scenario } from "#simulations/scenarios/Scenario.ts"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export interface RoundOptions {
  /** Also the name of its database. */
  readonly name: string
  readonly seed: number
  readonly scenario: Scenario
  readonly faults: ReadonlyArray<FaultName>
  readonly seconds: number
  readonly cluster: Cluster
  readonly ledger: Ledger
  /** Told of each operation as it is recorded. */
  readonly chronicle: Chronicle
}

export const CLIENTS = 4
const LOOPS = 3
/** Steps of all clients. */
const STEPS_PER_SECOND = 40
const LEASE_SECONDS = 4
/** Clients give a sign of life each 10 s. */
const SESSION_LEASE_SECONDS = 15
const RETRY_SECONDS = 60
/** Real rounds have more operations than simulated ones, and the scenarios are made for those. */
const SNAPSHOT_FACTOR = 4
/** Clients must be done so long after everything works again. */
const END = Duration.seconds(120)
const STEPS_MAX = 3_000_000

export const run = (options: RoundOptions): Effect.Effect<void> =>
  Effect.scoped(Effect.gen(function*() {
    const { chronicle, cluster, ledger, scenario, seconds } = options
    const runners = yield* cluster.startRunners(options.name, configOf(scenario), ledger)
    const scope = yield* Effect.scope
    const clients = new ClientGroup(cluster, chronicle, ledger, scope, errands(options, runners))
    for (const name of clientNames(CLIENTS)) yield* clients.start(name)
    const stage = {
      cluster,
      runners,
      clients,
      ledger,
      storage: yield* Effect.makeSemaphore(1),
      power: yield* Effect.makeLatch(true)
    }
    yield* Effect.scoped(Effect.gen(function*() {
      for (const name of options.faults) yield* Effect.forkScoped(befall(options, stage, name))
      yield* Effect.sleep(Duration.seconds(seconds))
    }))
    ledger.tell("the load is over")
    for (const { name } of runners.all) yield* runners.revive(name)
    if (yield* ends(options, clients)) {
      yield* errand(options, runners, "waiter")
      yield* errand(options, runners, "inspector")
    }
    yield* runners.stop
    judge(chronicle, ledger)
  }))

const configOf = ({ snapshotEvents, zones }: Scenario): ClusterConfig => ({
  zones,
  leaseSeconds: LEASE_SECONDS,
  sessionLeaseSeconds: SESSION_LEASE_SECONDS,
  snapshotEvents: SNAPSHOT_FACTOR * snapshotEvents
})

const origin = String(process.hrtime.bigint())

const errands =
  ({ scenario, seed }: RoundOptions, { endpoints, secret }: Runners, role: Errand["role"] = "worker") =>
  (name: string, start: number): Errand => ({
    name,
    role,
    endpoints,
    secret,
    seed: seed * 1000 + start,
    origin,
    workloads: scenario.workloads,
    loops: LOOPS,
    thinkSeconds: (CLIENTS * LOOPS) / STEPS_PER_SECOND,
    sessionLeaseSeconds: SESSION_LEASE_SECONDS,
    retrySeconds: RETRY_SECONDS
  })

/** Again and again, at moments that the seed tells; at least once in a round, if there is time. */
const befall = ({ ledger, seconds, seed }: RoundOptions, stage: Omit<Stage, "dice">, name: FaultName) => {
  const [strike, mean] = faults[name]
  const dice = new Dice(seed * 1000 + 500 + faultNames.indexOf(name))
  const wait = (most: number) => Effect.sleep(Duration.millis(dice.below(Math.round(1000 * most))))
  const once = Effect.suspend(() => strike({ ...stage, dice }))
  return wait(Math.min(2 * mean, 0.6 * seconds)).pipe(
    Effect.zipRight(Effect.forever(Effect.zipRight(once, Effect.suspend(() => wait(2 * mean))))),
    Effect.tapErrorCause((cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.void
      return Effect.sync(() => ledger.violations.push({ rule: "the run itself works", text: Cause.pretty(cause) }))
    })
  )
}

const ends = ({ ledger }: RoundOptions, clients: ClientGroup): Effect.Effect<boolean> =>
  Effect.map(Effect.timeoutOption(Effect.suspend(() => clients.end()), END), ({ _tag }) => {
    if (_tag === "Some") return true
    const text = `${clients.unfinished.join(", ")} still waits ${Duration.toSeconds(END)} s after all is well again`
    ledger.violations.push({ rule: "every call ends", text })
    return false
  })

/** A client that comes when all is quiet, and is done when its errand is. */
const errand = (options: RoundOptions, runners: Runners, role: "waiter" | "inspector"): Effect.Effect<void> =>
  Effect.scoped(Effect.gen(function*() {
    const { chronicle, cluster, ledger } = options
    ledger.tell(`${role} begins`)
    const only = new ClientGroup(cluster, chronicle, ledger, yield* Effect.scope, errands(options, runners, role))
    const [host = ""] = clientNames(CLIENTS)
    yield* only.start(host)
    yield* ends(options, only)
  }))

/** What the history proves. */
export const judge = (chronicle: Chronicle, ledger: Ledger): void => {
  ledger.tell("judging the history")
  const found = historyViolations(chronicle.history(), {
    stepsMax: STEPS_MAX,
    onGivenUp: (rule) => {
      const probe = `not judged: ${rule}`
      ledger.probes.set(probe, (ledger.probes.get(probe) ?? 0) + 1)
      ledger.tell(probe)
    }
  })
  ledger.violations.push(...found)
}
