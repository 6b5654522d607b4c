import * as PastZones from "#actors/PastZones.ts"
import { counting, fill, nameOf, packsOf } from "#actors/testing/CountingStore.ts"
import { create, type Harness, make, replyOf, ROOT, TestClient, ZONE } from "#actors/testing/ZoneHarness.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { Errno } from "#domain/Errno.ts"
import { BlockStore } from "#persistence/blocks/BlockStore.ts"
import { Journal } from "#persistence/Journal.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect } from "vitest"

const pastOf = ({ blocks, journal }: Harness, memoryBytes = 2 ** 20) =>
  PastZones.make(memoryBytes).pipe(
    Effect.provideService(Journal, journal.service),
    Effect.provideService(BlockStore, blocks.service)
  )

const listing = ["readDirectory", { inode: ROOT, handle: 0, after: "", count: 100, plus: false }] as const

/** The names in the root at an event. */
const namesAt = (past: PastZones.PastZones, sequence: number) =>
  Effect.gen(function*() {
    const client = new TestClient(1)
    const bytes = yield* past.submit(ZONE, sequence, client.message(0, listing))
    const [outcome] = MessageCodec.decodeReplies(bytes, client.commands)
    return replyOf("readDirectory", outcome).entries.map(({ name }) => name)
  })

/** The inode of a name, or the errno. */
const inodeAt = (past: PastZones.PastZones, sequence: number, name: string) =>
  Effect.gen(function*() {
    const client = new TestClient(1)
    const bytes = yield* past.submit(ZONE, sequence, client.message(0, ["lookup", { parent: ROOT, name }]))
    const [outcome] = MessageCodec.decodeReplies(bytes, client.commands)
    return outcome?.errno === 0 ? replyOf("lookup", outcome).attributes.inode : outcome?.errno
  })

const sequenceOf = ({ journal }: Harness) => Effect.map(journal.service.head(ZONE), ({ sequence }) => sequence)

