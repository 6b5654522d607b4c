/**
 * The registry of what may befall a cluster of real processes. Each fault is struck, lasts a while, and is healed
 * whatever happens; a new one is a function and a line here.
 */
import type { Dice } from "#domain/testing/Dice.ts"
import type { Cluster, Ledger, ProcessView, Runners } from "#simulations/chaos/Cluster.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export interface Clients {
  readonly all: () => ReadonlyArray<ProcessView>
  /** One that is dead comes back. */
  readonly revive: (name: string) => Effect.Effect<void>
}

export interface Stage {
  readonly cluster: Cluster
  readonly runners: Runners
  readonly clients: Clients
  readonly dice: Dice
  readonly ledger: Ledger
  /** Held by whoever does something to the database or the disks, for one thing at a time. */
  readonly storage: Effect.Semaphore
  /** Open while there is power: nobody starts without. */
  readonly power: Effect.Latch
}

export type Fault = (stage: Stage) => Effect.Effect<void>

const happened = ({ ledger: { faults, tell } }: Stage, kind: string, text = ""): Effect.Effect<void> =>
  Effect.sync(() => {
    faults.set(kind, (faults.get(kind) ?? 0) + 1)
    tell(`fault: ${kind}${text === "" ? "" : ` ${text}`}`)
  })

