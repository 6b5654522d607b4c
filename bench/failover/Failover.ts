/**
 * `bench failover`: three runners of a cluster of its own, under load, and what befalls them: kill -9, SIGSTOP, the loss
 * of the network, and a restart of all, one after the other. How long a dead runner's zones take to answer elsewhere,
 * and whether anything that was acknowledged is gone, or there twice.
 */
import { firstReplies, type Round } from "#bench/failover/Figures.ts"
import { type Answers, type LoadOptions, nowMillis, type Question } from "#bench/failover/Wire.ts"
import { fdatasyncMicros } from "#bench/Floors.ts"
import { untilSignalled } from "#bench/Interruptible.ts"
import { quantile } from "#bench/Quantile.ts"
import { type Bench, type BenchOptions, rounded } from "#bench/Report.ts"
import { makeFolder, removeFolder } from "#bench/TemporaryFolder.ts"
import * as Cluster from "#shards/Cluster.ts"
import * as Child from "#simulations/chaos/Child.ts"
import type { Ledger, ProcessView, Runners } from "#simulations/chaos/Cluster.ts"
import * as ProcessCluster from "#simulations/chaos/ProcessCluster.ts"
import { format } from "#transport/Connection.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { fileURLToPath } from "node:url"

export interface FailoverOptions extends BenchOptions {
  readonly zones?: number
  readonly callers?: number
  readonly rounds?: number
  readonly lease?: number
  readonly faults?: string
  readonly keep?: boolean
}

const RUNNERS = 3
const HOST = "client-1"
const ZONES = 12
const CALLERS = 2
const ROUNDS = 3
const THINK_MILLIS = 5
const SESSION_LEASE_SECONDS = 60
const SNAPSHOT_EVENTS = 250_000
/** The load before anything befalls the runners, and between two faults. */
const CALM = Duration.seconds(5)
const MEASURED = Duration.seconds(10)
/** A fault that nobody has mended in this time ends the run. */
const PATIENCE = Duration.seconds(60)
const POLL = Duration.millis(100)

const LOAD = fileURLToPath(new URL("Load.ts", import.meta.url))
const CLI = fileURLToPath(new URL("../../cli/main.ts", import.meta.url))

/** What befalls a runner, and what brings it back. */
interface Fault {
  readonly key: string
  readonly befall: (victim: ProcessView) => Effect.Effect<void>
  readonly mend: (victim: ProcessView) => Effect.Effect<void>
}

export const failover: Bench = async (options: FailoverOptions, say) => {
  const folder = makeFolder("failover")
  try {
    return await untilSignalled("failover", Effect.scoped(run(options, folder, say)))
  } finally {
    if (options.keep === true) say(`logs and data: ${folder}`)
    else removeFolder(folder)
  }
}

