/**
 * A small world for tests: the simulated Postgres and one process that uses it, whose failures are thrown. It is
 * no cluster.
 */
import type { DatabaseService } from "#persistence/Database.ts"
import { Network } from "#simulations/world/Network.ts"
import * as PostgresClient from "#simulations/world/PostgresClient.ts"
import { PostgresServer, type PostgresServerOptions } from "#simulations/world/PostgresServer.ts"
import { Process } from "#simulations/world/Process.ts"
import { SECOND, World } from "#simulations/world/World.ts"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"

const TIME_MAX = 600 * SECOND

export interface PostgresWorld {
  readonly world: World
  readonly network: Network
  readonly server: PostgresServer
  readonly process: Process
  /** A pool of the process. */
  readonly connect: (
    options?: Partial<PostgresClient.PostgresClientOptions>
  ) => Effect.Effect<DatabaseService, never, Scope.Scope>
}

export const makeWorld = (seed: number, options: PostgresServerOptions = {}): PostgresWorld => {
  const world = new World(seed)
  const network = new Network(world)
  const server = new PostgresServer(world, network, options)
  const process = new Process(world, "runner")
  return {
    world,
    network,
    server,
    process,
    connect: (given) =>
      PostgresClient.make(network, process, { connectionsMax: 6, statementMillisMax: 10_000, ...given })
  }
}

/** Lets the world run until the program has ended in its process. */
export const runIn = <A, E>({ process, world }: PostgresWorld, program: Effect.Effect<A, E, Scope.Scope>): A => {
  let ended: Exit.Exit<A, E> | undefined
  process.run(Effect.scoped(program), (exit) => {
    ended = exit
  })
  if (!world.run(() => ended !== undefined, world.now + TIME_MAX) || ended === undefined) {
    throw new Error(`seed ${world.seed}: the program does not end`)
  }
  if (Exit.isFailure(ended)) throw Cause.squash(ended.cause)
  return ended.value
}
