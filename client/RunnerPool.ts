/**
 * A client's connections to runners: one each, opened when first needed, dropped when it breaks.
 */
import { Api } from "#shards/Api.ts"
import * as Elapsed from "#shards/Elapsed.ts"
import { Network } from "#shards/Network.ts"
import { dial } from "#shards/RpcConnection.ts"
import { type Address, type ConnectFailed, format } from "#transport/Connection.ts"
import { Purpose } from "#transport/Handshake.ts"
import * as RpcClient from "@effect/rpc/RpcClient"
import type { RpcClientError } from "@effect/rpc/RpcClientError"
import type * as RpcGroup from "@effect/rpc/RpcGroup"
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
  /** Closes the connection, so that the next `get` opens another. The runner is asked last for a while. */
  readonly drop: (address: Address) => Effect.Effect<void>
  /** The same runners, those that lately failed at the end. */
  readonly preferred: (addresses: ReadonlyArray<Address>) => ReadonlyArray<Address>
}

/** How long a runner that failed is asked last. */
const SUSPECT_MILLIS = 5000
const CONNECT_MILLIS_MAX = 2000

interface Link {
  readonly client: RunnerClient
  readonly scope: Scope.CloseableScope
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

    const open = (address: Address, key: string): Effect.Effect<RunnerClient, ConnectFailed> =>
      Effect.gen(function*() {
        const existing = links.get(key)
        if (existing !== undefined) return existing.client
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
        const link: Link = { client, scope }
        links.set(key, link)
        onClose(() => fork(close(key, link)))
        return client
      })

    return {
      get: (address) =>
        Effect.suspend(() => {
          const key = format(address)
          const link = links.get(key)
          if (link !== undefined) return Effect.succeed(link.client)
          let turn = dialling.get(key)
          if (turn === undefined) dialling.set(key, turn = Effect.unsafeMakeSemaphore(1))
          return turn.withPermits(1)(open(address, key))
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
