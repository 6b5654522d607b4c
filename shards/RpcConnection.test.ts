import type { Link, NetworkService } from "#shards/Network.ts"
import { redial } from "#shards/RpcConnection.ts"
import type { ConnectFailed, ConnectOptions } from "#transport/Connection.ts"
import { Purpose } from "#transport/Handshake.ts"
import * as Socket from "@effect/platform/Socket"
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcClient from "@effect/rpc/RpcClient"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { describe, expect } from "vitest"

class Questions extends RpcGroup.make(Rpc.make("Ask")) {}

const to: ConnectOptions = { host: "runner", port: 1, secret: Redacted.make("of a test"), purpose: Purpose.cluster }

/** Who asks a runner over such connections, and is told that the runner is gone. */
const askOver = (connect: Effect.Effect<Link, ConnectFailed, Scope.Scope>) =>
  Effect.gen(function*() {
    const gone = yield* Effect.makeLatch(false)
    const network = { connect: () => connect } as unknown as NetworkService
    const protocol = yield* redial(network, to, gone.await)
    const client = yield* RpcClient.make(Questions).pipe(Effect.provideService(RpcClient.Protocol, protocol))
    return { answer: Effect.flip(client.Ask()), gone }
  })

/** A connection to a process that stands still: what is written goes nowhere. */
const frozen = (onWrite: Effect.Effect<unknown>): Link => ({
  socket: Socket.Socket.of({
    [Socket.TypeId]: Socket.TypeId,
    run: () => Effect.never,
    runRaw: () => Effect.never,
    writer: Effect.succeed(() => Effect.asVoid(onWrite))
  }),
  onClose: () => undefined
})

describe("who waits for the answer of a runner that is gone is told so", () => {
  it.scopedLive("when the runner stands still", () =>
    Effect.gen(function*() {
      const asked = yield* Effect.makeLatch(false)
      const { answer, gone } = yield* askOver(Effect.succeed(frozen(asked.open)))
      yield* Effect.fork(Effect.zipRight(asked.await, gone.open))
      expect((yield* answer)._tag).toBe("RpcClientError")
    }))

  it.scopedLive("when the connection to it does not come about", () =>
    Effect.gen(function*() {
      const connecting = yield* Effect.makeLatch(false)
      const { answer, gone } = yield* askOver(Effect.zipRight(connecting.open, Effect.never))
      yield* Effect.fork(Effect.zipRight(connecting.await, gone.open))
      expect((yield* answer)._tag).toBe("RpcClientError")
    }))
})
