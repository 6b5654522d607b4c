/**
 * `@effect/rpc` over authenticated connections: what a listener accepts becomes a socket server, and a
 * connection becomes a client's protocol.
 */
import { type Accept, type Address, connect, type ConnectFailed } from "#transport/Connection.ts"
import type { Purpose } from "#transport/Handshake.ts"
import * as NodeSocket from "@effect/platform-node-shared/NodeSocket"
import * as Socket from "@effect/platform/Socket"
import * as SocketServer from "@effect/platform/SocketServer"
import * as RpcClient from "@effect/rpc/RpcClient"
import * as RpcSerialization from "@effect/rpc/RpcSerialization"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as Net from "node:net"

/** Bytes of one rpc message at most; the largest packed message and its frame fit. */
const RPC_BYTES_MAX = 64 * 1024 * 1024

export const serialization: RpcSerialization.RpcSerialization["Type"] = RpcSerialization.makeMsgPack({
  useRecords: true,
  maxBufferSize: RPC_BYTES_MAX
})

/** A socket server whose connections come from elsewhere, already authenticated. */
export interface FedServer {
  readonly server: SocketServer.SocketServer["Type"]
  readonly accept: Accept
}

export const makeServer = (address: Address): FedServer => {
  const early: Array<Net.Socket> = []
  let accept: Accept = (socket) => void early.push(socket)
  const server = SocketServer.SocketServer.of({
    address: { _tag: "TcpAddress", hostname: address.host, port: address.port },
    run: <R, E, _>(handler: (socket: Socket.Socket) => Effect.Effect<_, E, R>) =>
      Effect.scoped(Effect.gen(function*() {
        const fork = yield* FiberSet.makeRuntime<R, unknown, never>()
        accept = (connection) => {
          fork(
            NodeSocket.fromDuplex(held(connection)).pipe(
              Effect.flatMap(handler),
              Effect.catchAllCause((cause) => Effect.logDebug("a connection ended", cause))
            )
          )
        }
        for (const socket of early.splice(0)) accept(socket)
        return yield* Effect.never
      }))
  })
  return { server, accept: (socket) => accept(socket) }
}

const held = (connection: Net.Socket): Effect.Effect<Net.Socket, Socket.SocketError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() =>
      connection.destroyed
        ? Effect.fail(new Socket.SocketCloseError({ reason: "Close", code: 1000 }))
        : Effect.succeed(connection)
    ),
    (connection) => Effect.sync(() => connection.destroySoon())
  )

export interface DialOptions extends Address {
  readonly secret: Redacted.Redacted<string>
  readonly purpose: Purpose
  /** For connecting and handshake together, in milliseconds. */
  readonly timeoutMillis?: number
}

/** A client's protocol over one connection, which is open when this returns and is never opened again. */
export const dial = (
  options: DialOptions
): Effect.Effect<
  { readonly protocol: RpcClient.Protocol["Type"]; readonly socket: Net.Socket },
  ConnectFailed,
  Scope.Scope
> =>
  Effect.gen(function*() {
    const socket = yield* connect(options)
    const duplex = yield* NodeSocket.fromDuplex(held(socket))
    const protocol = yield* protocolOver(duplex, Schedule.stop)
    return { protocol, socket }
  })

/** A client's protocol that connects in the background, and again whenever the connection breaks. */
export const redial = (options: DialOptions): Effect.Effect<RpcClient.Protocol["Type"], never, Scope.Scope> =>
  Effect.gen(function*() {
    const open = Effect.mapError(connect(options), (cause) => new Socket.SocketGenericError({ reason: "Open", cause }))
    const duplex = yield* NodeSocket.fromDuplex(open)
    return yield* protocolOver(duplex, Schedule.spaced(RECONNECT_MILLIS))
  })

const RECONNECT_MILLIS = 200

const protocolOver = (
  socket: Socket.Socket,
  retrySchedule: Schedule.Schedule<unknown, Socket.SocketError>
): Effect.Effect<RpcClient.Protocol["Type"], never, Scope.Scope> =>
  RpcClient.makeProtocolSocket({ retrySchedule: retrySchedule as Schedule.Schedule<number, Socket.SocketError> }).pipe(
    Effect.provideService(Socket.Socket, socket),
    Effect.provideService(RpcSerialization.RpcSerialization, serialization),
    Effect.withUnhandledErrorLogLevel(Option.none())
  )
