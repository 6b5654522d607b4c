/**
 * A client's way to blocks: any runner that answers. A block has one name and never changes, so the same request
 * may go to another runner when the first one does not answer.
 */
import { Network } from "#shards/Network.ts"
import type { BlockError, BlockTransport } from "#transport/BlockTransport.ts"
import { type Address, format } from "#transport/Connection.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"

export interface BlocksOptions {
  readonly runners: () => ReadonlyArray<Address>
  readonly secret: Redacted.Redacted<string>
  readonly retryFor: Duration.Duration
}

export const make = ({ retryFor, runners, secret }: BlocksOptions): Effect.Effect<BlockTransport, never, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const network = yield* Network
    const transports = new Map<string, BlockTransport>()
    /** The runner that answered last; the next one is tried when it does not. */
    let current = 0

    const transport = Effect.suspend(() => {
      const known = runners()
      const address = known[current % known.length] as Address
      const key = format(address)
      const existing = transports.get(key)
      if (existing !== undefined) return Effect.succeed(existing)
      return Effect.map(Scope.extend(network.blocks({ ...address, secret }), scope), (made) => {
        const raced = transports.get(key)
        if (raced !== undefined) return raced
        transports.set(key, made)
        return made
      })
    })

    const policy = Schedule.exponential(Duration.millis(50), 2).pipe(
      Schedule.union(Schedule.spaced(Duration.seconds(1))),
      Schedule.jittered,
      Schedule.upTo(retryFor)
    )
    const persist = <A>(use: (blocks: BlockTransport) => Effect.Effect<A, BlockError>): Effect.Effect<A, BlockError> =>
      Effect.suspend(() => {
        const tried = current
        return Effect.flatMap(transport, use).pipe(
          Effect.tapErrorTag("BlockError", ({ kind }) =>
            Effect.sync(() => {
              if (kind === "unavailable" && current === tried) current++
            }))
        )
      }).pipe(Effect.retry({ schedule: policy, while: ({ kind }) => kind === "unavailable" }))

    return {
      fetch: (key, blockBytes, offset, length) => persist((blocks) => blocks.fetch(key, blockBytes, offset, length)),
      store: (key, bytes) => persist((blocks) => blocks.store(key, bytes))
    }
  })
