/**
 * The block store in memory, for tests and simulations: the same sealed form as on disk, and damage on demand.
 * It does not outlive its process.
 */
import * as BlockStore from "#persistence/blocks/BlockStore.ts"
import * as ObjectKey from "#persistence/blocks/ObjectKey.ts"
import * as SealedObject from "#persistence/blocks/SealedObject.ts"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

export interface MemoryBlockStore {
  readonly service: BlockStore.BlockStoreService
  /** The objects in their stored form, to look at and to remove. */
  readonly objects: Map<string, Uint8Array>
  /** Flips one bit of the stored form at this offset. */
  readonly corrupt: (key: string, offset: number) => void
  /** Keeps only the first bytes of the stored form. */
  readonly truncate: (key: string, bytes: number) => void
}

const description = "memory"

export const make = (): MemoryBlockStore => {
  const objects = new Map<string, Uint8Array>()
  const storedOf = (key: string): Uint8Array => {
    const stored = objects.get(key)
    if (stored === undefined) throw new Error(`there is no object ${key} to damage`)
    return stored
  }
  return {
    service: over(objects),
    objects,
    corrupt: (key, offset) => {
      const stored = storedOf(key)
      const byte = stored[offset]
      if (byte === undefined) throw new Error(`object ${key} has ${stored.length} stored bytes, none at ${offset}`)
      stored[offset] = byte ^ 1
    },
    truncate: (key, bytes) => void objects.set(key, storedOf(key).slice(0, bytes))
  }
}

export const layer: Layer.Layer<BlockStore.BlockStore> = Layer.sync(BlockStore.BlockStore, () => make().service)

/** A store of these very objects. */
export const over = (objects: Map<string, Uint8Array>): BlockStore.BlockStoreService => {
  const read = <A>(
    key: string,
    view: (stored: Uint8Array) => Either.Either<A, string>
  ): Effect.Effect<A, BlockStore.ReadError> =>
    Effect.zipRight(
      ObjectKey.checkKey(key),
      Effect.suspend((): Effect.Effect<A, BlockStore.ReadError> => {
        const stored = objects.get(key)
        if (stored === undefined) return Effect.fail(new BlockStore.ObjectMissing({ key, store: description }))
        return Either.mapLeft(
          view(stored),
          (reason) => new BlockStore.ObjectCorrupt({ key, store: description, reason })
        )
      })
    )
  return {
    description,
    put: (key, bytes) =>
      Effect.zipRight(ObjectKey.checkKey(key), Effect.sync(() => void objects.set(key, sealedCopy(bytes)))),
    get: (key) => read(key, (stored) => Either.map(SealedObject.open(stored), (data) => data.slice())),
    getRange: (key, objectBytes, offset, length) =>
      read(key, (stored) => readRange(stored, objectBytes, offset, length)),
    head: (key) => Effect.zipRight(ObjectKey.checkKey(key), Effect.sync(() => infoOf(key, objects.get(key)))),
    remove: (key) => Effect.zipRight(ObjectKey.checkKey(key), Effect.sync(() => void objects.delete(key))),
    list: (prefix) =>
      Stream.unwrap(
        Effect.zipRight(ObjectKey.checkPrefix(prefix), Effect.sync(() => Stream.fromIterable(infosOf(objects, prefix))))
      )
  }
}

const sealedCopy = (bytes: Uint8Array): Uint8Array => {
  const stored = new Uint8Array(SealedObject.sealedBytes(bytes.length))
  stored.set(bytes)
  stored.set(SealedObject.seal(bytes), bytes.length)
  return stored
}

const readRange = (
  stored: Uint8Array,
  objectBytes: number,
  offset: number,
  length: number
): Either.Either<Uint8Array, string> => {
  const cover = SealedObject.cover(objectBytes, offset, length)
  const trailer = stored.subarray(objectBytes)
  const fault = SealedObject.sizeFault(stored.length, objectBytes) ??
    SealedObject.trailerFault(trailer, objectBytes) ??
    SealedObject.piecesFault(stored.subarray(cover.start, cover.end), cover, trailer)
  return fault === undefined ? Either.right(stored.slice(offset, offset + length)) : Either.left(fault)
}

const infoOf = (key: string, stored: Uint8Array | undefined): BlockStore.ObjectInfo | undefined =>
  stored === undefined ? undefined : { key, bytes: SealedObject.objectBytesOf(stored.length) }

function* infosOf(objects: Map<string, Uint8Array>, prefix: string): Generator<BlockStore.ObjectInfo> {
  for (const key of [...objects.keys()].filter((key) => key.startsWith(prefix)).sort()) {
    const info = infoOf(key, objects.get(key))
    if (info !== undefined) yield info
  }
}
