/**
 * A runner in a process of the world: the product's own server over simulated storage and network. It differs from
 * `runners/Server` only in what is below and around it.
 */
import type { ArchiveConfig } from "#actors/Archiver.ts"
import { BlockStore, type BlockStoreService, type StoreUnavailable } from "#persistence/blocks/BlockStore.ts"
import { Database, type DatabaseService } from "#persistence/Database.ts"
import { type Claim, Journal, type SnapshotRecord } from "#persistence/Journal.ts"
import * as PostgresJournal from "#persistence/PostgresJournal.ts"
import * as Server from "#runners/Server.ts"
import { Network as ProductNetwork } from "#shards/Network.ts"
import { makeServer } from "#shards/RpcConnection.ts"
import * as Probed from "#simulations/cluster/Probed.ts"
import type { Accept, Network } from "#simulations/world/Network.ts"
import type { Process } from "#simulations/world/Process.ts"
import * as ProcessNetwork from "#simulations/world/ProcessNetwork.ts"
import { Purpose } from "#transport/Handshake.ts"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"

export const PORT = 7070
/** In worlds of odd seeds so little that zones forget most of their pages, and change too many of them, all the time. */
const tight = { memoryBytes: 8 * 1024, deflatesPages: true, idle: Duration.seconds(4) }
/** In the others they come back from their journals more than from snapshots. */
const ample = { memoryBytes: 2 ** 20, deflatesPages: false, idle: Duration.minutes(5) }
export const SECRET = Redacted.make("the secret of the world")

export interface RunnerOptions {
  readonly zones: number
  readonly lease: Duration.Duration
  readonly sessionLease: Duration.Duration
  readonly snapshotEvents: number
  readonly archive: ArchiveConfig
  /** Told of each snapshot that is about to be recorded. */
  readonly onSnapshot: (record: SnapshotRecord) => void
  /** Told of each block that is stored, when its writer is about to know. */
  readonly onStored: () => void
  /** Told of who asks for a zone, with the lease that it is asked under. */
  readonly onClaiming: (zone: number, owner: string, term: number | undefined) => void
  /** Told of what each zone begins a life with. */
  readonly onClaim: (zone: number, claim: Claim) => void
  /** What the runner sees of the database and of the block store. */
  readonly database: (process: Process) => Effect.Effect<DatabaseService, never, Scope.Scope>
  readonly store: (process: Process) => Effect.Effect<BlockStoreService, StoreUnavailable, Scope.Scope>
}

export interface SimulatedRunner {
  readonly process: Process
  /** Whether it serves. */
  readonly serves: () => boolean
  /** The lease that it believes to hold, frozen or not. */
  readonly leaseTerm: () => number | undefined
  /** As SIGTERM: hands its zones over and ends. */
  readonly stop: () => void
}

export const start = (network: Network, process: Process, options: RunnerOptions): SimulatedRunner => {
  const stopping = Deferred.unsafeMake<void>(FiberId.none)
  let serves = false
  let lease: Server.Assembly["lease"] | undefined
  const program = Effect.scoped(Effect.gen(function*() {
    const database = yield* options.database(process)
    const store = Probed.store(process.world, yield* options.store(process), options.onStored)
    const storage = yield* Layer.build(Layer.provideMerge(PostgresJournal.layer, Layer.succeed(Database, database)))
    const journal = Probed.journal(process.world, Context.get(storage, Journal), {
      ...options,
      onClaiming: (zone, owner) => options.onClaiming(zone, owner, lease?.term())
    })
    const address = { host: process.name, port: PORT }
    const clusterFeed = makeServer(address)
    const purposes = new Map<number | string, Accept>()
    network.listen(process, process.name, ProcessNetwork.accepting(Redacted.value(SECRET), purposes))
    purposes.set(Purpose.cluster, ProcessNetwork.feeding(clusterFeed.accept))
    const assembly = yield* Server.assemble({
      address,
      cluster: { id: "the world", zones: options.zones },
      clusterFeed,
      secret: SECRET,
      lease: options.lease,
      zone: {
        sessionLease: options.sessionLease,
        snapshotEvents: options.snapshotEvents,
        ...process.world.seed % 2 === 1 ? tight : ample,
        archive: options.archive
      }
    }).pipe(Effect.provide(storage.pipe(Context.add(BlockStore, store), Context.add(Journal, journal))))
    lease = assembly.lease
    purposes.set(Purpose.rpc, ProcessNetwork.feeding(assembly.feedApi))
    purposes.set(Purpose.messages, ProcessNetwork.wiring(assembly.serveMessages))
    purposes.set(Purpose.blocks, ProcessNetwork.serving(process, assembly.blocks))
    serves = true
    yield* Deferred.await(stopping)
  })).pipe(Effect.provideService(ProductNetwork, ProcessNetwork.make(network, process)))
  process.run(program, () => {
    serves = false
    process.kill()
  })
  return {
    process,
    serves: () => serves && !process.isDead,
    leaseTerm: () => process.isDead ? undefined : lease?.term(),
    stop: () => process.world.soon(process, () => Deferred.unsafeDone(stopping, Effect.void))
  }
}
