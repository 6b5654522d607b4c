/**
 * A simulated object store as one process sees it: it seals what it puts and opens what it gets, as `S3BlockStore` does.
 * Unless it is told to, it asks only once, so that every fault of the store reaches its caller.
 */
import * as BlockStore from "#persistence/blocks/BlockStore.ts"
import * as ObjectKey from "#persistence/blocks/ObjectKey.ts"
import * as SealedObject from "#persistence/blocks/SealedObject.ts"
import { Exchange } from "#simulations/world/Exchange.ts"
import type { ObjectAnswer, ObjectQuestion, ObjectStore } from "#simulations/world/ObjectStore.ts"
import type { Process } from "#simulations/world/Process.ts"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"

/** As those of `S3BlockStore`. */
const ANSWER_MILLIS_MAX = 60_000
const FIRST_WAIT_MILLIS = 50

export interface ObjectStoreClientOptions {
  /** Requests for one thing before its last error stands; `S3BlockStore` makes 5. */
  readonly attemptsMax?: number
  readonly answerMillisMax?: number
}

/** No answer, or not the one that was hoped for. */
type Failure = BlockStore.StoreUnavailable

/** Longer than a screen, because its operations share the exchange; each of them is short. */
export const make = (
  objectStore: ObjectStore,
  process: Process,
  { answerMillisMax = ANSWER_MILLIS_MAX, attemptsMax = 1 }: ObjectStoreClientOptions = {}
): BlockStore.BlockStoreService => {
  const { host, network } = objectStore
  const store = `simulated://${host}`
  const exchange = new Exchange<ObjectQuestion, ObjectAnswer>(network, process, host, {
    purpose: "objects",
    secret: ""
  })

  const unavailable = (operation: string, reason: string, retryable = true): Failure =>
    new BlockStore.StoreUnavailable({ store, operation, reason, retryable })

  const ask = (question: ObjectQuestion): Effect.Effect<ObjectAnswer, Failure> => {
    const operation = `${question.kind} ${question.key}`
    return exchange.ask(question).pipe(
      Effect.mapError(({ reason, refused }) => unavailable(operation, reason, !refused)),
      Effect.timeoutFail({
        duration: answerMillisMax,
        onTimeout: () => unavailable(operation, `no complete answer within ${answerMillisMax} ms`)
      }),
      Effect.filterOrFail(({ kind }) => kind !== "unavailable", () => unavailable(operation, "status 503")),
      Effect.retry({
        schedule: Schedule.jittered(Schedule.exponential(FIRST_WAIT_MILLIS)),
        times: attemptsMax - 1,
        while: ({ retryable }) => retryable
      })
    )
  }

  const corrupt = (key: string) => (reason: string): BlockStore.ObjectCorrupt =>
    new BlockStore.ObjectCorrupt({ key, store, reason })

  const put = (key: string, bytes: Uint8Array): Effect.Effect<void, BlockStore.WriteError> =>
    Effect.flatMap(ask({ kind: "put", key, stored: sealed(bytes) }), ({ kind }) =>
      kind === "full"
        ? new BlockStore.StoreFull({ key, store, reason: "status 507: the quota is used up" })
        : Effect.void)

  const fetch = (question: ObjectQuestion & { readonly kind: "get" }) =>
    Effect.flatMap(ask(question), (answer) =>
      answer.kind === "found"
        ? Effect.succeed(answer)
        : new BlockStore.ObjectMissing({ key: question.key, store }))

  const get = (key: string): Effect.Effect<Uint8Array, BlockStore.ReadError> =>
    Effect.flatMap(
      fetch({ kind: "get", key, ranges: undefined }),
      ({ parts: [stored = new Uint8Array()] }) => Effect.mapError(SealedObject.open(stored), corrupt(key))
    )

  const getRange = (
    key: string,
    objectBytes: number,
    offset: number,
    length: number
  ): Effect.Effect<Uint8Array, BlockStore.ReadError> =>
    Effect.suspend(() => {
      const cover = SealedObject.cover(objectBytes, offset, length)
      const trailer = { start: objectBytes, end: SealedObject.sealedBytes(objectBytes) }
      return Effect.flatMap(fetch({ kind: "get", key, ranges: [cover, trailer] }), ({ parts, storedBytes }) => {
        const [pieces = new Uint8Array(), end = new Uint8Array()] = parts
        const fault = SealedObject.sizeFault(storedBytes, objectBytes) ??
          SealedObject.trailerFault(end, objectBytes) ??
          SealedObject.piecesFault(pieces, cover, end)
        return fault === undefined
          ? Effect.succeed(pieces.subarray(offset - cover.start, offset - cover.start + length))
          : Effect.fail(corrupt(key)(fault))
      })
    })

  const head = (key: string): Effect.Effect<BlockStore.ObjectInfo | undefined, Failure> =>
    Effect.map(
      ask({ kind: "head", key }),
      (answer) => answer.kind === "found" ? { key, bytes: SealedObject.objectBytesOf(answer.storedBytes) } : undefined
    )

  const listPage = (prefix: string, after: string) =>
    Effect.map(ask({ kind: "list", key: prefix, after }), (answer) => {
      const { isLast, objects } = answer.kind === "listed" ? answer : { isLast: true, objects: [] }
      const infos = objects.map(({ key, storedBytes }) => ({ key, bytes: SealedObject.objectBytesOf(storedBytes) }))
      const last = isLast ? undefined : objects.at(-1)?.key
      return [Chunk.unsafeFromArray(infos), Option.fromNullable(last)] as const
    })

  const forKey = <A, E>(key: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.zipRight(ObjectKey.checkKey(key), effect)

  return {
    description: store,
    put: (key, bytes) => forKey(key, Effect.suspend(() => put(key, bytes))),
    get: (key) => forKey(key, get(key)),
    getRange: (key, objectBytes, offset, length) => forKey(key, getRange(key, objectBytes, offset, length)),
    head: (key) => forKey(key, head(key)),
    remove: (key) => forKey(key, Effect.asVoid(ask({ kind: "remove", key }))),
    list: (prefix) =>
      Stream.unwrap(Effect.as(
        ObjectKey.checkPrefix(prefix),
        Stream.paginateChunkEffect("", (after) => listPage(prefix, after))
      ))
  }
}

const sealed = (bytes: Uint8Array): Uint8Array => {
  const stored = new Uint8Array(SealedObject.sealedBytes(bytes.length))
  stored.set(bytes)
  stored.set(SealedObject.seal(bytes), bytes.length)
  return stored
}
