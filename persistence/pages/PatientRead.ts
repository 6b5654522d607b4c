/**
 * Reads of a zone's objects that a store may refuse for a moment, or for ever. What it refuses again and again while it
 * serves others of the zone is as good as lost (`ObjectRefused`); a store that serves nothing is away, and comes back.
 */
import type { BlockStoreService, ReadError } from "#persistence/blocks/BlockStore.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/** Reads of one thing: stores may be away for a moment, and bits may turn on their way. */
const READS_MAX = 6
const READING_MAX = Duration.seconds(5)
const READ_AGAIN = Schedule.exponential(Duration.millis(20), 2).pipe(
  Schedule.intersect(Schedule.recurs(READS_MAX - 1)),
  Schedule.upTo(READING_MAX)
)
/** Rounds of such reads before an object counts as refused; in each of them the store has served another one. */
const ROUNDS_MAX = 4
const ROUND_AGAIN = Schedule.exponential(Duration.millis(500), 2).pipe(
  Schedule.intersect(Schedule.recurs(ROUNDS_MAX - 1))
)
/** Objects that are asked for to see whether the store serves any. */
const OTHERS_MAX = 3

/** The store does not give this object, though it gives others. */
export class ObjectRefused extends Schema.TaggedError<ObjectRefused>()("ObjectRefused", {
  key: Schema.String,
  store: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `object ${this.key} in ${this.store} was refused in ${ROUNDS_MAX} rounds while others were served: ` +
      this.reason
  }
}

/** What cannot be had, or is broken on its way, may be whole the next time. */
export const retrying = <A>(read: Effect.Effect<A, ReadError>): Effect.Effect<A, ReadError> =>
  Effect.retry(read, { schedule: READ_AGAIN, while: ({ _tag }) => _tag !== "ObjectMissing" })

/** The same with more patience, of the object `key`; those in `folders` tell whether the store serves others. */
export const patiently = <A>(
  store: BlockStoreService,
  key: string,
  folders: ReadonlyArray<string>,
  read: Effect.Effect<A, ReadError>
): Effect.Effect<A, ReadError | ObjectRefused> =>
  retrying(read).pipe(
    Effect.catchTag("StoreUnavailable", (error) =>
      Effect.flatMap(servesOthers(store, key, folders), (serves) =>
        Effect.fail(
          serves ? new ObjectRefused({ key, store: store.description, reason: error.message }) : error
        ))),
    Effect.retry({
      schedule: ROUND_AGAIN,
      while: ({ _tag }) =>
        _tag === "ObjectRefused"
    })
  )

const servesOthers = (
  store: BlockStoreService,
  key: string,
  folders: ReadonlyArray<string>
): Effect.Effect<boolean> =>
  Stream.fromIterable(folders).pipe(
    Stream.flatMap((folder) => store.list(folder)),
    Stream.filter((other) => other.key !== key && other.bytes > 0),
    Stream.take(OTHERS_MAX),
    Stream.mapEffect((other) => Effect.isSuccess(store.getRange(other.key, other.bytes, 0, 1))),
    Stream.filter((isServed) => isServed),
    Stream.runHead,
    Effect.map(Option.isSome),
    // Not even its list: it is away.
    Effect.catchAll(() => Effect.succeed(false))
  )
