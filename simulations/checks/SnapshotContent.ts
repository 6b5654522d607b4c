/** What a recorded snapshot brings back: the digest of the state with all of its pages, read as the product reads them. */
import { digestOf } from "#audit/Verify.ts"
import { BlockStore, type StoreUnavailable } from "#persistence/blocks/BlockStore.ts"
import * as MemoryBlockStore from "#persistence/blocks/MemoryBlockStore.ts"
import type { SnapshotRecord } from "#persistence/Journal.ts"
import { open, type PageLost, type SnapshotLost } from "#persistence/pages/ZonePages.ts"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"

const MEMORY_BYTES = 2 ** 30

export const contentOf = (
  record: SnapshotRecord
): Effect.Effect<Uint8Array, SnapshotLost | PageLost | StoreUnavailable, BlockStore> =>
  Effect.gen(function*() {
    const pages = yield* open(record, MEMORY_BYTES)
    yield* pages.loadAll
    return digestOf(pages.state)
  })

/** The same of objects that lie still, in no time; or why it cannot be had. */
export const contentIn = (
  objects: Map<string, Uint8Array>,
  record: SnapshotRecord
): Either.Either<Uint8Array, string> => {
  const store = MemoryBlockStore.over(objects)
  const exit = Effect.runSyncExit(Effect.provideService(contentOf(record), BlockStore, store))
  return Exit.isSuccess(exit) ? Either.right(exit.value) : Either.left(Cause.pretty(exit.cause))
}
