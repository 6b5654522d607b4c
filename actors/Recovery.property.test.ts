import { recover } from "#actors/Recovery.ts"
import * as Batch from "#domain/Batch.ts"
import * as BatchCodec from "#domain/codec/BatchCodec.ts"
import { Traffic } from "#domain/testing/Traffic.ts"
import { bytesOf } from "#domain/testing/World.ts"
import { BlockStore } from "#persistence/blocks/BlockStore.ts"
import * as MemoryBlockStore from "#persistence/blocks/MemoryBlockStore.ts"
import * as Chain from "#persistence/Chain.ts"
import { Journal } from "#persistence/Journal.ts"
import * as MemoryJournal from "#persistence/MemoryJournal.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describe, expect } from "vitest"

const SEEDS = 4
const COMMANDS = 400

/** What was committed in some traffic, as rows of a journal, and what it led to. */
const trafficOf = (seed: number) => {
  const traffic = new Traffic(seed)
  traffic.run(COMMANDS)
  let head = Chain.START
  const rows = traffic.world.journal.map(({ payload, time }): Chain.JournalRow => {
    const events = Batch.eventCount(BatchCodec.decode(payload, time))
    const row = {
      zone: 0,
      first: head.sequence + 1,
      last: head.sequence + events,
      epoch: 1,
      time,
      codec: BatchCodec.VERSION,
      payload,
      previous: head.hash
    }
    const hashed = { ...row, hash: Chain.hashOf(row) }
    head = Chain.headOf(hashed)
    return hashed
  })
  return { rows, bytes: bytesOf(traffic.world.live) }
}

describe("recovery", () => {
  it.live(
    "leads to the same state whatever is in memory, from rows alone and from snapshots",
    () =>
      Effect.gen(function*() {
        let snapshots = 0
        for (let seed = 1; seed <= SEEDS; seed++) {
          const { bytes, rows } = trafficOf(seed)
          const journal = MemoryJournal.make()
          const blocks = MemoryBlockStore.make()
          // Each life knows some rows more than the one before it.
          for (const until of [rows.length >> 1, rows.length - 3, rows.length, rows.length]) {
            const known = journal.rows(0)
            known.push(...rows.slice(known.length, until))
            const claim = yield* journal.service.claim(0, "test")
            const { head, pages, snapshots: own } = yield* recover(0, claim, {
              memoryBytes: 2048,
              deflatesPages: seed % 2 === 0,
              snapshots: Effect.unsafeMakeSemaphore(1)
            }).pipe(
              Effect.provideService(BlockStore, blocks.service),
              Effect.provideService(Journal, journal.service)
            )
            expect(head.sequence).toBe(rows[until - 1]?.last)
            yield* own.begin(head).write
            pages.state.pages.evict(0)
            yield* pages.loadAll
            if (until === rows.length) expect(Buffer.compare(bytesOf(pages.state), bytes)).toBe(0)
            snapshots += (yield* journal.service.snapshots(0)).length
          }
        }
        expect(snapshots).toBeGreaterThan(SEEDS)
      }),
    60_000
  )
})
