/**
 * The cluster of runners: which one has which zone, and what they say to each other, over authenticated
 * connections. Its memory is a `RunnerStorage`, given from outside.
 */
import { Network, type NetworkService } from "#shards/Network.ts"
import { type FedServer, redial, serialization } from "#shards/RpcConnection.ts"
import { Departures, watchful } from "#shards/Takeover.ts"
import { type Address, format } from "#transport/Connection.ts"
import { Purpose } from "#transport/Handshake.ts"
import * as MessageStorage from "@effect/cluster/MessageStorage"
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import { RunnerHealth } from "@effect/cluster/RunnerHealth"
import * as Runners from "@effect/cluster/Runners"
import { RunnerStorage } from "@effect/cluster/RunnerStorage"
import type { Sharding } from "@effect/cluster/Sharding"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as SocketRunner from "@effect/cluster/SocketRunner"
import * as SocketServer from "@effect/platform/SocketServer"
import * as RpcSerialization from "@effect/rpc/RpcSerialization"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"

export interface ClusterOptions {
  /** Where this runner is reached. */
  readonly address: Address
  readonly secret: Redacted.Redacted<string>
  /** One shard a zone. */
  readonly zones: number
  /** How long a runner that says nothing keeps its zones. */
  readonly lease: Duration.Duration
  /** What the runner's listener accepts for the cluster. */
  readonly fed: FedServer
}

/** How long a runner that says nothing keeps its zones, unless it is set. */
export const LEASE = Duration.seconds(2.2)

const REFRESHES_PER_LEASE = 8
const ASSIGNMENTS_PER_LEASE = 20
const PROBES_PER_LEASE = 4
/** The cluster waits for its storage as long as from one refresh to the next; the storage must answer long before. */
const PATIENCE_PER_REFRESH = 0.1
/** Shards that come free one after the other are taken up together, within this part of the time between refreshes. */
const GATHERING_PER_REFRESH = 0.5
const RETRY_INTERVAL = Duration.millis(50)
/** Zones flush what they are at and leave within this time when a runner stops. */
const TERMINATION_TIME_MAX = Duration.seconds(10)

const refreshIntervalOf = (lease: Duration.Duration): Duration.Duration =>
  Duration.times(lease, 1 / REFRESHES_PER_LEASE)

/** How long the storage may wait for its database when it is to refresh a lease that is good. */
export const refreshPatience = (lease: Duration.Duration): Duration.Duration =>
  Duration.times(refreshIntervalOf(lease), PATIENCE_PER_REFRESH)

export const layer = (options: ClusterOptions): Layer.Layer<Sharding, never, RunnerStorage> =>
  Layer.unwrapEffect(Effect.map(Network, (network) => layerOver(network, options)))

const layerOver = (
  network: NetworkService,
  { address, fed, lease, secret, zones }: ClusterOptions
): Layer.Layer<Sharding, never, RunnerStorage> => {
  const refreshInterval = refreshIntervalOf(lease)
  const config = ShardingConfig.layer({
    runnerAddress: Option.some(RunnerAddress.make(address.host, address.port)),
    shardsPerGroup: zones,
    shardLockExpiration: lease,
    shardLockRefreshInterval: refreshInterval,
    refreshAssignmentsInterval: Duration.times(lease, 1 / ASSIGNMENTS_PER_LEASE),
    runnerHealthCheckInterval: Duration.times(lease, 1 / PROBES_PER_LEASE),
    // Messages are not stored; it is also how often the cluster looks at shards that it gave up to take or to release.
    entityMessagePollInterval: refreshInterval,
    sendRetryInterval: RETRY_INTERVAL,
    entityMaxIdleTime: Duration.infinity,
    entityTerminationTimeout: TERMINATION_TIME_MAX,
    simulateRemoteSerialization: false
  })
  const departures = new Departures()
  // The cluster's map of connections forgets one that is in use when its runner leaves; what keeps it open, and the
  // process alive, ends with the cluster.
  const client = Layer.scoped(
    Runners.RpcClientProtocol,
    Effect.gen(function*() {
      const scopes = new Set<Scope.Scope>()
      yield* Effect.addFinalizer((exit) =>
        Effect.forEach([...scopes], (scope) => Scope.close(scope as Scope.CloseableScope, exit), { discard: true })
      )
      return ({ host, port }) =>
        Effect.gen(function*() {
          const scope = yield* Effect.scope
          scopes.add(scope)
          yield* Effect.addFinalizer(() => Effect.sync(() => scopes.delete(scope)))
          const gone = departures.of(format({ host, port }))
          return yield* redial(network, { host, port, secret, purpose: Purpose.cluster }, gone)
        })
    })
  )
  const storage = Layer.scoped(
    RunnerStorage,
    Effect.flatMap(RunnerStorage, (storage) =>
      watchful(storage, {
        gathering: Duration.times(refreshInterval, GATHERING_PER_REFRESH),
        onGone: (runner) => departures.tell(format(runner))
      }))
  )
  const health = Layer.succeed(RunnerHealth, judge(address, (runner) => isAlive(network, runner, secret)))
  return SocketRunner.layer.pipe(
    Layer.provide([
      client,
      health,
      config,
      MessageStorage.layerNoop,
      Layer.succeed(SocketServer.SocketServer, fed.server),
      Layer.succeed(RpcSerialization.RpcSerialization, serialization),
      storage
    ])
  )
}

/** Fewer than these, and a judge that reaches nobody cannot tell who is cut off. */
const WITNESSES_MIN = 2

/**
 * One runner at a time judges all of them, itself included. One that most others do not answer is cut off itself, or
 * holds another secret: it says so of itself, whereupon another judges, and says nothing of the others. Who is gone
 * loses its lease anyway.
 */
export const judge = (
  self: Address,
  probe: (runner: Address) => Effect.Effect<boolean>
): RunnerHealth["Type"] => {
  const answers = new Map<string, boolean>()
  const outvoted = (): boolean => {
    const given = [...answers.values()]
    return given.length >= WITNESSES_MIN && given.filter((answered) => answered).length * 2 < given.length
  }
  return {
    isAlive: ({ host, port }) =>
      host === self.host && port === self.port
        ? Effect.sync(() => !outvoted())
        : Effect.map(probe({ host, port }), (answered) => {
          answers.set(`${host}:${port}`, answered)
          return answered || outvoted()
        })
  }
}

const PROBE_MILLIS_MAX = 1000
const PROBES = 3

/** Whether a runner answers the handshake. A frozen process accepts connections but does not. */
const isAlive = (
  network: NetworkService,
  address: Address,
  secret: Redacted.Redacted<string>
): Effect.Effect<boolean> =>
  Effect.scoped(network.connect({ ...address, secret, purpose: Purpose.cluster, timeoutMillis: PROBE_MILLIS_MAX }))
    .pipe(
      Effect.retry({
        times: PROBES - 1,
        schedule: Schedule.spaced(Duration.millis(100)),
        while: (error) => error.retryable && !error.refused
      }),
      Effect.isSuccess
    )
