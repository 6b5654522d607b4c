/**
 * A runner, put together: database, journal, block store, cluster, zones, and one listener for clients, other
 * runners and blocks. The single machine and the pods of a cluster run this same server.
 */
import * as LocalZones from "#actors/LocalZones.ts"
import * as ZoneHost from "#actors/ZoneHost.ts"
import * as ArchivedJournal from "#persistence/ArchivedJournal.ts"
import { BlockStore, type StoreUnavailable, type WriteError } from "#persistence/blocks/BlockStore.ts"
import * as DiskBlockStore from "#persistence/blocks/DiskBlockStore.ts"
import * as S3BlockStore from "#persistence/blocks/S3BlockStore.ts"
import * as ClusterRecord from "#persistence/ClusterRecord.ts"
import * as Database from "#persistence/Database.ts"
import { Journal } from "#persistence/Journal.ts"
import { migrate } from "#persistence/Migrations.ts"
import * as PostgresJournal from "#persistence/PostgresJournal.ts"
import * as RunnerLeases from "#persistence/RunnerLeases.ts"
import * as SpreadJournal from "#persistence/SpreadJournal.ts"
import * as ApiHandlers from "#runners/ApiHandlers.ts"
import * as BlockNode from "#runners/BlockNode.ts"
import * as IdleMemory from "#runners/IdleMemory.ts"
import { Api } from "#shards/Api.ts"
import * as Cluster from "#shards/Cluster.ts"
import { serve } from "#shards/MessageChannel.ts"
import { Network, over, socketOf, type Wire, wireOf } from "#shards/Network.ts"
import { type FedServer, makeServer, serialization } from "#shards/RpcConnection.ts"
import type { BlockTransport } from "#transport/BlockTransport.ts"
import { type Accept, type Address, format, listen, type ListenFailed } from "#transport/Connection.ts"
import { Purpose } from "#transport/Handshake.ts"
import * as TcpBlocks from "#transport/TcpBlocks.ts"
import * as SocketServer from "@effect/platform/SocketServer"
import * as RpcSerialization from "@effect/rpc/RpcSerialization"
import * as RpcServer from "@effect/rpc/RpcServer"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"

export type BlockStoreOptions =
  | { readonly kind: "disk"; readonly folder: string }
  | ({ readonly kind: "s3" } & S3BlockStore.S3Options)

export interface ServerOptions {
  /** Address to listen on. */
  readonly listen: Address
  /** Host under which others reach this runner; the port is the listener's. */
  readonly host: string
  readonly secret: Redacted.Redacted<string>
  /** Whether all connections, those among runners too, are encrypted with it: the same for all of a cluster. */
  readonly tls?: boolean
  /** The cluster's own database. */
  readonly database: Database.DatabaseOptions
  /** Further databases for journals: zones take turns over that and these. Never changed once the cluster is made. */
  readonly journals?: ReadonlyArray<Database.DatabaseOptions>
  readonly blocks: BlockStoreOptions
  /** Zones of the cluster; what it has already, if undefined. */
  readonly zones: number | undefined
  /** How long this runner keeps its zones without a sign of life. */
  readonly lease: Duration.Duration
  readonly zone: ZoneHost.HostConfig
  /** How old the history may get that still keeps blocks; undefined: for ever. */
  readonly historyRetention?: Duration.Duration | undefined
}

export interface Server {
  /** Where clients and other runners reach it. */
  readonly address: Address
  readonly cluster: ClusterRecord.ClusterRecord
  readonly blockStore: string
}

export type ServerError =
  | Database.DatabaseError
  | ClusterRecord.ClusterRefused
  | ListenFailed
  | StoreUnavailable
  | WriteError

/** A runner that comes up before its database waits for it; migrations may be begun again, whatever became of them. */
const STARTING_UP = "57P03"
const DATABASE_WAIT = Schedule.spaced(Duration.seconds(1)).pipe(Schedule.upTo(Duration.seconds(30)))

/** Leases have connections of their own: renewed behind what all zones want to read and write, they would run out. */
const LEASE_CONNECTIONS = 4
/** A statement that hangs is given up in this part of the lease, in time for another one. */
const LEASE_STATEMENT = 0.5

