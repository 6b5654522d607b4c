/**
 * A client's connections to runners: one each for rpc, and one for packed messages, opened when first needed, dropped
 * when either breaks.
 */
import { Api } from "#shards/Api.ts"
import * as Elapsed from "#shards/Elapsed.ts"
import { ChannelClient, type MessageChannel } from "#shards/MessageChannel.ts"
import { Network } from "#shards/Network.ts"
import { dial } from "#shards/RpcConnection.ts"
import { type Address, type ConnectFailed, format } from "#transport/Connection.ts"
import { Purpose } from "#transport/Handshake.ts"
import * as RpcClient from "@effect/rpc/RpcClient"
import type { RpcClientError } from "@effect/rpc/RpcClientError"
import type * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import type * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"

export type RunnerClient = RpcClient.RpcClient<RpcGroup.Rpcs<typeof Api>, RpcClientError>

export interface RunnerPool {
  /** The connection to a runner, opened if there is none. */
  readonly get: (address: Address) => Effect.Effect<RunnerClient, ConnectFailed>
  /** The connection for messages, if there is one. */
  readonly channel: (address: Address) => MessageChannel | undefined
  /** The same, opened if there is none. */
  readonly openChannel: (address: Address) => Effect.Effect<MessageChannel, ConnectFailed>
  /** Closes the connection, so that the next `get` opens another. The runner is asked last for a while. */
  readonly drop: (address: Address) => Effect.Effect<void>
  /** The same runners, those that lately failed at the end. */
  readonly preferred: (addresses: ReadonlyArray<Address>) => ReadonlyArray<Address>
}

/** How long a runner that failed is asked last. */
const SUSPECT_MILLIS = 5000
const CONNECT_MILLIS_MAX = 2000
/** How often a connection is looked at by which somebody waits for replies. */
const PULSE = Duration.seconds(1)

interface Link {
  readonly client: RunnerClient
  readonly scope: Scope.CloseableScope
  channel: ChannelClient | undefined
}

export const make = (secret: Redacted.Redacted<string>): Effect.Effect<RunnerPool, never, Scope.Scope> =>
  Effect.gen(function*() {
    // Of its own, so that connections made late do not close before those who still use them when all ends.
    const outer = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const links = new Map<string, Link>()
    const dialling = new Map<string, Effect.Semaphore>()
    const suspects = new Map<string, number>()
    const clock = yield* Effect.clock
    const network = yield* Network
    const fork = Runtime.runFork(yield* Effect.runtime())
    const suspect = (key: string): void => void suspects.set(key, Elapsed.unsafeMillis(clock) + SUSPECT_MILLIS)
    const isSuspect = (key: string): boolean => (suspects.get(key) ?? 0) > Elapsed.unsafeMillis(clock)

    const close = (key: string, link: Link): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (links.get(key) === link) links.delete(key)
        return Scope.close(link.scope, Exit.void)
      })

    const open = (address: Address, key: string): Effect.Effect<Link, ConnectFailed> =>
      Effect.gen(function*() {
        const existing = links.get(key)
        if (existing !== undefined) return existing
        const scope = yield* Scope.fork(outer, ExecutionStrategy.sequential)
        const { onClose, protocol } = yield* dial(network, {
          ...address,
          secret,
          purpose: Purpose.rpc,
          timeoutMillis: CONNECT_MILLIS_MAX
        }).pipe(
          Scope.extend(scope),
          Effect.onError(() => {
            suspect(key)
            return Scope.close(scope, Exit.void)
          })
        )
        suspects.delete(key)
        const client = yield* RpcClient.make(Api, { disableTracing: true }).pipe(
          Effect.provideService(RpcClient.Protocol, protocol),
          Scope.extend(scope)
        )
        const link: Link = { client, scope, channel: undefined }
        links.set(key, link)
        onClose(() => fork(close(key, link)))
        return link
      })

    const openChannel = (address: Address, key: string): Effect.Effect<MessageChannel, ConnectFailed> =>
      Effect.gen(function*() {
        const link = yield* open(address, key)
        if (link.channel !== undefined) return link.channel
        const options = { ...address, secret, purpose: Purpose.messages, timeoutMillis: CONNECT_MILLIS_MAX }
        const wire = yield* network.wire(options).pipe(
          Scope.extend(link.scope),
          Effect.onError(() => {
            suspect(key)
            return close(key, link)
          })
        )
        const channel = link.channel = new ChannelClient(wire)
        wire.onClose(() => {
          suspect(key)
          fork(close(key, link))
        })
        yield* Effect.sync(() => channel.isAlive() || channel.fail("the runner does not answer")).pipe(
          Effect.delay(PULSE),
          Effect.forever,
          Effect.forkIn(link.scope)
        )
        return channel
      })

    /** One at a time to each runner. */
    const inTurn = <A, E>(key: string, dialled: Effect.Effect<A, E>): Effect.Effect<A, E> => {
      let turn = dialling.get(key)
      if (turn === undefined) dialling.set(key, turn = Effect.unsafeMakeSemaphore(1))
      return turn.withPermits(1)(dialled)
    }

    return {
      get: (address) =>
        Effect.suspend(() => {
          const key = format(address)
          const link = links.get(key)
          if (link !== undefined) return Effect.succeed(link.client)
          return inTurn(key, Effect.map(open(address, key), ({ client }) => client))
        }),
      channel: (address) => links.get(format(address))?.channel,
      openChannel: (address) =>
        Effect.suspend(() => {
          const key = format(address)
          return inTurn(key, openChannel(address, key))
        }),
      drop: (address) =>
        Effect.suspend(() => {
          const key = format(address)
          const link = links.get(key)
          suspect(key)
          return link === undefined ? Effect.void : close(key, link)
        }),
      preferred: (addresses) => {
        const good = addresses.filter((address) => !isSuspect(format(address)))
        return good.length === addresses.length
          ? addresses
          : [...good, ...addresses.filter((address) => isSuspect(format(address)))]
      }
    }
  })
