/**
 * `@effect/rpc` over authenticated connections: what a listener accepts becomes a socket server, and a
 * connection becomes a client's protocol.
 */
import type { Link, NetworkService } from "#shards/Network.ts"
import type { Address, ConnectFailed, ConnectOptions } from "#transport/Connection.ts"
import * as Socket from "@effect/platform/Socket"
import * as SocketServer from "@effect/platform/SocketServer"
import * as RpcClient from "@effect/rpc/RpcClient"
import * as RpcSerialization from "@effect/rpc/RpcSerialization"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"

/** Bytes of one rpc message at most; the largest packed message and its frame fit. */
const RPC_BYTES_MAX = 64 * 1024 * 1024

export const serialization: RpcSerialization.RpcSerialization["Type"] = RpcSerialization.makeMsgPack({
  useRecords: true,
  maxBufferSize: RPC_BYTES_MAX
})

/** A socket server whose connections come from elsewhere, already authenticated. */
export interface FedServer {
  readonly server: SocketServer.SocketServer["Type"]
  readonly accept: (connection: Effect.Effect<Socket.Socket>) => void
}

export const makeServer = (address: Address): FedServer => {
  const early: Array<Effect.Effect<Socket.Socket>> = []
  let accept: FedServer["accept"] = (connection) => void early.push(connection)
  const server = SocketServer.SocketServer.of({
    address: { _tag: "TcpAddress", hostname: address.host, port: address.port },
    run: <R, E, _>(handler: (socket: Socket.Socket) => Effect.Effect<_, E, R>) =>
      Effect.scoped(Effect.gen(function*() {
        const fork = yield* FiberSet.makeRuntime<R, unknown, never>()
        accept = (connection) => {
          fork(
            connection.pipe(
              Effect.flatMap(handler),
              Effect.catchAllCause((cause) => Effect.logDebug("a connection ended", cause))
            )
          )
        }
        for (const connection of early.splice(0)) accept(connection)
        return yield* Effect.never
      }))
  })
  return { server, accept: (connection) => accept(connection) }
}

/** A client's protocol over one connection, which is open when this returns and is never opened again. */
export const dial = (
  network: NetworkService,
  options: ConnectOptions
): Effect.Effect<
  { readonly protocol: RpcClient.Protocol["Type"]; readonly onClose: Link["onClose"] },
  ConnectFailed,
  Scope.Scope
> =>
  Effect.gen(function*() {
    const { onClose, socket } = yield* network.connect(options)
    return { protocol: yield* protocolOver(socket, Schedule.stop), onClose }
  })

/**
 * A client's protocol that connects in the background, and again whenever the connection breaks, or is to be broken
 * because `gone` returns: a process that stands still keeps its connections, and who waits for it would wait on.
 */
export const redial = (
  network: NetworkService,
  options: ConnectOptions,
  gone: Effect.Effect<void>
): Effect.Effect<RpcClient.Protocol["Type"], never, Scope.Scope> =>
  protocolOver(reopening(network.connect(options), gone), Schedule.spaced(RECONNECT_MILLIS))

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

/** A socket that is opened anew each time it is run; what is written waits until it is open. */
const reopening = (
  open: Effect.Effect<Link, ConnectFailed, Scope.Scope>,
  gone: Effect.Effect<void>
): Socket.Socket => {
  const broken = Effect.zipRight(gone, new Socket.SocketCloseError({ reason: "Close", code: 1001 }))
  type Write = Effect.Effect.Success<Socket.Socket["writer"]>
  const ready = Effect.unsafeMakeLatch(false)
  let write: Write = () => Effect.void
  const runRaw: Socket.Socket["runRaw"] = (handler, options) =>
    Effect.scopedWith((scope) =>
      Effect.gen(function*() {
        const { socket } = yield* open.pipe(
          Effect.mapError((cause) => new Socket.SocketGenericError({ reason: "Open", cause })),
          Scope.extend(scope)
        )
        write = yield* Scope.extend(socket.writer, scope)
        yield* ready.open
        return yield* socket.runRaw(handler, options)
      })
    ).pipe(Effect.raceFirst(broken), Effect.ensuring(ready.close))
  return Socket.Socket.of({
    [Socket.TypeId]: Socket.TypeId,
    run: runRaw as Socket.Socket["run"],
    runRaw,
    writer: Effect.succeed((chunk) => ready.whenOpen(Effect.suspend(() => write(chunk))))
  })
}
