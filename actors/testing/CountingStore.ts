/** A zone whose store tells what was read of its pages, and files to fill it with. */
import * as Harness from "#actors/testing/ZoneHarness.ts"
import type { Zone } from "#actors/Zone.ts"
import * as MemoryBlockStore from "#persistence/blocks/MemoryBlockStore.ts"
import * as MemoryJournal from "#persistence/MemoryJournal.ts"
import * as Effect from "effect/Effect"

/** A harness whose store tells what was read of pages. */
export const counting = () => {
  const blocks = MemoryBlockStore.make()
  const read = { bytes: 0, times: 0 }
  const service: typeof blocks.service = {
    ...blocks.service,
    getRange: (key, objectBytes, offset, length) => {
      read.bytes += length
      read.times++
      return blocks.service.getRange(key, objectBytes, offset, length)
    }
  }
  const memory = MemoryJournal.make()
  const snapshot = Effect.unsafeMakeLatch(false)
  const journal: typeof memory = {
    ...memory,
    service: {
      ...memory.service,
      addSnapshot: (record) => Effect.zipLeft(memory.service.addSnapshot(record), snapshot.open)
    }
  }
  return {
    blocks,
    read,
    snapshotTaken: snapshot.await,
    harness: Harness.make({ journal, blocks: { ...blocks, service } })
  }
}

export const nameOf = (index: number): string => `${(Math.imul(index, 0x9e37_79b1) >>> 0).toString(36)}-file`

/** Files with names from all over, several messages of them. */
export const fill = (zone: Zone, from: number, to: number, step = 500) =>
  Effect.gen(function*() {
    const client = new Harness.TestClient(7)
    for (let at = from; at < to; at += step) {
      const calls = Array.from({ length: step }, (_, index) => Harness.create(nameOf(at + index)))
      yield* new Harness.TestClient(client.session + at).send(zone, ...calls)
    }
  })

export const packsOf = ({ objects }: MemoryBlockStore.MemoryBlockStore) =>
  [...objects.keys()].filter((key) => key.startsWith("pages/"))
