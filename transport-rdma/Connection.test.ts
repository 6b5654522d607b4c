import * as Connection from "#transport/Connection.ts"
import { Purpose } from "#transport/Handshake.ts"
import { it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Net from "node:net"
import { expect } from "vitest"

it.scopedLive("a connection that is being opened to somebody silent can be interrupted at once, and is closed", () =>
  Effect.gen(function*() {
    const accepted = yield* Deferred.make<Net.Socket>()
    const server = yield* Effect.acquireRelease(
      Effect.async<Net.Server>((resume) => {
        const made = Net.createServer((socket) => Deferred.unsafeDone(accepted, Effect.succeed(socket)))
        made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
      }),
      (made) => Effect.sync(() => made.close())
    )
    const { port } = server.address() as Net.AddressInfo
    const opening = yield* Effect.fork(Effect.scoped(Connection.connect({
      host: "127.0.0.1",
      port,
      secret: Redacted.make("of the cluster"),
      purpose: Purpose.rpc,
      timeoutMillis: 3_600_000
    })))
    const silent = yield* Deferred.await(accepted)
    const closed = Effect.async<void>((resume) => {
      silent.resume()
      silent.once("error", () => undefined)
      silent.once("close", () => resume(Effect.void))
    })
    const exit = yield* Fiber.interrupt(opening)
    expect(exit._tag).toBe("Failure")
    yield* closed
  }))

const listenWith = (accept: Map<Purpose, Connection.Accept>) =>
  Connection.listen({
    host: "127.0.0.1",
    port: 0,
    secret: Redacted.make("of the cluster"),
    accept,
    onRefused: () => undefined
  })

it.scopedLive("a runner that does not serve yet is worth asking again", () =>
  Effect.gen(function*() {
    const accept = new Map<Purpose, Connection.Accept>()
    const address = yield* listenWith(accept)
    const attempt = Connection.connect({ ...address, secret: Redacted.make("of the cluster"), purpose: Purpose.rpc })
    const early = yield* Effect.flip(attempt)
    expect(early.retryable).toBe(true)
    expect(early.message).toContain("yet")
    accept.set(Purpose.rpc, (socket) => void socket.end())
    yield* attempt
  }))

it.scopedLive("a cluster with another secret is not", () =>
  Effect.gen(function*() {
    const address = yield* listenWith(new Map())
    const attempt = Connection.connect({ ...address, secret: Redacted.make("another"), purpose: Purpose.rpc })
    expect((yield* Effect.flip(attempt)).retryable).toBe(false)
  }))
