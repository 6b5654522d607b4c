/**
 * Fetches the bytes of extents, in order, some blocks ahead, through bounded memory. Small files that share a
 * block are served from one fetch of it.
 */
import type { ClientService } from "#client/Client.ts"
import { DataError } from "#client/ClientError.ts"
import { dataError } from "#client/FileWriter.ts"
import { type BlockRange, rangesOf } from "#client/SliceData.ts"
import type { Extent } from "#domain/Extents.ts"
import { Limits } from "#domain/Limits.ts"
import type { BlockError } from "#transport/BlockTransport.ts"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Blocks of one file that are fetched ahead of its reader. */
const BLOCKS_AHEAD = 4
/** Whole blocks kept for files that share them; 64 MiB. */
const SHARED_BLOCKS_MAX = 16

export interface FileReader {
  /** An extent's bytes, in pieces of a block at most. */
  readonly stream: (extent: Extent) => Stream.Stream<Uint8Array, DataError>
  /** A small extent's bytes at once: for files that share their slice with others. */
  readonly readShared: (extent: Extent) => Effect.Effect<Uint8Array, DataError>
}

export const make = (client: ClientService): FileReader => {
  const shared = new Map<string, Deferred.Deferred<Uint8Array, BlockError>>()

  const fetch = ({ blockBytes, key, length, offset }: BlockRange) =>
    Effect.mapError(client.blocks.fetch(key, blockBytes, offset, length), dataError)

  /** The whole block, fetched once however many ask. The least recently used one goes. */
  const whole = ({ blockBytes, key }: BlockRange) =>
    Effect.gen(function*() {
      const known = shared.get(key)
      if (known !== undefined) {
        shared.delete(key)
        shared.set(key, known)
        return yield* Deferred.await(known)
      }
      const arriving = yield* Deferred.make<Uint8Array, BlockError>()
      shared.set(key, arriving)
      if (shared.size > SHARED_BLOCKS_MAX) shared.delete(shared.keys().next().value as string)
      const result = yield* Effect.exit(client.blocks.fetch(key, blockBytes, 0, blockBytes))
      if (result._tag === "Failure" && shared.get(key) === arriving) shared.delete(key)
      yield* Deferred.done(arriving, result)
      return yield* result
    }).pipe(Effect.mapError(dataError))

  return {
    stream: (extent) =>
      Stream.fromIterable(rangesOf(extent)).pipe(Stream.mapEffect(fetch, { concurrency: BLOCKS_AHEAD })),
    readShared: (extent) =>
      Effect.gen(function*() {
        const [range, ...rest] = rangesOf(extent)
        if (range === undefined || rest.length > 0) {
          return yield* new DataError({ path: "", reason: "a small extent spans blocks", damaged: true })
        }
        if (range.length === range.blockBytes || range.blockBytes > Limits.blockBytesMax) return yield* fetch(range)
        const block = yield* whole(range)
        return block.subarray(range.offset, range.offset + range.length)
      })
  }
}
