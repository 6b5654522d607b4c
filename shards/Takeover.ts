/**
 * What a takeover in time asks of the cluster's storage: shards that others hold are taken as soon as they are free, and
 * nobody waits for an answer of a runner that is gone. Who may take what is the storage's affair.
 */
import * as Elapsed from "#shards/Elapsed.ts"
import type { Address } from "#transport/Connection.ts"
import type { PersistenceError } from "@effect/cluster/ClusterError"
import type { RunnerAddress } from "@effect/cluster/RunnerAddress"
import { RunnerStorage } from "@effect/cluster/RunnerStorage"
import type { ShardId } from "@effect/cluster/ShardId"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"

/** How often it is looked whether shards are free. */
const LOOK_INTERVAL = Duration.millis(50)

export interface WatchfulOptions {
  /** How long shards that were free first wait for the others: each round of the cluster's has a pause of a second. */
  readonly gathering: Duration.Duration
  /** Told of each runner that is not there or not well, whenever the runners are listed. */
  readonly onGone: (runner: Address) => Effect.Effect<void>
}

/**
 * A storage that answers an `acquire` only when it has some shards. The cluster gives it up after a while, sees to its
 * other work, and asks again; an answer of none would cost it a second. What was asked of the database when it was
 * given up is answered the next time.
 */
export const watchful = (
  storage: RunnerStorage["Type"],
  { gathering, onGone }: WatchfulOptions
): Effect.Effect<RunnerStorage["Type"], never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const taken = new Map<string, ShardId>()
    /** When what is taken need not wait for more, in milliseconds. */
    let until = Number.POSITIVE_INFINITY
    let asking: Fiber.Fiber<void, PersistenceError> | undefined

    const ask = (address: RunnerAddress, wanted: ReadonlyArray<ShardId>) =>
      Effect.gen(function*() {
        asking ??= yield* Effect.gen(function*() {
          const shards = yield* storage.acquire(address, wanted)
          if (shards.length > 0 && taken.size === 0) until = (yield* Elapsed.millis) + Duration.toMillis(gathering)
          for (const shard of shards) taken.set(shard.toString(), shard)
        }).pipe(
          Effect.ensuring(Effect.sync(() => {
            asking = undefined
          })),
          Effect.interruptible,
          Effect.forkIn(scope)
        )
        yield* Fiber.join(asking)
      })

    return RunnerStorage.of({
      ...storage,
      getRunners: Effect.tap(storage.getRunners, (runners) =>
        Effect.forEach(runners, ([{ address }, healthy]) => (healthy ? Effect.void : onGone(address)), {
          discard: true
        })),
      acquire: (address, ids) =>
        Effect.gen(function*() {
          const all = Array.from(ids)
          for (;;) {
            const wanted = all.filter((id) =>
              !taken.has(id.toString())
            )
            if (taken.size > 0 && (wanted.length === 0 || (yield* Elapsed.millis) >= until)) {
              const shards = [...taken.values()]
              taken.clear()
              return shards
            }
            yield* ask(address, wanted)
            if (taken.size < all.length) yield* Effect.sleep(LOOK_INTERVAL)
          }
        })
    })
  })

/** Tells those who are connected to a runner that it is gone. */
export class Departures {
  private readonly expected = new Map<string, Deferred.Deferred<void>>()

  /** Returns when the runner is gone. */
  of(runner: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      let departure = this.expected.get(runner)
      if (departure === undefined) this.expected.set(runner, departure = Deferred.unsafeMake(FiberId.none))
      return Deferred.await(departure)
    })
  }

  tell(runner: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const departure = this.expected.get(runner)
      this.expected.delete(runner)
      return departure === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(departure, undefined))
    })
  }
}
