/**
 * How processes reach each other: byte streams for rpc, and blocks. TCP unless it is told otherwise; the
 * deterministic world brings a network of its own. It does not know what is said.
 */
import type { BlockTransport } from "#transport/BlockTransport.ts"
import { type Address, connect, type ConnectFailed, type ConnectOptions } from "#transport/Connection.ts"
import * as TcpBlocks from "#transport/TcpBlocks.ts"
import * as NodeSocket from "@effect/platform-node-shared/NodeSocket"
import * as Socket from "@effect/platform/Socket"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as Net from "node:net"

/** An authenticated connection, open. */
export interface Link {
  readonly socket: Socket.Socket
  /** Calls back once the connection is gone. */
  readonly onClose: (callback: () => void) => void
}

export interface NetworkService {
  /** A connection to a Cadastre that holds the same secret. It is closed with the scope. */
  readonly connect: (options: ConnectOptions) => Effect.Effect<Link, ConnectFailed, Scope.Scope>
  /** A runner's blocks. Connects when first used, and again when the connection broke. */
  readonly blocks: (
    options: Address & { readonly secret: Redacted.Redacted<string> }
  ) => Effect.Effect<BlockTransport, never, Scope.Scope>
}

/** A connection that somebody else opened, taken up as a byte stream and closed with the scope. */
export const socketOf = (connection: Net.Socket): Effect.Effect<Socket.Socket> =>
  NodeSocket.fromDuplex(Effect.acquireRelease(
    Effect.suspend(() =>
      connection.destroyed
        ? Effect.fail(new Socket.SocketCloseError({ reason: "Close", code: 1000 }))
        : Effect.succeed(connection)
    ),
    (connection) => Effect.sync(() => connection.destroySoon())
  ))

export const tcp: NetworkService = {
  connect: (options) =>
    Effect.gen(function*() {
      const connection = yield* connect(options)
      return { socket: yield* socketOf(connection), onClose: (callback) => void connection.once("close", callback) }
    }),
  blocks: (options) => TcpBlocks.make(options)
}

export class Network extends Context.Reference<Network>()("cadastre/Network", { defaultValue: () => tcp }) {}
