import * as PastZones from "#actors/PastZones.ts"
import { create, type Harness, make, replyOf, ROOT, TestClient, ZONE } from "#actors/testing/ZoneHarness.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { Errno } from "#domain/Errno.ts"
import { BlockStore } from "#persistence/blocks/BlockStore.ts"
import { Journal } from "#persistence/Journal.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect } from "vitest"

const pastOf = ({ blocks, journal }: Harness) =>
  PastZones.make.pipe(
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
})