/** Starts a runner. When its scope closes, its zones are handed over and everything is closed. */
export const start = (options: ServerOptions): Effect.Effect<Server, ServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const { tls = false } = options
    yield* Effect.forkScoped(IdleMemory.giveBack)
    const own = yield* openDatabase(options.database)
    const others = yield* Effect.forEach(options.journals ?? [], openDatabase)
    const journals = [own, ...others].map((context) => Context.get(context, Journal))
    const storage = own.pipe(
      Context.add(Journal, SpreadJournal.make(journals)),
      Context.merge(yield* Layer.build(blockStore(options.blocks)))
    )

    // The listener first, because the runner's name in the cluster holds its port; nothing is accepted before
    // everything behind it stands.
    const accept = new Map<Purpose, Accept>()
    const bound = yield* listen({
      ...options.listen,
      secret: options.secret,
      tls,
      accept,
      onRefused: (remote, reason) => Effect.runFork(Effect.logWarning(`refused a connection from ${remote}: ${reason}`))
    })
    const address = { host: options.host, port: bound.port }
    const cluster = yield* Effect.provide(
      ClusterRecord.open({
        zones: options.zones,
        databases: journals.length,
        runner: format(address),
        secret: options.secret
      }),
      storage
    )
    for (const [index, other] of others.entries()) {
      yield* Effect.provide(ClusterRecord.join(cluster, index + 1, journals.length), other)
    }

    const clusterFeed = makeServer(address)
    accept.set(Purpose.cluster, (socket) => clusterFeed.accept(socketOf(socket)))
    const { blocks, feedApi, serveMessages } = yield* Effect.provide(
      Effect.provideService(assemble({ ...options, address, cluster, clusterFeed }), Network, over(tls)),
      Context.add(
        storage,
        Database.Database,
        yield* Database.make({
          ...options.database,
          connectionsMax: LEASE_CONNECTIONS,
          statementMillisMax: Math.min(
            options.database.statementMillisMax,
            Duration.toMillis(options.lease) * LEASE_STATEMENT
          )
        })
      )
    )
    accept.set(Purpose.rpc, (socket) => feedApi(socketOf(socket)))
    accept.set(Purpose.messages, (socket) => serveMessages(wireOf(socket, "serves")))
    accept.set(Purpose.blocks, yield* TcpBlocks.serve(blocks))
    const { description } = yield* Effect.provide(BlockStore, storage)
    return { address, cluster, blockStore: description }
  })

/** A database with this program's tables, and the journal in it. */
const openDatabase = (options: Database.DatabaseOptions) =>
  Effect.tap(
    Layer.build(Layer.provideMerge(PostgresJournal.layer, Database.layer(options))),
    (opened) =>
      Effect.provide(migrate, opened).pipe(
        Effect.tapError(({ message }) => Effect.logWarning(`${message}; trying again`)),
        Effect.retry({
          schedule: DATABASE_WAIT,
          while: ({ uncertain, code }) => uncertain || code?.startsWith("E") === true || code === STARTING_UP
        })
      )
  )

export interface AssemblyOptions extends Pick<ServerOptions, "secret" | "lease" | "zone" | "historyRetention"> {
  /** Where clients and other runners reach this one. */
  readonly address: Address
  readonly cluster: ClusterRecord.ClusterRecord
  /** Fed with what other runners say: they may ask before all stands. */
  readonly clusterFeed: FedServer
}

/** What a runner does with its clients' connections, once they are authenticated. */
export interface Assembly {
  readonly feedApi: FedServer["accept"]
  readonly serveMessages: (wire: Wire) => void
  readonly blocks: BlockTransport
  /** The lease that its zones look at. */
  readonly lease: RunnerLeases.RunnerLease["Type"]
}

/** All of a runner but its storage and its listener. The database is that of the runners' leases. */
export const assemble = (
  { address, cluster, clusterFeed, historyRetention, lease, secret, zone }: AssemblyOptions
): Effect.Effect<Assembly, never, Database.Database | Journal | BlockStore | Scope.Scope> =>
  Effect.gen(function*() {
    const apiFeed = makeServer(address)
    const sharding = Cluster.layer({ address, secret, zones: cluster.zones, lease, fed: clusterFeed })
    const api = RpcServer.layer(Api, { disableTracing: true, concurrency: "unbounded" }).pipe(
      Layer.provide(ApiHandlers.layer(cluster, address, { pastMemoryBytes: zone.memoryBytes, historyRetention })),
      // Fresh, or the cluster's own protocol, which is the same layer, would be taken for it.
      Layer.provide(Layer.fresh(RpcServer.layerProtocolSocketServer)),
      Layer.provide([
        Layer.succeed(SocketServer.SocketServer, apiFeed.server),
        Layer.succeed(RpcSerialization.RpcSerialization, serialization)
      ])
    )
    // For all of it: what an entity is built with may come from around the cluster's own layers.
    const journal = yield* ArchivedJournal.make
    const built = yield* Layer.build(
      Layer.mergeAll(ZoneHost.layer(zone), api).pipe(
        Layer.provide(sharding),
        Layer.provideMerge(
          Layer.mergeAll(RunnerLeases.layer({ lease, patience: Cluster.refreshPatience(lease) }), LocalZones.layer)
        )
      )
    ).pipe(Effect.provideService(Journal, journal))
    return {
      feedApi: apiFeed.accept,
      serveMessages: serve(ApiHandlers.receiving(Context.get(built, LocalZones.LocalZones))),
      blocks: yield* BlockNode.make,
      lease: Context.get(built, RunnerLeases.RunnerLease)
    }
  })

const blockStore = (options: BlockStoreOptions) =>
  options.kind === "disk" ? DiskBlockStore.layer({ folder: options.folder }) : S3BlockStore.layer(options)
