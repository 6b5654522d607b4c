import { contract, Damage } from "#persistence/blocks/BlockStore.contract.ts"
import * as BlockStore from "#persistence/blocks/BlockStore.ts"
import * as MemoryBlockStore from "#persistence/blocks/MemoryBlockStore.ts"
import { it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expect } from "vitest"

contract(
  "the block store in memory",
  Layer.syncContext(() => {
    const memory = MemoryBlockStore.make()
    return Context.make(BlockStore.BlockStore, memory.service).pipe(Context.add(Damage, {
      corrupt: (key, offset) => Effect.sync(() => memory.corrupt(key, offset)),
      truncate: (key, bytes) => Effect.sync(() => memory.truncate(key, bytes))
    }))
  })
)

it.effect("each layer is a store of its own, empty at first", () =>
  Effect.gen(function*() {
    const put = Effect.flatMap(BlockStore.BlockStore, (store) => store.put("a", new Uint8Array(1)))
    yield* Effect.provide(put, MemoryBlockStore.layer)
    const head = Effect.flatMap(BlockStore.BlockStore, (store) => store.head("a"))
    expect(yield* Effect.provide(head, MemoryBlockStore.layer)).toBeUndefined()
  }))

it.effect("an object taken out of its map is missing", () =>
  Effect.gen(function*() {
    const memory = MemoryBlockStore.make()
    yield* memory.service.put("a", new Uint8Array(1))
    memory.objects.delete("a")
    expect((yield* Effect.flip(memory.service.get("a")))._tag).toBe("ObjectMissing")
  }))
