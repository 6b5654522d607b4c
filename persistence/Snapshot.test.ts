import { bytesOf, expectSame } from "#persistence/blocks/BlockStore.contract.ts"
import { BlockStore, StoreFull, StoreUnavailable } from "#persistence/blocks/BlockStore.ts"
import * as MemoryBlockStore from "#persistence/blocks/MemoryBlockStore.ts"
import type { ChainHead } from "#persistence/Chain.ts"
import { Journal, type JournalService, JournalUnavailable } from "#persistence/Journal.ts"
import * as MemoryJournal from "#persistence/MemoryJournal.ts"
import * as Snapshot from "#persistence/Snapshot.ts"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expect } from "vitest"

const ZONE = 5
const MIB = 1024 * 1024

const POOL = bytesOf(2 * Snapshot.PART_BYTES + MIB)
/** Bytes of a state; those of another variant differ. */
const stateOf = (bytes: number, variant = 0): Uint8Array => POOL.subarray(variant, variant + bytes)
/** Two parts. */
const SEVERAL = Snapshot.PART_BYTES + 100_001

const makeWorld = () => ({ store: MemoryBlockStore.make(), journal: MemoryJournal.make().service })

type World = ReturnType<typeof makeWorld>

const inWorld =
  ({ journal, store }: World) => <A, E>(effect: Effect.Effect<A, E, BlockStore | Journal>): Effect.Effect<A, E> =>
    effect.pipe(Effect.provideService(BlockStore, store.service), Effect.provideService(Journal, journal))

const headAt = (sequence: number): ChainHead => ({ sequence, hash: new Uint8Array(32).fill(sequence) })

/** An image of the bytes, gathered from runs that are overwritten as soon as they were taken. */
const imageOf = (bytes: Uint8Array, runBytes = 70_001): Snapshot.Image => {
  const builder = new Snapshot.ImageBuilder()
  const run = new Uint8Array(runBytes)
  for (let at = 0; at < bytes.length; at += runBytes) {
    const piece = bytes.subarray(at, at + runBytes)
    run.set(piece)
    builder.add(run.subarray(0, piece.length))
    run.fill(0)
  }
  return builder.finish()
}

const save = (world: World, sequence: number, bytes: Uint8Array) =>
  inWorld(world)(Snapshot.save(ZONE, headAt(sequence), imageOf(bytes)))

const keysOf = ({ store }: World): Array<string> => [...store.objects.keys()].sort()

const sequencesOf = ({ journal }: World) =>
  Effect.map(journal.snapshots(ZONE), (records) => records.map(({ head }) => head.sequence))

describe("an image", () => {
  it("is in full parts but for the last, whatever runs it came in", () => {
    const bytes = stateOf(2 * Snapshot.PART_BYTES + 12_345)
    const digest = imageOf(bytes).digest
    for (const runBytes of [Snapshot.PART_BYTES, bytes.length]) {
      const image = imageOf(bytes, runBytes)
      expect(image.parts.map(({ length }) => length)).toEqual([Snapshot.PART_BYTES, Snapshot.PART_BYTES, 12_345])
      expectSame(Buffer.concat(image.parts), bytes)
      expect(image.bytes).toBe(bytes.length)
      expect(image.digest).toEqual(digest)
    }
  })

  it("that fills its parts has no empty one after them, and one of nothing has none", () => {
    expect(imageOf(stateOf(2 * Snapshot.PART_BYTES)).parts).toHaveLength(2)
    expect(imageOf(new Uint8Array(0))).toMatchObject({ parts: [], bytes: 0 })
  })

  it("of which only the digest is wanted keeps no bytes", () => {
    const bytes = stateOf(100_000)
    const builder = new Snapshot.ImageBuilder(false)
    builder.add(bytes.subarray(0, 40_000))
    builder.add(bytes.subarray(40_000))
    expect(builder.finish()).toEqual({ parts: [], bytes: 100_000, digest: imageOf(bytes).digest })
  })
})