describe("a zone's past", () => {
  it.scoped("is read at any event, from a snapshot of the state or from the first event on, while the zone goes on", () =>
    Effect.gen(function*() {
      const harness = make()
      const zone = yield* harness.start({ snapshotEvents: 3 })
      const client = new TestClient(7)
      const moments: Array<number> = []
      for (const name of ["a", "b", "c", "d", "e", "f"]) {
        yield* client.send(zone, create(name))
        moments.push(yield* sequenceOf(harness))
      }
      const past = yield* pastOf(harness)
      const all = yield* Effect.forEach(moments, (moment) => namesAt(past, moment))
      expect(all.map((names) => names.join(""))).toEqual(["a", "ab", "abc", "abcd", "abcde", "abcdef"])
    }))

  it.scoped("in the midst of a row is that after the command which the event belongs to", () =>
    Effect.gen(function*() {
      const harness = make()
      const zone = yield* harness.start()
      const client = new TestClient(7)
      yield* client.send(zone, create("a"))
      const before = yield* sequenceOf(harness)
      // Two events each: made, and opened.
      yield* client.send(zone, create("b", 1), create("c", 1))
      const past = yield* pastOf(harness)
      expect(yield* namesAt(past, before + 1)).toEqual(["a", "b"])
      expect(yield* namesAt(past, before + 2)).toEqual(["a", "b"])
      expect(yield* namesAt(past, before + 3)).toEqual(["a", "b", "c"])
    }))

  it.scoped("is never changed", () =>
    Effect.gen(function*() {
      const harness = make()
      const zone = yield* harness.start()
      yield* new TestClient(7).send(zone, create("a"))
      const moment = yield* sequenceOf(harness)
      const past = yield* pastOf(harness)
      const client = new TestClient(8)
      const bytes = yield* past.submit(ZONE, moment, client.message(0, create("b"), listing))
      const [changed, read] = MessageCodec.decodeReplies(bytes, client.commands)
      expect(changed?.errno).toBe(Errno.EROFS)
      expect(replyOf("readDirectory", read).entries.map(({ name }) => name)).toEqual(["a"])
      expect(yield* sequenceOf(harness)).toBe(moment)
    }))

  it.scoped("that has not come, and bytes that are no message, are refused", () =>
    Effect.gen(function*() {
      const harness = make()
      const zone = yield* harness.start()
      yield* new TestClient(7).send(zone, create("a"))
      const past = yield* pastOf(harness)
      const refused = yield* Effect.flip(namesAt(past, (yield* sequenceOf(harness)) + 1))
      expect([refused._tag, refused.message]).toEqual(["BadMessage", expect.stringMatching(/events 1 to 3/)])
      expect((yield* Effect.flip(past.submit(ZONE, 1, new Uint8Array([9]))))._tag).toBe("BadMessage")
    }))

  it.scoped("is recovered once for all who ask together, and again for those who ask after a failure", () =>
    Effect.gen(function*() {
      const harness = make()
      const zone = yield* harness.start()
      yield* new TestClient(7).send(zone, create("a"))
      const moment = yield* sequenceOf(harness)
      let reads = 0
      let broken = true
      const { service } = harness.journal
      const journal: typeof service = {
        ...service,
        read: (...args) =>
          Effect.suspend(() => {
            reads++
            return broken ? Effect.zipRight(Effect.yieldNow(), Effect.die("gone")) : service.read(...args)
          })
      }
      const past = yield* pastOf({ ...harness, journal: { ...harness.journal, service: journal } })
      expect((yield* Effect.exit(namesAt(past, moment)))._tag).toBe("Failure")
      broken = false
      const asked = yield* Effect.forEach([1, 2, 3], () => Effect.fork(namesAt(past, moment)))
      expect(yield* Fiber.join(Fiber.all(asked))).toEqual([["a"], ["a"], ["a"]])
      expect(reads).toBe(2)
    }))

  it.scopedLive("costs the pages that are asked for, whatever the zone's size", () =>
    Effect.gen(function*() {
      const { harness, read, snapshotTaken } = counting()
      const zone = yield* harness.start({ snapshotEvents: 19_000 })
      yield* fill(zone, 0, 20_000)
      yield* snapshotTaken
      const [stored] = yield* harness.journal.service.snapshots(ZONE)
      yield* new TestClient(2).send(zone, create("behind"))
      const moment = yield* sequenceOf(harness)
      yield* new TestClient(3).send(zone, create("too late"))
      expect(moment).toBeGreaterThan(stored!.head.sequence)
      const past = yield* pastOf(harness)
      read.times = 0
      for (const name of [nameOf(12_345), nameOf(19_999), "behind"]) {
        expect(yield* inodeAt(past, moment, name)).toBeGreaterThan(ROOT)
      }
      expect(yield* inodeAt(past, moment, "too late")).toBe(Errno.ENOENT)
      expect(read.times).toBeGreaterThan(0)
      expect(read.times).toBeLessThan(24)
    }))

  it.scopedLive("keeps to its memory, and reads again what went", () =>
    Effect.gen(function*() {
      const { harness, read, snapshotTaken } = counting()
      const zone = yield* harness.start({ snapshotEvents: 19_000 })
      yield* fill(zone, 0, 20_000)
      yield* snapshotTaken
      const moment = yield* sequenceOf(harness)
      const readsOf = (memoryBytes: number) =>
        Effect.gen(function*() {
          const past = yield* pastOf(harness, memoryBytes)
          read.bytes = 0
          for (let round = 0; round < 3; round++) {
            for (let index = round; index < 20_000; index += 499) {
              expect(yield* inodeAt(past, moment, nameOf(index))).toBeGreaterThan(ROOT)
            }
          }
          return read.bytes
        })
      const ample = yield* readsOf(2 ** 26)
      expect(yield* readsOf(2 ** 17)).toBeGreaterThan(2 * ample)
    }))

  it.scopedLive("stays readable when the snapshot that it was read from goes, in part or with its record", () =>
    Effect.gen(function*() {
      for (const isCollected of [false, true]) {
        const { blocks, harness, snapshotTaken } = counting()
        const zone = yield* harness.start({ snapshotEvents: 500 })
        yield* fill(zone, 0, 1000)
        yield* snapshotTaken
        const moment = yield* sequenceOf(harness)
        const past = yield* pastOf(harness)
        const before = yield* inodeAt(past, moment, nameOf(3))
        expect(before).toBeGreaterThan(ROOT)
        const records = yield* harness.journal.service.snapshots(ZONE)
        expect(records).not.toEqual([])
        for (const { head } of isCollected ? records : []) {
          yield* harness.journal.service.removeSnapshot(ZONE, head.sequence)
        }
        for (const key of packsOf(blocks)) blocks.objects.delete(key)
        const inodes = yield* Effect.forEach(
          Array.from({ length: 1000 }, (_, index) => nameOf(index)),
          (name) => inodeAt(past, moment, name),
          { concurrency: 8 }
        )
        expect(new Set(inodes).size).toBe(1000)
        expect(inodes[3]).toBe(before)
      }
    }))
})
