/**
 * The world's network as the product sees it from one process: rpc byte streams, wires and blocks (`shards/Network`),
 * and the listener's side of them.
 */
import type { NetworkService, Wire } from "#shards/Network.ts"
import { answering, Exchange } from "#simulations/world/Exchange.ts"
import { type Accept, type End, type Hello, type Network, whenClosed } from "#simulations/world/Network.ts"
import type { Process } from "#simulations/world/Process.ts"
import { MILLI } from "#simulations/world/World.ts"
import { BlockError, type BlockTransport } from "#transport/BlockTransport.ts"
import { ConnectFailed, type ConnectOptions, format } from "#transport/Connection.ts"
import { Purpose } from "#transport/Handshake.ts"
import * as Socket from "@effect/platform/Socket"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Redacted from "effect/Redacted"
import { Scope } from "effect/Scope"

const CONNECT_MILLIS_MAX = 5000
const BLOCK_TIME_MAX = Duration.seconds(60)

type BlockQuestion =
  | { readonly kind: "store"; readonly key: string; readonly bytes: Uint8Array }
  | {
    readonly kind: "fetch"
    readonly key: string
    readonly blockBytes: number
    readonly offset: number
    readonly length: number
  }
type BlockAnswer = Exit.Exit<Uint8Array | void, BlockError>

/** What a process sees of the network. */
export const make = (network: Network, process: Process): NetworkService => ({
  connect: (options) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const end = yield* restore(open(network, process, options))
        yield* Effect.addFinalizer(() => Effect.sync(() => end.close()))
        return { socket: socketOf(end), onClose: (callback) => whenClosed(end, callback) }
      })
    ),
  wire: (options) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const end = yield* restore(open(network, process, options))
        yield* Effect.addFinalizer(() => Effect.sync(() => end.close()))
        return wireOf(end)
      })
    ),
  blocks: ({ host, secret }) =>
    Effect.sync((): BlockTransport => {
      const hello = { purpose: Purpose.blocks, secret: Redacted.value(secret) }
      const exchange = new Exchange<BlockQuestion, BlockAnswer>(network, process, host, hello)
      const ask = (question: BlockQuestion) =>
        exchange.ask(question).pipe(
          Effect.timeout(BLOCK_TIME_MAX),
          Effect.mapError((error) =>
            new BlockError({
              kind: error._tag === "Lost" && error.refused ? "refused" : "unavailable",
              key: question.key,
              reason: error._tag === "Lost" ? error.reason : "no answer in time"
            })
          ),
          Effect.flatten
        )
      return {
        store: (key, bytes) => Effect.asVoid(ask({ kind: "store", key, bytes: Uint8Array.from(bytes) })),
        fetch: (key, blockBytes, offset, length) =>
          Effect.map(ask({ kind: "fetch", key, blockBytes, offset, length }), (bytes) => bytes as Uint8Array)
      }
    })
})

/** How a listener with this secret takes connections, by what they are for. */
export const accepting = (secret: string, purposes: ReadonlyMap<number | string, Accept>): Accept => (hello: Hello) => {
  if (hello.secret !== secret) return "the cluster refuses the secret"
  return purposes.get(hello.purpose)?.(hello) ?? "the runner does not serve this kind of connection"
}

/** A runner's side of rpc connections. */
export const feeding = (feed: (connection: Effect.Effect<Socket.Socket>) => void): Accept => () => (end) =>
  feed(Effect.sync(() => socketOf(end)))

/** A runner's side of packed messages. */
export const wiring = (serve: (wire: Wire) => void): Accept => () => (end) => serve(wireOf(end))

/** A runner's side of blocks. */
export const serving = (process: Process, blocks: BlockTransport): Accept =>
  answering<BlockQuestion, BlockAnswer>((question, reply) => {
    const work: Effect.Effect<Uint8Array | void, BlockError> = question.kind === "store"
      ? blocks.store(question.key, question.bytes)
      : blocks.fetch(question.key, question.blockBytes, question.offset, question.length)
    process.run(Effect.map(Effect.exit(work), reply))
  })

const open = (network: Network, process: Process, options: ConnectOptions): Effect.Effect<End, ConnectFailed> => {
  const endpoint = format(options)
  const limit = options.timeoutMillis ?? CONNECT_MILLIS_MAX
  const hello: Hello = { purpose: options.purpose, secret: Redacted.value(options.secret) }
  const failed = (reason: string, retryable: boolean, refused: boolean) =>
    new ConnectFailed({ endpoint, reason, retryable, refused })
  return Effect.async<End, ConnectFailed>((resume) => {
    let waiting = true
    const settle = (result: Effect.Effect<End, ConnectFailed>): void => {
      if (!waiting) return
      waiting = false
      cancel()
      resume(result)
    }
    const late = (): void => settle(Effect.fail(failed(`no answer in ${limit} ms`, true, false)))
    const cancel = process.world.later(limit * MILLI, process, late)
    network.connect(process, options.host, hello, (connected) => {
      if ("refused" in connected) {
        settle(Effect.fail(failed(connected.refused, connected.absent, connected.absent)))
      } else if (waiting) settle(Effect.succeed(connected.end))
      else connected.end.close()
    })
    return Effect.sync(() => {
      waiting = false
      cancel()
    })
  })
}

/** One end of a connection as a wire. */
const wireOf = (end: End): Wire => ({
  send: (head, body) => end.send(body === undefined ? head : Buffer.concat([head, body])),
  onBytes: (use) => {
    end.onMessage = (bytes) => use(bytes as Buffer)
  },
  onClose: (callback) => whenClosed(end, callback),
  close: () => end.close()
})

/** One end of a connection as a byte stream. */
const socketOf = (end: End): Socket.Socket => {
  const closed = () => new Socket.SocketCloseError({ reason: "Close", code: 1000 })
  const runRaw: Socket.Socket["runRaw"] = <A, E, R>(
    handler: (bytes: Uint8Array) => Effect.Effect<A, E, R> | void,
    options?: { readonly onOpen?: Effect.Effect<void> | undefined }
  ) =>
    Effect.scopedWith((scope) =>
      Effect.gen(function*() {
        const fibers = yield* FiberSet.make<A, E | Socket.SocketError>().pipe(Effect.provideService(Scope, scope))
        const run = yield* FiberSet.runtime(fibers)<R>()
        if (!end.isOpen) return yield* Effect.fail(closed())
        end.onClose.push(() => Deferred.unsafeDone(fibers.deferred, Effect.fail(closed())))
        if (options?.onOpen !== undefined) yield* options.onOpen
        end.onMessage = (bytes) => {
          const result = handler(bytes as Uint8Array)
          if (Effect.isEffect(result)) run(result)
        }
        return yield* FiberSet.join(fibers)
      })
    )
  return Socket.Socket.of({
    [Socket.TypeId]: Socket.TypeId,
    run: runRaw as Socket.Socket["run"],
    runRaw,
    writer: Effect.acquireRelease(
      Effect.succeed((chunk) =>
        Effect.suspend(() => {
          if (Socket.isCloseEvent(chunk)) {
            end.close()
            return Effect.void
          }
          if (end.send(typeof chunk === "string" ? Buffer.from(chunk) : chunk)) return Effect.void
          return Effect.fail(new Socket.SocketGenericError({ reason: "Write", cause: new Error("it is closed") }))
        })
      ),
      () => Effect.sync(() => end.close())
    )
  })
}