const run = (
  options: FailoverOptions,
  folder: string,
  say: (line: string) => void
) =>
  Effect.gen(function*() {
    const namespaces = yield* canHaveNamespaces
    if (!namespaces) say("  no network namespaces here (root and ip are needed): the network is one of proxies")
    const cluster = yield* ProcessCluster.make({
      folder,
      runners: RUNNERS,
      clients: [HOST],
      namespaces,
      frailDisks: false
    })
    const ledger: Ledger = { violations: [], faults: new Map(), probes: new Map(), tell: () => undefined }
    const zones = options.zones ?? ZONES
    const runners = yield* cluster.startRunners("failover", {
      zones,
      leaseSeconds: options.lease ?? Duration.toSeconds(Cluster.LEASE),
      sessionLeaseSeconds: SESSION_LEASE_SECONDS,
      snapshotEvents: SNAPSHOT_EVENTS
    }, ledger)
    const syncMillis = fdatasyncMicros(folder) / 1000
    const load = yield* startLoad((command) => cluster.on(HOST, command), (pid) => cluster.enter(HOST, pid), {
      endpoints: runners.endpoints,
      secret: runners.secret,
      zones,
      callers: options.callers ?? CALLERS,
      thinkMillis: THINK_MILLIS
    }, say)
    const faults: ReadonlyArray<Fault> = [
      {
        key: "Kill",
        befall: (victim) => victim.signal("SIGKILL"),
        mend: (victim) => runners.revive(victim.name)
      },
      { key: "Stop", befall: (victim) => victim.signal("SIGSTOP"), mend: (victim) => victim.signal("SIGCONT") },
      {
        key: "NetworkLoss",
        befall: (victim) => cluster.unplug(victim.name),
        mend: (victim) => cluster.plug(victim.name)
      }
    ]
    const wanted = options.faults?.split(",")
    const chosen = faults.filter(({ key }) => wanted === undefined || wanted.includes(key))
    const world: World = { runners, load, zones, say }

    yield* calm(world)
    const rounds: Array<Round> = []
    for (let round = 0; round < (options.rounds ?? ROUNDS); round++) {
      for (const [index, fault] of chosen.entries()) {
        const victim = runners.all[(round + index) % RUNNERS] as ProcessView
        rounds.push(yield* befall(world, fault, victim))
        yield* calm(world)
      }
    }
    const rolling = wanted === undefined || wanted.includes("Rolling") ? yield* restartAll(world) : undefined

    const verdict = yield* load.ask({ kind: "finish" })
    for (const error of verdict.errors) say(`  failed: ${error}`)
    const audit = yield* Child.run(
      ...cluster.on(HOST, [
        "env",
        `CADASTRE_SECRET=${runners.secret}`,
        process.execPath,
        CLI,
        "audit",
        "verify",
        "-q",
        "--endpoint",
        runners.endpoints.map(format).join(",")
      ])
    )
    if (audit.code !== 0) say(`  audit verify: ${audit.text}`)
    yield* runners.stop
    for (const { rule, text } of ledger.violations) say(`  ${rule}: ${text}`)
    const replies = Object.fromEntries(chosen.flatMap(({ key }) => {
      const found = firstReplies(rounds, key)
      return found === undefined
        ? []
        : [[`firstReplySeconds${key}`, found.worst], [`firstReplySecondsMedian${key}`, found.median]]
    }))
    return {
      bench: "failover",
      figures: {
        ...replies,
        acknowledged: verdict.acknowledged,
        lost: verdict.lost,
        doubled: verdict.doubled,
        failedCalls: verdict.failed,
        auditFailed: audit.code === 0 ? 0 : 1,
        violations: ledger.violations.length,
        ...rolling?.figures
      },
      beside: { fdatasyncMillis: syncMillis, ...rolling?.beside },
      ratios: { ...rolling?.ratios }
    }
  })

interface World {
  readonly runners: Runners
  readonly load: Load
  readonly zones: number
  readonly say: (line: string) => void
}

/** Asks until the answer is as wanted. */
const poll = <A, E>(ask: Effect.Effect<A, E>, isEnough: (answer: A) => boolean) =>
  Effect.gen(function*() {
    for (;;) {
      const answer = yield* ask
      if (isEnough(answer)) return answer
      yield* Effect.sleep(POLL)
    }
  }).pipe(Effect.timeout(PATIENCE))

/** Waits until all runners serve and share the zones, then lets the load go on for a while. */
const calm = ({ load, runners, zones }: World) =>
  Effect.gen(function*() {
    yield* poll(
      load.ask({ kind: "owners" }),
      (owners) => runners.all.every((runner) => runner.isReady()) && isEven(owners, zones)
    )
    yield* Effect.sleep(CALM)
  })

/** Whether each runner has its share of the zones. */
const isEven = (owners: ReadonlyArray<string | null>, zones: number): boolean => {
  const shares = Map.groupBy(owners, (owner) => owner)
  return !shares.has(null) && shares.size === RUNNERS &&
    [...shares.values()].every(({ length }) => length <= Math.ceil(zones / RUNNERS))
}

