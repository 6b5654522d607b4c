/**
 * A runner's blocks for clients: the block store behind the block transport. Clients reach blocks of file data
 * and nothing else of the store.
 */
import { BlockStore, type ReadError, type WriteError } from "#persistence/blocks/BlockStore.ts"
import { BlockError, type BlockTransport } from "#transport/BlockTransport.ts"
import * as Effect from "effect/Effect"

/** Blocks of file data: `blocks/<spread>/<slice>_<index>_<bytes>`. */
const KEY = /^blocks\/[0-9a-f]{2}\/[0-9]{1,16}_[0-9]{1,4}_[0-9]{1,7}$/

export const make: Effect.Effect<BlockTransport, never, BlockStore> = Effect.map(BlockStore, (store) => ({
  fetch: (key, blockBytes, offset, length) =>
    KEY.test(key)
      ? Effect.mapError(store.getRange(key, blockBytes, offset, length), (error) => translate(key, error))
      : Effect.fail(notABlock(key)),
  store: (key, bytes) =>
    KEY.test(key)
      ? Effect.mapError(store.put(key, bytes), (error) => translate(key, error))
      : Effect.fail(notABlock(key))
}))

const notABlock = (key: string): BlockError =>
  new BlockError({ kind: "refused", key, reason: "not the name of a block" })

const translate = (key: string, error: ReadError | WriteError): BlockError => {
  const reason = error.message
  switch (error._tag) {
    case "ObjectMissing":
      return new BlockError({ kind: "missing", key, reason })
    case "ObjectCorrupt":
      return new BlockError({ kind: "corrupt", key, reason })
    case "StoreFull":
      return new BlockError({ kind: "full", key, reason })
    case "StoreUnavailable":
      return new BlockError({ kind: error.retryable ? "unavailable" : "refused", key, reason })
  }
}
