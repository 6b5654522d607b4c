import type * as Archiver from "#actors/Archiver.ts"
import * as Harness from "#actors/testing/ZoneHarness.ts"
import type { Zone } from "#actors/Zone.ts"
import * as ArchivedJournal from "#persistence/ArchivedJournal.ts"
import { BlockStore, StoreFull } from "#persistence/blocks/BlockStore.ts"
import * as MemoryBlockStore from "#persistence/blocks/MemoryBlockStore.ts"
import * as Chain from "#persistence/Chain.ts"
import { Journal, type JournalService } from "#persistence/Journal.ts"
import * as MemoryJournal from "#persistence/MemoryJournal.ts"
import { it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { describe, expect } from "vitest"

const { create, TestClient, ZONE } = Harness
const ROWS = 4
const GONE: Archiver.ArchiveConfig = { segmentBytes: 2 ** 20, segmentRows: ROWS, retention: Duration.zero }
const KEPT: Archiver.ArchiveConfig = { ...GONE, retention: undefined }

/** A zone's host whose journal reads across both, as a runner's does. */
const makeHost = (refuse: () => boolean = () => false) =>
  Effect.gen(function*() {
    const memory = MemoryJournal.make()
    const made = MemoryBlockStore.make()
    const blocks = {
      ...made,
      service: {
        ...made.service,
        put: (key: string, bytes: Uint8Array) =>
          refuse() && key.startsWith("journal/")
            ? Effect.fail(new StoreFull({ key, store: "test", reason: "no room" }))
            : made.service.put(key, bytes)
      }
    }
    const service: JournalService = yield* ArchivedJournal.make.pipe(
      Effect.provideService(Journal, memory.service),
      Effect.provideService(BlockStore, blocks.service)
    )
    return { memory, blocks, service, harness: Harness.make({ blocks, journal: { ...memory, service } }) }
  })

const soon = Schedule.spaced(Duration.millis(5))

const work = (zone: Zone, count: number, name = "f") =>
  Effect.gen(function*() {
    const client = new TestClient(7)
    for (let index = 0; index < count; index++) yield* client.send(zone, create(`${name}${index}`))
  })

const archivedTo = ({ service }: MemoryJournal.MemoryJournal) =>
  Effect.map(service.segmentAt(ZONE, Number.MAX_SAFE_INTEGER), (last) => last?.head.sequence ?? 0)

/** Until so many rows at most are left that are not archived. */
const untilArchived = (memory: MemoryJournal.MemoryJournal) =>
  Effect.repeat(archivedTo(memory), {
    until: (end) => memory.rows(ZONE).filter(({ first }) => first > end).length < ROWS,
    schedule: soon
  })

const whole = (service: JournalService) =>
  Effect.gen(function*() {
    let head = Chain.START
    while (true) {
      const rows = yield* service.read(ZONE, head.sequence, 3, 2 ** 20)
      if (rows.length === 0) return head
      for (const row of rows) {
        expect(Chain.problemOf(head, row)).toBeUndefined()
        head = Chain.headOf(row)
      }
    }
  })

describe("a zone's archiver", () => {
  it.scopedLive("seals each full run of rows and leaves the rest, and rows stay by default", () =>
    Effect.gen(function*() {
      const { blocks, harness, memory } = yield* makeHost()
      const zone = yield* harness.start({ archive: KEPT })
      yield* work(zone, 20)
      yield* untilArchived(memory)
      const rows = memory.rows(ZONE)
      expect(rows[0]?.first).toBe(1)
      const segments = Math.floor(rows.length / ROWS)
      expect([...blocks.objects.keys()].filter((key) => key.startsWith("journal/"))).toHaveLength(segments)
      expect(yield* archivedTo(memory)).toBe(rows[segments * ROWS - 1]?.last)
    }))

  it.scopedLive("seals by bytes, too", () =>
    Effect.gen(function*() {
      const { harness, memory } = yield* makeHost()
      const zone = yield* harness.start({ archive: { segmentBytes: 60, segmentRows: 1_000_000, retention: undefined } })
      yield* work(zone, 20)
      yield* Effect.repeat(archivedTo(memory), { until: (end) => end > 0, schedule: soon })
      const record = yield* memory.service.segmentAt(ZONE, 1)
      const payloads = memory.rows(ZONE).slice(0, record?.rows).map(({ payload }) => payload.length)
      const total = payloads.reduce((sum, bytes) => sum + bytes, 0)
      expect(total).toBeGreaterThanOrEqual(60)
      expect(total - (payloads.at(-1) ?? 0)).toBeLessThan(60)
    }))

  it.scopedLive("lets rows go once a snapshot is behind them; the zone comes back, without it, too", () =>
    Effect.gen(function*() {
      const { blocks, harness, memory, service } = yield* makeHost()
      const first = yield* Scope.make()
      const zone = yield* Scope.extend(harness.start({ archive: GONE, snapshotEvents: 10 }), first)
      yield* work(zone, 30)
      const { digest } = yield* zone.report(true)
      yield* Scope.close(first, Exit.void)
      // It may have been stopped in the midst: the next life goes on.
      const second = yield* Scope.make()
      yield* (yield* Scope.extend(harness.start({ archive: GONE }), second)).ready
      yield* Effect.repeat(Effect.sync(() => memory.rows(ZONE)), {
        until: (rows) => (rows[0]?.first ?? 0) > 1,
        schedule: soon
      })
      expect((yield* whole(service)).sequence).toBe((yield* memory.service.head(ZONE)).sequence)
      yield* Scope.close(second, Exit.void)
      for (const key of blocks.objects.keys()) if (key.startsWith("manifests/")) blocks.truncate(key, 3)
      const third = yield* harness.start({ archive: KEPT })
      yield* third.ready
      expect((yield* third.report(true)).digest).toEqual(digest)
    }))

  it.scopedLive("that is one of two archives the same once", () =>
    Effect.gen(function*() {
      const { harness, memory, service } = yield* makeHost()
      const stale = yield* harness.start({ archive: GONE })
      yield* work(stale, 10)
      const owner = yield* harness.start({ archive: GONE })
      yield* work(owner, 20, "g")
      yield* untilArchived(memory)
      expect((yield* whole(service)).sequence).toBe((yield* memory.service.head(ZONE)).sequence)
    }))

  it.scopedLive("that finds no room drops nothing, and goes on when there is some", () =>
    Effect.gen(function*() {
      let full = true
      const { harness, memory, service } = yield* makeHost(() => full)
      const zone = yield* harness.start({ archive: GONE, snapshotEvents: 5 })
      yield* work(zone, 20)
      expect(memory.rows(ZONE)[0]?.first).toBe(1)
      expect(yield* archivedTo(memory)).toBe(0)
      full = false
      yield* untilArchived(memory)
      expect((yield* whole(service)).sequence).toBe((yield* memory.service.head(ZONE)).sequence)
    }))

  it.scopedLive("does not let a zone come back over a segment that is gone, and names it", () =>
    Effect.gen(function*() {
      const { blocks, harness, memory } = yield* makeHost()
      const first = yield* Scope.make()
      const zone = yield* Scope.extend(harness.start({ archive: GONE, snapshotEvents: 10 }), first)
      yield* work(zone, 30)
      yield* Effect.repeat(Effect.sync(() => memory.rows(ZONE)), {
        until: (rows) => (rows[0]?.first ?? 0) > 1,
        schedule: soon
      })
      yield* Scope.close(first, Exit.void)
      blocks.objects.clear()
      const again = yield* harness.start({ archive: KEPT })
      const error = yield* Effect.flip(again.ready)
      expect(error).toMatchObject({ _tag: "ZoneDamaged", zone: ZONE, sequence: 1 })
      expect(error.message).toContain(`journal/${ZONE}/`)
    }))
})
