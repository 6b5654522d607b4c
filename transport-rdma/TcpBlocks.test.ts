import { BlockError, type BlockTransport } from "#transport/BlockTransport.ts"
import * as Connection from "#transport/Connection.ts"
import { Purpose } from "#transport/Handshake.ts"
import * as TcpBlocks from "#transport/TcpBlocks.ts"
import { it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomBytes } from "node:crypto"
import * as Net from "node:net"
import { describe, expect } from "vitest"

const secret = Redacted.make("of the cluster")

/** A node over a map, on a free port of this machine. */
const node = (blocks: BlockTransport, refused: Array<string> = []) =>
  Effect.gen(function*() {
    const accept = yield* TcpBlocks.serve(blocks)
    return yield* Connection.listen({
      host: "127.0.0.1",
      port: 0,
      secret,
      accept: new Map([[Purpose.blocks, accept]]),
      onRefused: (_, reason) => refused.push(reason)
    })
  })

const overMap = (map: Map<string, Uint8Array>): BlockTransport => ({
  fetch: (key, _, offset, length) => {
    const block = map.get(key)
    return block === undefined
      ? Effect.fail(new BlockError({ kind: "missing", key, reason: "there is none" }))
      : Effect.succeed(block.subarray(offset, offset + length))
  },
  store: (key, bytes) => Effect.sync(() => void map.set(key, bytes))
})

describe("the TCP block transport", () => {
  it.scopedLive("stores and fetches blocks, whole and in part", () =>
    Effect.gen(function*() {
      const address = yield* node(overMap(new Map()))
      const client = yield* TcpBlocks.make({ ...address, secret })
      const block = new Uint8Array(randomBytes(4 * 1024 * 1024))
      yield* client.store("blocks/a", block)
      expect(Buffer.compare(yield* client.fetch("blocks/a", block.length, 0, block.length), block)).toBe(0)
      const part = yield* client.fetch("blocks/a", block.length, 1_000_001, 77)
      expect(Buffer.compare(part, block.subarray(1_000_001, 1_000_078))).toBe(0)
      yield* client.store("blocks/empty", new Uint8Array(0))
      expect((yield* client.fetch("blocks/empty", 0, 0, 0)).length).toBe(0)
    }))

  it.scopedLive("answers many requests in whatever order they finish", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const map = new Map<string, Uint8Array>([["slow", new Uint8Array([1])], ["fast", new Uint8Array([2])]])
      const inner = overMap(map)
      const address = yield* node({
        ...inner,
        fetch: (key, ...rest) =>
          key === "slow" ? Effect.zipRight(Deferred.await(gate), inner.fetch(key, ...rest)) : inner.fetch(key, ...rest)
      })
      const client = yield* TcpBlocks.make({ ...address, secret })
      const slow = yield* Effect.fork(client.fetch("slow", 1, 0, 1))
      expect([...yield* client.fetch("fast", 1, 0, 1)]).toEqual([2])
      yield* Deferred.succeed(gate, undefined)
      expect([...yield* slow]).toEqual([1])
    }))

  it.scopedLive("passes the node's errors on as they are", () =>
    Effect.gen(function*() {
      const address = yield* node(overMap(new Map()))
      const client = yield* TcpBlocks.make({ ...address, secret })
      const error = yield* Effect.flip(client.fetch("blocks/none", 1, 0, 1))
      expect(error).toMatchObject({ kind: "missing", key: "blocks/none", reason: "there is none" })
    }))

  it.scopedLive("refuses a client with another secret, and tells both sides why", () =>
    Effect.gen(function*() {
      const refused: Array<string> = []
      const address = yield* node(overMap(new Map()), refused)
      const client = yield* TcpBlocks.make({ ...address, secret: Redacted.make("of another cluster") })
      const error = yield* Effect.flip(client.fetch("blocks/a", 1, 0, 1))
      expect(error.kind).toBe("unavailable")
      expect(error.message).toContain("secret is not the one")
      expect(error.message).not.toContain("of another cluster")
      yield* Effect.promise(() => expect.poll(() => refused.length).toBe(1))
      expect(refused[0]).toContain("another secret")
    }))

  it.scopedLive("drops a client that does not speak the protocol", () =>
    Effect.gen(function*() {
      const refused: Array<string> = []
      const address = yield* node(overMap(new Map()), refused)
      yield* Effect.async<void>((resume) => {
        const socket = Net.connect(address.port, address.host, () =>
          socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(4)))
        socket.on("error", () =>
          undefined)
        socket.on("close", () =>
          resume(Effect.void))
      })
      expect(refused).toEqual(["it is not Cadastre"])
    }))

  it.scopedLive("fails what was under way when the node goes, and connects again to the next one", () =>
    Effect.gen(function*() {
      const never = { ...overMap(new Map()), fetch: () => Effect.never }
      const map = new Map<string, Uint8Array>([["blocks/a", new Uint8Array([7])]])
      const first = yield* Effect.scoped(Effect.gen(function*() {
        const address = yield* node(never)
        const client = yield* TcpBlocks.make({ ...address, secret })
        const waiting = yield* Effect.fork(Effect.flip(client.fetch("blocks/a", 1, 0, 1)))
        yield* client.store("blocks/b", new Uint8Array(1))
        return { address, waiting }
      }))
      expect((yield* first.waiting).kind).toBe("unavailable")
      const accept = yield* TcpBlocks.serve(overMap(map))
      const options = { secret, accept: new Map([[Purpose.blocks, accept]]), onRefused: () => undefined }
      const client = yield* TcpBlocks.make({ ...first.address, secret })
      expect((yield* Effect.flip(client.fetch("blocks/a", 1, 0, 1))).message).toContain("nobody listens")
      yield* Connection.listen({ ...first.address, ...options })
      expect([...yield* client.fetch("blocks/a", 1, 0, 1)]).toEqual([7])
    }))

  it.scopedLive("never hands on bytes that changed on the way", () =>
    Effect.gen(function*() {
      const map = new Map<string, Uint8Array>([["blocks/a", new Uint8Array(100_000).fill(9)]])
      const address = yield* node(overMap(map))
      const proxy = yield* corrupting(address, 60_000)
      const client = yield* TcpBlocks.make({ ...proxy, secret })
      const error = yield* Effect.flip(client.fetch("blocks/a", 100_000, 0, 100_000))
      expect(error.kind).toBe("unavailable")
      expect(error.reason).toContain("data are corrupt")
    }))
})

/** A relay that flips one bit of what the node sends, at this byte of the stream. */
const corrupting = (target: Connection.Address, at: number) =>
  Effect.acquireRelease(
    Effect.async<{ readonly server: Net.Server; readonly host: string; readonly port: number }>((resume) => {
      const server = Net.createServer((inner) => {
        const outer = Net.connect(target.port, target.host)
        let seen = 0
        inner.pipe(outer)
        outer.on("data", (chunk: Buffer) => {
          const index = at - seen
          if (index >= 0 && index < chunk.length) chunk[index]! ^= 1
          seen += chunk.length
          inner.write(chunk)
        })
        for (const [socket, other] of [[inner, outer], [outer, inner]] as const) {
          socket.on("error", () => undefined)
          socket.on("close", () => other.destroy())
        }
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as Net.AddressInfo
        resume(Effect.succeed({ server, host: "127.0.0.1", port }))
      })
    }),
    ({ server }) => Effect.sync(() => server.close())
  )
