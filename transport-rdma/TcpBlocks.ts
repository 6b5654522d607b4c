/**
 * The block transport over TCP: many requests at a time on one authenticated connection, answered in any order.
 * Every block's bytes carry their CRC32C; what does not match is never handed on.
 */
import { Limits } from "#domain/Limits.ts"
import { BlockError, type BlockTransport } from "#transport/BlockTransport.ts"
import { shared as pool } from "#transport/BufferPool.ts"
import { type Accept, type Address, connect, type ConnectFailed, format } from "#transport/Connection.ts"
import { Decoder, encode, type Frame, Kind, POOLED_BYTES_MIN } from "#transport/Frame.ts"
import { Purpose } from "#transport/Handshake.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import type * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type * as Net from "node:net"

/** Requests that one client keeps under way; more wait their turn. */
const REQUESTS_MAX = 32
/** Requests that a node works on for one connection before it stops reading from it. */
const SERVED_MAX = 64
const REQUEST_TIME_MAX = Duration.seconds(60)

/** A node's side: answers the requests of a connection from a store of blocks. */
export const serve = (blocks: BlockTransport): Effect.Effect<Accept> =>
  Effect.map(Effect.runtime(), (runtime) => (socket) => {
    const run = Runtime.runFork(runtime)
    const decoder = new Decoder({ pool })
    let working = 0
    const answer = (head: Buffer, data?: Uint8Array): void => {
      if (socket.writable) {
        socket.cork()
        socket.write(head)
        if (data !== undefined) socket.write(data)
        socket.uncork()
      }
      working--
      if (working < SERVED_MAX && socket.isPaused()) socket.resume()
    }
    const onFrame = (frame: Frame): void => {
      working++
      if (working >= SERVED_MAX) socket.pause()
      const { request } = frame
      const work = frame.kind === Kind.fetch
        ? Effect.map(blocks.fetch(frame.text, frame.blockBytes, frame.offset, frame.length), (data) => {
          answer(encode({ kind: Kind.data, request, data }), data)
        })
        : Effect.map(blocks.store(frame.text, frame.data), () => answer(encode({ kind: Kind.stored, request })))
      // What failed may still be read by whoever was at it; its memory is not used again.
      const handled = Effect.tap(work, () =>
        Effect.sync(() => {
          if (frame.data.length >= POOLED_BYTES_MIN) pool.give(frame.data as Buffer)
        }))
      run(Effect.catchAllCause(handled, (cause) =>
        Effect.sync(() => {
          const failure = cause._tag === "Fail" ? cause.error : undefined
          const kind = failure?.kind ?? "unavailable"
          const text = `${kind} ${failure?.reason ?? "the node failed"}`
          answer(encode({ kind: Kind.error, request, text }))
        })))
    }
    socket.on("data", (chunk: Buffer) => {
      const problem = decoder.push(chunk, onFrame)
      if (problem !== undefined) socket.destroy(new Error(problem))
    })
  })

interface Pending {
  readonly key: string
  readonly resume: (result: Effect.Effect<Uint8Array, BlockError>) => void
}

/** A connection that is up, and what waits for its answers. */
interface Link {
  readonly socket: Net.Socket
  readonly pending: Map<number, Pending>
  readonly scope: Scope.CloseableScope
}

/** A client's side: connects when first used, and again after the connection broke. */
export const make = (
  options: Address & { readonly secret: Redacted.Redacted<string>; readonly tls?: boolean }
): Effect.Effect<BlockTransport, never, Scope.Scope> =>
  Effect.gen(function*() {
    const outer = yield* Effect.scope
    const permits = Effect.unsafeMakeSemaphore(REQUESTS_MAX)
    const connecting = Effect.unsafeMakeSemaphore(1)
    let link: Link | undefined
    let numbers = 0

    const drop = (broken: Link, reason: string): void => {
      if (link === broken) link = undefined
      for (const { key, resume } of broken.pending.values()) {
        resume(Effect.fail(new BlockError({ kind: "unavailable", key, reason: `${format(options)}: ${reason}` })))
      }
      broken.pending.clear()
      broken.socket.destroy()
    }

    const up: Effect.Effect<Link, ConnectFailed> = connecting.withPermits(1)(Effect.gen(function*() {
      if (link !== undefined) return link
      const scope = yield* Scope.fork(outer, ExecutionStrategy.sequential)
      const socket = yield* connect({ ...options, purpose: Purpose.blocks }).pipe(
        Scope.extend(scope),
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
      const opened: Link = { socket, pending: new Map(), scope }
      const decoder = new Decoder()
      socket.on("error", (cause) => drop(opened, cause.message))
      socket.on("close", () => {
        drop(opened, "the connection closed")
        Effect.runFork(Scope.close(scope, Exit.void))
      })
      socket.on("data", (chunk: Buffer) => {
        const problem = decoder.push(chunk, (frame) => settle(opened, frame))
        if (problem !== undefined) drop(opened, problem)
      })
      link = opened
      return opened
    }))

    const ask = (
      key: string,
      frame: Partial<Frame> & { readonly kind: number }
    ): Effect.Effect<Uint8Array, BlockError> =>
      up.pipe(
        Effect.mapError(({ message }) => new BlockError({ kind: "unavailable", key, reason: message })),
        Effect.flatMap((link) =>
          Effect.async<Uint8Array, BlockError>((resume) => {
            const request = numbers = (numbers + 1) % 2 ** 32
            link.pending.set(request, { key, resume })
            link.socket.cork()
            link.socket.write(encode({ ...frame, request, text: key }))
            if (frame.data !== undefined) link.socket.write(frame.data)
            link.socket.uncork()
            return Effect.sync(() => link.pending.delete(request))
          })
        ),
        Effect.timeoutFail({
          duration: REQUEST_TIME_MAX,
          onTimeout: () => new BlockError({ kind: "unavailable", key, reason: `${format(options)}: no answer in time` })
        }),
        permits.withPermits(1)
      )

    return {
      fetch: (key, blockBytes, offset, length) =>
        Effect.filterOrFail(
          ask(key, { kind: Kind.fetch, blockBytes, offset, length }),
          (data) => data.length === length,
          () => new BlockError({ kind: "corrupt", key, reason: "the node sent another number of bytes than asked" })
        ),
      store: (key, data) =>
        data.length > Limits.blockBytesMax
          ? Effect.fail(new BlockError({ kind: "refused", key, reason: `more than ${Limits.blockBytesMax} bytes` }))
          : Effect.asVoid(ask(key, { kind: Kind.store, data }))
    }
  })

const settle = (link: Link, { data, kind, request, text }: Frame): void => {
  const pending = link.pending.get(request)
  // An answer that nobody waits for any more: its asker was interrupted.
  if (pending === undefined) return
  link.pending.delete(request)
  const { key, resume } = pending
  if (kind !== Kind.error) return resume(Effect.succeed(data))
  const [word = "", ...rest] = text.split(" ")
  const known = kinds.find((candidate) => candidate === word) ?? "unavailable"
  resume(Effect.fail(new BlockError({ kind: known, key, reason: rest.join(" ") })))
}

const kinds: ReadonlyArray<BlockError["kind"]> = ["missing", "corrupt", "full", "refused", "unavailable"]
