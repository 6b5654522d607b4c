import * as Connection from "#transport/Connection.ts"
import { Purpose } from "#transport/Handshake.ts"
import { it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
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

const listenWith = (accept: Map<Purpose, Connection.Accept>, tls = false, refused?: Queue.Queue<string>) =>
  Connection.listen({
    host: "127.0.0.1",
    port: 0,
    secret: Redacted.make("of the cluster"),
    tls,
    accept,
    onRefused: (_, reason) => void refused?.unsafeOffer(reason)
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

/** What travels between a client and a listener that echoes, as somebody in the middle sees it. */
const overheard = (tls: boolean) =>
  Effect.gen(function*() {
    const accept = new Map<Purpose, Connection.Accept>([[Purpose.rpc, (socket) => void socket.pipe(socket)]])
    const address = yield* listenWith(accept, tls)
    const heard: Array<Buffer> = []
    const middle = yield* Effect.acquireRelease(
      Effect.async<Net.Server>((resume) => {
        const made = Net.createServer((near) => {
          const far = Net.connect(address)
          near.on("data", (chunk) => void heard.push(chunk)).pipe(far)
          far.on("data", (chunk) => void heard.push(chunk)).pipe(near)
          near.once("close", () => far.destroy())
          far.once("error", () => undefined)
        })
        made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
      }),
      (made) => Effect.sync(() => made.close())
    )
    const { port } = middle.address() as Net.AddressInfo
    const secret = Redacted.make("of the cluster")
    const socket = yield* Connection.connect({ host: "127.0.0.1", port, secret, purpose: Purpose.rpc, tls })
    const said = Buffer.alloc(100_000, "a file's name ")
    const echoed = yield* Effect.async<Buffer>((resume) => {
      const chunks: Array<Buffer> = []
      socket.on("data", (chunk: Buffer) => {
        chunks.push(chunk)
        const all = Buffer.concat(chunks)
        if (all.length >= said.length) resume(Effect.succeed(all))
      })
      socket.write(said)
    })
    expect(Buffer.compare(echoed, said)).toBe(0)
    return Buffer.concat(heard).includes("a file's name a file's name")
  })

it.scopedLive("over TLS nobody in the middle can read what is said, and without it all of it", () =>
  Effect.gen(function*() {
    expect(yield* overheard(false)).toBe(true)
    expect(yield* overheard(true)).toBe(false)
  }))

it.scopedLive("with TLS at one end alone, or with another secret, no connection comes about, and it is said why", () =>
  Effect.gen(function*() {
    const accept = new Map<Purpose, Connection.Accept>([[Purpose.rpc, (socket) => void socket.end()]])
    for (const tls of [false, true]) {
      const refused = yield* Queue.unbounded<string>()
      const address = yield* listenWith(accept, tls, refused)
      const to = (own: boolean, secret: string) =>
        Effect.flip(
          Connection.connect({
            ...address,
            tls: own,
            secret: Redacted.make(secret),
            purpose: Purpose.rpc,
            timeoutMillis: 5000
          })
        )
      expect((yield* to(!tls, "of the cluster")).message).toMatch(/TLS/)
      yield* refused.take
      const other = yield* to(tls, "another")
      expect(other.retryable).toBe(false)
      expect(other.message).toMatch(/secret/)
      yield* refused.take
    }
  }))
