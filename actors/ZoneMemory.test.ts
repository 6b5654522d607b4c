import { counting, fill, nameOf, packsOf } from "#actors/testing/CountingStore.ts"
import * as Harness from "#actors/testing/ZoneHarness.ts"
import * as MemoryBlockStore from "#persistence/blocks/MemoryBlockStore.ts"
import * as MemoryJournal from "#persistence/MemoryJournal.ts"
import { it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { describe, expect } from "vitest"

const { replyOf, ROOT, TestClient, ZONE } = Harness

const lookup = (zone: Parameters<typeof Harness.names>[0], index: number) =>
  Effect.map(
    new TestClient(1).send(zone, ["lookup", { parent: ROOT, name: nameOf(index) }]),
    ([outcome]) => replyOf("lookup", outcome).attributes.inode
  )

describe("a zone whose pages are in the store", () => {
  it.scopedLive("comes back and answers before it has read more than a few of them", () =>
    Effect.gen(function*() {
      const { harness, read, snapshotTaken } = counting()
      yield* Effect.scoped(Effect.gen(function*() {
        const zone = yield* harness.start({ snapshotEvents: 19_000 })
        yield* fill(zone, 0, 20_000)
        yield* snapshotTaken
      }))
      const zone = yield* harness.start()
      expect(yield* lookup(zone, 12_345)).toBeGreaterThan(ROOT)
      // A page of each level on the way to a name and to an inode, whatever the zone's size.
      const { times } = read
      expect(times).toBeLessThan(16)
      yield* zone.report(true)
      expect(read.times).toBeGreaterThan(times)
      expect((yield* zone.report(false)).inodes).toBe(20_001)
    }))

  it.scopedLive("answers the same with a memory far smaller than what it knows", () =>
    Effect.gen(function*() {
      const small = counting()
      const digest = yield* Effect.scoped(Effect.gen(function*() {
        const zone = yield* small.harness.start({ memoryBytes: 16 * 1024 })
        for (let round = 0; round < 20; round++) {
          yield* fill(zone, 100 * round, 100 * (round + 1), 100)
          expect(yield* lookup(zone, 50 * round)).toBeGreaterThan(ROOT)
        }
        return (yield* zone.report(true)).digest
      }))
      expect(small.read.bytes).toBeGreaterThan(16 * 1024)
      const rows = MemoryJournal.make()
      rows.rows(ZONE).push(...small.harness.journal.rows(ZONE))
      const large = yield* Harness.make({ journal: rows, blocks: MemoryBlockStore.make() }).start()
      expect((yield* large.report(true)).digest).toEqual(digest)
    }))

  it.scopedLive("takes snapshots on a long way back, if its memory is small", () =>
    Effect.gen(function*() {
      const { harness } = counting()
      const before = yield* Effect.scoped(Effect.gen(function*() {
        const zone = yield* harness.start()
        yield* fill(zone, 0, 3000, 10)
        return yield* zone.report(true)
      }))
      expect(yield* harness.journal.service.snapshots(ZONE)).toEqual([])
      const zone = yield* harness.start({ memoryBytes: 16 * 1024 })
      expect((yield* zone.report(true)).digest).toEqual(before.digest)
      expect(yield* harness.journal.service.snapshots(ZONE)).not.toEqual([])
    }))

  it.scoped("gives its memory back once nobody has asked for anything for a while", () =>
    Effect.gen(function*() {
      const { harness, read } = counting()
      const zone = yield* harness.start({ idle: Duration.seconds(60), sessionLease: Duration.hours(10) })
      yield* fill(zone, 0, 2000)
      yield* TestClock.adjust(Duration.seconds(30))
      yield* lookup(zone, 3)
      yield* TestClock.adjust(Duration.seconds(59))
      expect(yield* harness.journal.service.snapshots(ZONE)).toEqual([])
      yield* TestClock.adjust(Duration.seconds(120))
      expect(yield* harness.journal.service.snapshots(ZONE)).toHaveLength(1)
      expect(read.bytes).toBe(0)
      const inode = yield* lookup(zone, 3)
      const bytes = read.bytes
      expect(bytes).toBeGreaterThan(0)
      expect(yield* lookup(zone, 3)).toBe(inode)
      expect(read.bytes).toBe(bytes)
      // Nothing has changed: there is no other one.
      yield* TestClock.adjust(Duration.seconds(300))
      expect(yield* harness.journal.service.snapshots(ZONE)).toHaveLength(1)
    }))

  it.scoped("falls asleep if no client has a session in it, and wakes under another epoch with all it had", () =>
    Effect.gen(function*() {
      const { harness } = counting()
      const zone = yield* harness.start({ idle: Duration.seconds(60), sessionLease: Duration.seconds(100) })
      yield* fill(zone, 0, 500)
      yield* TestClock.adjust(Duration.seconds(90))
      const first = yield* zone.ready
      // Its snapshot was taken, but the session that filled it is there.
      expect(yield* harness.journal.service.snapshots(ZONE)).toHaveLength(1)
      yield* TestClock.adjust(Duration.seconds(400))
      const reader = new TestClient(0)
      const stale = reader.message(first, ["lookup", { parent: ROOT, name: nameOf(3) }])
      expect(yield* Effect.flip(Harness.submit(zone, stale))).toMatchObject({ _tag: "StaleEpoch", epoch: first + 1 })
      const [found] = yield* reader.send(zone, ["lookup", { parent: ROOT, name: nameOf(3) }])
      expect(replyOf("lookup", found).attributes.inode).toBeGreaterThan(ROOT)
      expect((yield* zone.report(false)).inodes).toBe(501)
      yield* TestClock.adjust(Duration.seconds(130))
      expect(yield* zone.ready).toBe(first + 2)
      // Whoever lives in it keeps it awake.
      yield* fill(zone, 500, 1000)
      for (let turn = 0; turn < 10; turn++) {
        yield* TestClock.adjust(Duration.seconds(50))
        yield* zone.touch(507)
      }
      expect(yield* zone.ready).toBe(first + 2)
    }))

  it.scopedLive("that finds one of them lost comes back without the snapshots that need it", () =>
    Effect.gen(function*() {
      const { blocks, harness, snapshotTaken } = counting()
      yield* Effect.scoped(Effect.gen(function*() {
        const zone = yield* harness.start({ snapshotEvents: 500 })
        yield* fill(zone, 0, 1000)
        yield* snapshotTaken
      }))
      for (const key of packsOf(blocks)) blocks.objects.delete(key)
      const zone = yield* harness.start()
      const found = lookup(zone, 3).pipe(Effect.retry({ times: 5 }))
      expect(yield* found).toBeGreaterThan(ROOT)
      expect(yield* harness.journal.service.snapshots(ZONE)).toEqual([])
      expect((yield* zone.report(false)).inodes).toBe(1001)
    }))

  it.scopedLive("takes its turns at snapshots with the others of its runner, and works while it waits", () =>
    Effect.gen(function*() {
      const snapshots = yield* Effect.makeSemaphore(1)
      const open = yield* Effect.makeLatch(false)
      let writing = 0
      let most = 0
      /** A zone whose store writes nothing of a snapshot before it may. */
      const slow = Effect.gen(function*() {
        const { blocks, harness, snapshotTaken } = counting()
        const began = yield* Effect.makeLatch(false)
        const put: typeof blocks.service.put = (key, bytes) =>
          Effect.gen(function*() {
            most = Math.max(most, ++writing)
            yield* began.open
            yield* open.await
            yield* blocks.service.put(key, bytes)
            writing--
          })
        const service = { ...blocks.service, put }
        const { start } = Harness.make({ journal: harness.journal, blocks: { ...blocks, service } })
        const zone = yield* start({ snapshotEvents: 100, snapshots })
        return { began, harness, snapshotTaken, zone }
      })
      const zones = yield* Effect.all([slow, slow, slow])
      for (const { zone } of zones) yield* fill(zone, 0, 1000)
      yield* Effect.raceAll(zones.map(({ began }) => began.await))
      for (const { zone } of zones) {
        yield* fill(zone, 1000, 1500)
        expect(yield* lookup(zone, 1200)).toBeGreaterThan(ROOT)
      }
      expect(most).toBe(1)
      yield* open.open
      for (const { harness, snapshotTaken, zone } of zones) {
        yield* snapshotTaken
        expect(yield* harness.journal.service.snapshots(ZONE)).not.toEqual([])
        expect((yield* zone.report(false)).inodes).toBe(1501)
      }
    }))

  it.scopedLive("lists a large directory with a few reads for each page of the listing", () =>
    Effect.gen(function*() {
      const { harness, read, snapshotTaken } = counting()
      const first = yield* Scope.make()
      const filled = yield* Scope.extend(harness.start({ snapshotEvents: 19_000 }), first)
      yield* fill(filled, 0, 20_000, 2000)
      yield* snapshotTaken
      yield* Scope.close(first, Exit.void)
      for (const plus of [false, true]) {
        const zone = yield* harness.start({ memoryBytes: 2 ** 16 })
        yield* zone.ready
        const client = new TestClient(1)
        const seen = new Set<string>()
        read.times = 0
        for (let end = false, after = ""; !end;) {
          const [outcome] = yield* client.send(zone, ["readDirectory", {
            inode: ROOT,
            handle: 0,
            after,
            count: 8192,
            plus
          }])
          const page = replyOf("readDirectory", outcome)
          for (const { name } of page.entries) seen.add(name)
          after = page.entries.at(-1)?.name ?? ""
          end = page.end
        }
        expect(seen.size).toBe(20_000)
        expect(read.times).toBeGreaterThan(2)
        expect(read.times).toBeLessThan(60)
      }
    }))
})
