/**
 * What lies below the runners of a world: its Postgres, and blocks in an object store or on a disk that all runners
 * share. It does not decide what befalls them.
 */
import * as DiskBlockStore from "#persistence/blocks/DiskBlockStore.ts"
import { Database } from "#persistence/Database.ts"
import { Disk } from "#simulations/world/Disk.ts"
import * as DiskFiles from "#simulations/world/DiskFiles.ts"
import type { Network } from "#simulations/world/Network.ts"
import { ObjectStore } from "#simulations/world/ObjectStore.ts"
import * as ObjectStoreClient from "#simulations/world/ObjectStoreClient.ts"
import * as PostgresClient from "#simulations/world/PostgresClient.ts"
import { PostgresServer } from "#simulations/world/PostgresServer.ts"
import type { Process } from "#simulations/world/Process.ts"
import type { World } from "#simulations/world/World.ts"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const CONNECTIONS_MAX = 12
const STATEMENT_MILLIS_MAX = 10_000
/** As `S3BlockStore` makes them. */
const ATTEMPTS_MAX = 5
const FOLDER = "/data/blocks"

export class SimulatedStorage {
  readonly postgres: PostgresServer
  /** Undefined where blocks are on the disk. */
  readonly objects: ObjectStore | undefined
  readonly disk: Disk | undefined
  private readonly network: Network

  constructor(world: World, network: Network, store: "objects" | "disk") {
    this.network = network
    this.postgres = new PostgresServer(world, network)
    this.objects = store === "objects" ? new ObjectStore(network) : undefined
    this.disk = store === "disk" ? new Disk(world) : undefined
  }

  get hosts(): ReadonlyArray<string> {
    return this.objects === undefined ? [this.postgres.host] : [this.postgres.host, this.objects.host]
  }

  database(process: Process) {
    const options = { connectionsMax: CONNECTIONS_MAX, statementMillisMax: STATEMENT_MILLIS_MAX }
    return Effect.map(
      Layer.build(PostgresClient.layer(this.network, process, options)),
      (context) => Context.get(context, Database)
    )
  }

  store(process: Process) {
    if (this.objects !== undefined) {
      return Effect.succeed(ObjectStoreClient.make(this.objects, process, { attemptsMax: ATTEMPTS_MAX }))
    }
    return DiskBlockStore.make({ folder: FOLDER, files: DiskFiles.make(this.disk as Disk, process) })
  }

  /** Ends whatever befell it. */
  heal(): void {
    this.postgres.heal()
    this.objects?.faults.clear()
    this.disk?.faults.clear()
    if (this.objects !== undefined) this.objects.slowness = 1
    if (this.disk !== undefined) this.disk.slowness = 1
  }
}