describe("a snapshot", () => {
  for (const bytes of [0, 1, Snapshot.PART_BYTES, 2 * Snapshot.PART_BYTES + 1]) {
    it.effect(`gives back ${bytes} bytes as they were saved, by its record in the journal`, () =>
      Effect.gen(function*() {
        const world = makeWorld()
        const image = stateOf(bytes)
        const record = yield* save(world, 7, image)
        expect(record).toMatchObject({
          zone: ZONE,
          head: headAt(7),
          bytes,
          parts: Math.ceil(bytes / Snapshot.PART_BYTES)
        })
        expect(yield* world.journal.snapshots(ZONE)).toEqual([record])
        expectSame(yield* inWorld(world)(Snapshot.load(record)), image)
      }))
  }

  it.effect("is one of two: the third and older are forgotten with their objects", () =>
    Effect.gen(function*() {
      const world = makeWorld()
      const states = [SEVERAL, 1, MIB, SEVERAL].map(stateOf)
      for (const [index, state] of states.entries()) yield* save(world, (index + 1) * 100, state)
      expect(yield* sequencesOf(world)).toEqual([400, 300])
      const [newest, older] = yield* world.journal.snapshots(ZONE)
      expectSame(yield* inWorld(world)(Snapshot.load(newest!)), states[3]!)
      expectSame(yield* inWorld(world)(Snapshot.load(older!)), states[2]!)
      expect(keysOf(world)).toEqual([
        "snapshots/5/0000000000000300/0",
        "snapshots/5/0000000000000400/0",
        "snapshots/5/0000000000000400/1"
      ])
    }))

  it.effect("of another zone is left alone", () =>
    Effect.gen(function*() {
      const world = makeWorld()
      const other = yield* inWorld(world)(Snapshot.save(ZONE + 1, headAt(1), imageOf(stateOf(10))))
      for (const sequence of [1, 2, 3]) yield* save(world, sequence, stateOf(20))
      expect(yield* world.journal.snapshots(ZONE + 1)).toEqual([other])
      expectSame(yield* inWorld(world)(Snapshot.load(other)), stateOf(10))
    }))

  it.effect("with a flipped bit in any part, or a part cut short, is refused", () =>
    Effect.gen(function*() {
      const world = makeWorld()
      const { store } = world
      const record = yield* save(world, 1, stateOf(SEVERAL))
      const load = Effect.flip(inWorld(world)(Snapshot.load(record)))
      for (const part of [0, 1]) {
        const key = Snapshot.keyOf(ZONE, 1, part)
        const whole = store.objects.get(key)!.slice()
        store.corrupt(key, 77_777)
        expect(yield* load).toMatchObject({ _tag: "ObjectCorrupt", key })
        store.objects.set(key, whole.slice())
        store.truncate(key, 50_000)
        expect(yield* load).toMatchObject({ _tag: "ObjectCorrupt", key })
        store.objects.set(key, whole)
      }
      yield* inWorld(world)(Snapshot.load(record))
    }))

  it.effect("without one of its parts is refused", () =>
    Effect.gen(function*() {
      const world = makeWorld()
      const record = yield* save(world, 1, stateOf(SEVERAL))
      const key = Snapshot.keyOf(ZONE, 1, 1)
      yield* world.store.service.remove(key)
      expect(yield* Effect.flip(inWorld(world)(Snapshot.load(record)))).toMatchObject({ _tag: "ObjectMissing", key })
    }))

  it.effect("whose parts are good objects but not what was saved is refused", () =>
    Effect.gen(function*() {
      const world = makeWorld()
      const { service } = world.store
      const record = yield* save(world, 1, stateOf(SEVERAL))
      const load = inWorld(world)(Snapshot.load(record))
      const [first, second] = [Snapshot.keyOf(ZONE, 1, 0), Snapshot.keyOf(ZONE, 1, 1)]
      const [a, b] = [yield* service.get(first), yield* service.get(second)]
      yield* service.put(first, b)
      yield* service.put(second, a)
      expect(yield* Effect.flip(load)).toMatchObject({
        _tag: "ObjectCorrupt",
        key: "snapshots/5/1",
        reason: "its parts do not give the digest that was recorded"
      })
      yield* service.put(first, a.with(0, a[0]! ^ 1))
      yield* service.put(second, b)
      expect((yield* Effect.flip(load))._tag).toBe("ObjectCorrupt")
      yield* service.put(first, a)
      yield* load
    }))

  it.effect("that was cut off before its record is none: the older ones stay, and it can be saved again", () =>
    Effect.gen(function*() {
      const world = makeWorld()
      const states = [stateOf(MIB), stateOf(MIB, 1), stateOf(SEVERAL, 2)]
      yield* save(world, 1, states[0]!)
      yield* save(world, 2, states[1]!)
      const crash: JournalService = {
        ...world.journal,
        addSnapshot: () =>
          Effect.fail(new JournalUnavailable({ operation: "record", reason: "a crash", uncertain: true }))
      }
      const error = yield* Effect.flip(save({ ...world, journal: crash }, 3, states[2]!))
      expect(error).toMatchObject({ _tag: "JournalUnavailable", reason: "a crash" })
      const records = yield* world.journal.snapshots(ZONE)
      expect(records.map(({ head }) => head.sequence)).toEqual([2, 1])
      for (const [index, record] of records.toReversed().entries()) {
        expectSame(yield* inWorld(world)(Snapshot.load(record)), states[index]!)
      }
      const record = yield* save(world, 3, states[2]!)
      expect(yield* sequencesOf(world)).toEqual([3, 2])
      expectSame(yield* inWorld(world)(Snapshot.load(record)), states[2]!)
    }))

  it.effect("whose parts cannot all be stored gets no record", () =>
    Effect.gen(function*() {
      const world = makeWorld()
      const { service } = world.store
      const full = {
        ...world.store,
        service: {
          ...service,
          put: (key: string, bytes: Uint8Array) =>
            key.endsWith("/1")
              ? Effect.fail(new StoreFull({ key, store: "memory", reason: "for the test" }))
              : service.put(key, bytes)
        }
      }
      expect((yield* Effect.flip(save({ ...world, store: full }, 1, stateOf(SEVERAL))))._tag).toBe("StoreFull")
      expect(yield* sequencesOf(world)).toEqual([])
    }))

  it.effect("that was being forgotten when its objects would not go has no record any more", () =>
    Effect.gen(function*() {
      const world = makeWorld()
      for (const sequence of [1, 2]) yield* save(world, sequence, stateOf(10))
      const { service } = world.store
      const unreachable = { store: "memory", operation: "remove", reason: "for the test", retryable: true }
      const stuck = {
        ...world.store,
        service: { ...service, remove: () => Effect.fail(new StoreUnavailable(unreachable)) }
      }
      // The new one counts, although the old one's objects stay.
      yield* save({ ...world, store: stuck }, 3, stateOf(10))
      expect(yield* sequencesOf(world)).toEqual([3, 2])
      for (const record of yield* world.journal.snapshots(ZONE)) yield* inWorld(world)(Snapshot.load(record))
    }))
})