/** Strikes, lasts, heals. */
const fault = (strike: Effect.Effect<void>, seconds: number, heal: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.acquireUseRelease(strike, () => Effect.sleep(Duration.seconds(seconds)), () => heal)

const between = (dice: Dice, least: number, most: number): number => least + ((most - least) * dice.below(1000)) / 1000

const aRunner = ({ dice, runners }: Stage): ProcessView | undefined => {
  const ready = runners.all.filter((runner) => runner.isReady())
  return ready.length === 0 ? undefined : dice.of(ready)
}

const revive = (stage: Stage, name: string): Effect.Effect<void> =>
  Effect.zipRight(stage.power.await, stage.runners.revive(name))

const endRunner = (signal: "SIGKILL" | "SIGTERM", kind: string): Fault => (stage) => {
  const runner = aRunner(stage)
  if (runner === undefined) return Effect.void
  const { name } = runner
  const strike = Effect.zipRight(runner.signal(signal), happened(stage, kind, name))
  // It may be frozen, and one that is frozen does not stop; nor does one whose database does not answer, for long.
  const heal = Effect.all([
    runner.signal("SIGCONT"),
    untilDead(runner),
    runner.signal("SIGKILL"),
    untilDead(runner)
  ], { discard: true })
  return fault(strike, between(stage.dice, 0.1, 8), Effect.zipRight(heal, revive(stage, name)))
}

/** Polled, for containers tell nobody. */
const untilDead = (view: ProcessView): Effect.Effect<void> =>
  Effect.iterate(0, {
    while: (polls) => view.isAlive() && polls < POLLS_MAX,
    body: (polls) => Effect.as(Effect.sleep(Duration.millis(50)), polls + 1)
  })

const POLLS_MAX = 400

const freeze = (view: ProcessView, seconds: number): Effect.Effect<void> =>
  fault(view.signal("SIGSTOP"), seconds, view.signal("SIGCONT"))

const freezeRunner: Fault = (stage) => {
  const runner = aRunner(stage)
  if (runner === undefined) return Effect.void
  return Effect.zipRight(
    happened(stage, "runner frozen", runner.name),
    freeze(runner, between(stage.dice, 0.1, 10))
  )
}

const aClient = ({ clients, dice }: Stage): ProcessView | undefined => {
  const alive = clients.all().filter((client) => client.isReady())
  return alive.length === 0 ? undefined : dice.of(alive)
}

const killClient: Fault = (stage) => {
  const client = aClient(stage)
  if (client === undefined) return Effect.void
  const strike = Effect.zipRight(client.signal("SIGKILL"), happened(stage, "client killed", client.name))
  const heal = Effect.zipRight(untilDead(client), stage.clients.revive(client.name))
  return fault(strike, between(stage.dice, 0, 5), heal)
}

const freezeClient: Fault = (stage) => {
  const client = aClient(stage)
  if (client === undefined) return Effect.void
  return Effect.zipRight(
    happened(stage, "client frozen", client.name),
    freeze(client, between(stage.dice, 0.1, 10))
  )
}

/** One host from all others, or one from one, in both directions or in one. */
const partition: Fault = (stage) => {
  const { cluster: { hosts, network }, dice } = stage
  const victim = dice.of(hosts)
  const rest = hosts.filter((host) => host !== victim)
  const others = dice.chance(50) ? rest : [dice.of(rest)]
  const direction = dice.below(3)
  const ways = others.flatMap((other) => [
    ...(direction === 1 ? [] : [[victim, other] as const]),
    ...(direction === 2 ? [] : [[other, victim] as const])
  ])
  const text = `${victim} ${["and", "from", "to"][direction]} ${others.length === 1 ? others[0] : "all"}`
  const strike = Effect.forEach(ways, ([from, to]) => network.cut(from, to), { discard: true })
  const heal = Effect.forEach(ways, ([from, to]) => network.mend(from, to), { discard: true })
  return fault(
    Effect.zipRight(strike, happened(stage, "network cut", text)),
    between(dice, 0.1, 12),
    heal
  )
}

const breakConnection: Fault = (stage) =>
  Effect.flatMap(
    stage.cluster.network.breakOne(stage.dice),
    (did) => did ? happened(stage, "connection broken") : Effect.void
  )

const slowNetwork: Fault = (stage) => {
  const { cluster: { network }, dice } = stage
  const millis = 5 + dice.below(100)
  return fault(
    Effect.zipRight(network.slow(millis), happened(stage, "network slow", `by ${millis} ms`)),
    between(dice, 1, 6),
    network.slow(0)
  )
}

const onStorage = (stage: Stage, effect: Effect.Effect<void>): Effect.Effect<void> =>
  stage.storage.withPermits(1)(effect)

/** So long Postgres takes to be there again; another fault waits. */
const RECOVERY_SECONDS = 4

const restartDatabase: Fault = (stage) =>
  onStorage(
    stage,
    fault(
      Effect.zipRight(stage.cluster.database.restart, happened(stage, "database restarted")),
      RECOVERY_SECONDS,
      Effect.void
    )
  )

const crashDatabase: Fault = (stage) =>
  onStorage(
    stage,
    fault(
      Effect.zipRight(stage.cluster.database.crash, happened(stage, "database crashed")),
      RECOVERY_SECONDS,
      Effect.void
    )
  )

const freezeDatabase: Fault = (stage) => {
  const { cluster: { database }, dice } = stage
  const strike = Effect.zipRight(database.freeze, happened(stage, "database frozen"))
  return onStorage(stage, fault(strike, between(dice, 0.1, 8), database.wake))
}

const fillDisk: Fault = (stage) => {
  const { cluster: { disks }, dice } = stage
  return onStorage(
    stage,
    fault(Effect.zipRight(disks.fill, happened(stage, "disk full")), between(dice, 1, 8), disks.free)
  )
}

/** The machine of runners and database loses its power: with it goes all that was not on the disks. */
const powerCut: Fault = (stage) => {
  const { cluster: { database, disks }, dice, power, runners } = stage
  const strike = Effect.gen(function*() {
    yield* power.close
    yield* database.dieAfter(disks.cutPower)
    for (const runner of runners.all) yield* runner.signal("SIGKILL")
    yield* happened(stage, "power cut")
    for (const runner of runners.all) yield* untilDead(runner)
  })
  const heal = Effect.gen(function*() {
    yield* disks.restorePower
    yield* database.start
    yield* power.open
    for (const { name } of runners.all) yield* runners.revive(name)
  })
  return onStorage(stage, fault(strike, between(dice, 0.1, 3), heal))
}

/** Each with its mean seconds between two of a kind. */
export const faults = {
  killRunner: [endRunner("SIGKILL", "runner killed"), 25],
  stopRunner: [endRunner("SIGTERM", "runner stopped"), 45],
  freezeRunner: [freezeRunner, 30],
  killClient: [killClient, 30],
  freezeClient: [freezeClient, 45],
  partition: [partition, 20],
  breakConnection: [breakConnection, 6],
  slowNetwork: [slowNetwork, 40],
  restartDatabase: [restartDatabase, 80],
  crashDatabase: [crashDatabase, 60],
  freezeDatabase: [freezeDatabase, 50],
  fillDisk: [fillDisk, 45],
  powerCut: [powerCut, 60]
} as const satisfies { readonly [name: string]: readonly [Fault, number] }

export type FaultName = keyof typeof faults

export const faultNames = Object.keys(faults) as ReadonlyArray<FaultName>

export const isFaultName = (text: string): text is FaultName => Object.hasOwn(faults, text)
