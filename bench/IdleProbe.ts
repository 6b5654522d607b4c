/** The process that `bench idle` measures: a runner whose zones are woken, and left alone until they rest. */
import { keeping } from "#actors/Archiver.ts"
import { residentBytes } from "#bench/Resident.ts"
import { temporaryFolder } from "#bench/TemporaryFolder.ts"
import * as RunnerPool from "#client/RunnerPool.ts"
import * as EmbeddedPostgres from "#runners/EmbeddedPostgres.ts"
import * as IdleMemory from "#runners/IdleMemory.ts"
import * as Server from "#runners/Server.ts"
import * as Cluster from "#shards/Cluster.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import { join } from "node:path"

export interface IdleMeasured {
  /** Zones of the first measurement, after which what all zones share is there. */
  readonly few: number
  readonly fewBytes: number
  readonly allBytes: number
  /** What it took to wake the others. */
  readonly wakeMillis: number
  /** CPU of the process while all zones rest, in percent of a core. */
  readonly cpuPercent: number
}

const FEW = 16
const AT_ONCE = 8
const IDLE = Duration.seconds(2)
/** Long enough for a zone to notice that it is idle, and to give its pages back the time after its snapshot. */
const REST = Duration.seconds(6)
/** All have taken their snapshots, two at a time, once the process needs less of a core than this. */
const RESTING_PERCENT = 25
const RESTS_MAX = 20
const OBSERVED_SECONDS = 10
const MIB = 1024 * 1024

const measure = (zones: number) =>
  Effect.gen(function*() {
    const folder = yield* temporaryFolder("idle")
    const postgres = yield* EmbeddedPostgres.start(join(folder, "postgres"))
    const secret = Redacted.make("of a benchmark")
    const host = "127.0.0.1"
    const { address } = yield* Server.start({
      listen: { host, port: 0 },
      host,
      secret,
      database: { ...postgres, tls: false, connectionsMax: 12, statementMillisMax: 10_000 },
      blocks: { kind: "disk", folder: join(folder, "blocks") },
      zones,
      lease: Cluster.LEASE,
      zone: {
        sessionLease: Duration.seconds(60),
        snapshotEvents: 250_000,
        archive: keeping(undefined),
        memoryBytes: 1024 * MIB,
        deflatesPages: false,
        idle: IDLE
      }
    })
    const pool = yield* RunnerPool.make(secret)
    const runner = yield* pool.get(address)
    const wake = (from: number, to: number) =>
      Effect.forEach(
        Array.from({ length: to - from }, (_, index) => from + index),
        (zone) => Effect.retry(runner.Locate({ zone }), { times: 5 }),
        { concurrency: AT_ONCE, discard: true }
      )

    yield* wake(0, FEW)
    yield* rest
    const fewBytes = residentBytes()
    const start = performance.now()
    yield* wake(FEW, zones)
    const wakeMillis = performance.now() - start
    yield* rest
    const allBytes = residentBytes()
    const cpuPercent = yield* percentOf(Duration.seconds(OBSERVED_SECONDS))
    return { few: FEW, fewBytes, allBytes, wakeMillis, cpuPercent }
  }).pipe(Effect.scoped, Logger.withMinimumLogLevel(LogLevel.None))

/** Percent of a core that the process needs meanwhile. */
const percentOf = (time: Duration.Duration): Effect.Effect<number> =>
  Effect.suspend(() => {
    const before = process.cpuUsage()
    return Effect.map(Effect.sleep(time), () => {
      const { system, user } = process.cpuUsage(before)
      return ((system + user) / 1000 / Duration.toMillis(time)) * 100
    })
  })

/** Returns once the zones rest, and what they freed was given back. */
const rest: Effect.Effect<void> = Effect.gen(function*() {
  for (let turn = 0; turn < RESTS_MAX; turn++) {
    if ((yield* percentOf(REST)) >= RESTING_PERCENT) continue
    residentBytes()
    return yield* Effect.sleep(Duration.times(IdleMemory.INTERVAL, 2))
  }
  return yield* Effect.dieMessage(`the zones do not come to rest in ${RESTS_MAX * Duration.toSeconds(REST)} s`)
})

const { zones } = JSON.parse(process.argv[2] ?? "{}") as { readonly zones: number }
process.stdout.write(JSON.stringify((await Effect.runPromise(measure(zones))) satisfies IdleMeasured))
