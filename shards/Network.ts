/**
 * How processes reach each other: byte streams for rpc, wires for packed messages, and blocks. TCP unless it is told otherwise; the
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

/** An authenticated connection, open, without fibers: for what is said very often. */
export interface Wire {
  /** Sends what must not change any more; false once the connection is gone. */
  readonly send: (head: Uint8Array, body?: Uint8Array) => boolean
  /** To be called once, at once. */
  readonly onBytes: (use: (bytes: Buffer) => void) => void
  /** Calls back once the connection is gone. */
  readonly onClose: (callback: () => void) => void
  readonly close: () => void
}

export interface NetworkService {
  /** A connection to a Cadastre that holds the same secret. It is closed with the scope. */
  readonly connect: (options: ConnectOptions) => Effect.Effect<Link, ConnectFailed, Scope.Scope>
  /** The same without fibers. */
  readonly wire: (options: ConnectOptions) => Effect.Effect<Wire, ConnectFailed, Scope.Scope>
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

/**
 * The same without fibers. Who is served is not read from while it does not take what it asked for; whoever asks reads
 * on, or both might wait for each other.
 */
export const wireOf = (connection: Net.Socket, end: "asks" | "serves"): Wire => {
  if (end === "serves") connection.on("drain", () => connection.resume())
  return {
    send: (head, body) => {
      if (!connection.writable) return false
      const hasRoom = body === undefined || body.length < TOGETHER_BYTES_MAX
        ? connection.write(body === undefined ? head : Buffer.concat([head, body]))
        : writeBoth(connection, head, body)
      if (!hasRoom && end === "serves") connection.pause()
      return true
    },
    onBytes: (use) => void connection.on("data", use),
    onClose: (callback) => void (connection.destroyed ? setImmediate(callback) : connection.once("close", callback)),
    close: () => void connection.destroy()
  }
}

/** To copy so much is cheaper than to have the kernel gather it. */
const TOGETHER_BYTES_MAX = 4096

const writeBoth = (connection: Net.Socket, head: Uint8Array, body: Uint8Array): boolean => {
  connection.cork()
  connection.write(head)
  const hasRoom = connection.write(body)
  connection.uncork()
  return hasRoom
}

/** TCP, encrypted with the cluster's secret or not. */
export const over = (tls: boolean): NetworkService => ({
  connect: (options) =>
    Effect.gen(function*() {
      const connection = yield* connect({ ...options, tls })
      return { socket: yield* socketOf(connection), onClose: (callback) => void connection.once("close", callback) }
    }),
  wire: (options) =>
    Effect.map(connect({ ...options, tls }), (connection) => {
      // Its close follows, which is where its end is handled.
      connection.on("error", () => undefined)
      return wireOf(connection, "asks")
    }),
  blocks: (options) => TcpBlocks.make({ ...options, tls })
})

export class Network extends Context.Reference<Network>()("cadastre/Network", { defaultValue: () => over(false) }) {}