const befall = ({ load, runners, say }: World, fault: Fault, victim: ProcessView) =>
  Effect.gen(function*() {
    const address = addressOf(runners, victim)
    const owners = yield* load.ask({ kind: "owners" })
    const moved = owners.flatMap((owner, zone) => owner === address ? [zone] : [])
    yield* fault.befall(victim)
    const since = nowMillis()
    const found = yield* poll(
      load.ask({ kind: "firstReplies", since }),
      (replies) => moved.every((zone) => typeof replies[zone] === "number")
    )
    yield* fault.mend(victim)
    const seconds = moved.map((zone) => (found[zone] ?? 0) / 1000)
    if (seconds.length === 0) say(`  ${fault.key.padEnd(12)} ${victim.name}: had no zone`)
    else {
      say(
        `  ${fault.key.padEnd(12)} ${victim.name}: ${moved.length} zones answer elsewhere after ${
          rounded(quantile(seconds, 0.5))
        } s, the last after ${rounded(Math.max(...seconds))} s`
      )
    }
    return { fault: fault.key, seconds }
  })

const addressOf = ({ all, endpoints }: Runners, victim: ProcessView): string | undefined => {
  const endpoint = endpoints[all.indexOf(victim)]
  return endpoint === undefined ? undefined : format(endpoint)
}

/** All runners, one after the other, as an operator restarts them: the next one when the last one has its share again. */
const restartAll = (world: World) =>
  Effect.gen(function*() {
    const { load, runners, say } = world
    const calmFrom = nowMillis()
    yield* Effect.sleep(MEASURED)
    const from = nowMillis()
    const before = yield* load.ask({ kind: "latencies", from: calmFrom, to: from })
    for (const runner of runners.all) {
      yield* runner.signal("SIGTERM")
      yield* poll(Effect.sync(runner.isAlive), (alive) => !alive)
      yield* runners.revive(runner.name)
      yield* calm(world)
    }
    const during = yield* load.ask({ kind: "latencies", from, to: nowMillis() })
    say(
      `  Rolling      ${during.calls} calls, p99 ${rounded(during.p99)} ms, the longest ${
        rounded(during.worst)
      } ms; before: p99 ${rounded(before.p99)} ms, the longest ${rounded(before.worst)} ms`
    )
    return {
      figures: { rollingP99Millis: during.p99, rollingWorstMillis: during.worst, rollingCalls: during.calls },
      beside: { calmP50Millis: before.p50, calmP99Millis: before.p99, calmWorstMillis: before.worst },
      ratios: { rollingP99OverBefore: during.p99 / before.p99 }
    }
  })

/** The load cannot answer. */
class LoadFailed extends Error {
  override readonly name = "LoadFailed"
}

interface Load {
  readonly ask: <Q extends Question>(question: Q) => Effect.Effect<Answers[Q["kind"]], LoadFailed>
}

const startLoad = (
  on: (command: ReadonlyArray<string>) => ReadonlyArray<string>,
  enter: (pid: number) => void,
  options: LoadOptions,
  say: (line: string) => void
) =>
  Effect.gen(function*() {
    const lines = yield* Queue.unbounded<string>()
    const child = yield* Child.start({
      name: "load",
      command: on([process.execPath, LOAD, JSON.stringify(options)]),
      onLine: (line) => void Queue.unsafeOffer(lines, line),
      onErrorLine: (line) => say(`  load: ${line}`)
    })
    enter(child.pid)
    const turn = Effect.unsafeMakeSemaphore(1)
    const gone = Effect.flatMap(child.ended, ({ code, signal }) =>
      Effect.fail(new LoadFailed(`it ended: ${code ?? signal}`)))
    const ask: Load["ask"] = (question) =>
      turn.withPermits(1)(Effect.gen(function*() {
        child.write(JSON.stringify(question))
        const line = yield* Effect.raceFirst(Queue.take(lines), gone)
        const told = JSON.parse(line) as { readonly answer: never; readonly failure?: string }
        return told.failure === undefined ? told.answer : yield* Effect.fail(new LoadFailed(told.failure))
      }))
    return { ask }
  })

const canHaveNamespaces = Effect.gen(function*() {
  if (process.getuid?.() !== 0) return false
  const name = `cadastre-${process.pid}-try`
  const made = yield* Child.run("ip", "netns", "add", name)
  if (made.code !== 0) return false
  yield* Child.run("ip", "netns", "del", name)
  return (yield* Child.run("nsenter", "--version")).code === 0
})
