import { type BlockStoreService, StoreUnavailable } from "#persistence/blocks/BlockStore.ts"
import { JournalUnavailable } from "#persistence/Journal.ts"
import { PagedZone, ZONE } from "#persistence/PagedZone.testing.ts"
import * as Manifest from "#persistence/pages/Manifest.ts"
import * as PagePack from "#persistence/pages/PagePack.ts"
import { type PageLost, readManifest } from "#persistence/pages/ZonePages.ts"
import * as Snapshot from "#persistence/Snapshot.ts"
import { describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { expect } from "vitest"

/** A zone of so many changes. */
const changed = (seed: number, changes: number, memoryBytes?: number) =>
  Effect.gen(function*() {
    const zone = new PagedZone(seed, memoryBytes)
    yield* zone.found
    yield* zone.change(changes)
    return zone
  })

const keysOf = ({ blocks }: PagedZone, folder: string): ReadonlyArray<string> =>
  [...blocks.objects.keys()].filter((key) => key.startsWith(folder)).sort()

const bytesIn = ({ blocks }: PagedZone): number => {
  let bytes = 0
  for (const { length } of blocks.objects.values()) bytes += length
  return bytes
}

/** What pages there are in each form, and which are plain though they could be smaller: of those that are in use. */
const formsIn = (zone: PagedZone) =>
  Effect.gen(function*() {
    const { pages, pages: { table } } = zone
    const forms = { plain: 0, deflated: 0, large: 0 }
    for (const pack of table.packs.keys()) {
      const bytes = yield* zone.store.get(pages.keyOf(pack))
      const reader = new PagePack.PackReader(bytes)
      for (let at = 0; at < bytes.length; at = reader.end) {
        expect(reader.read(at)).toBeUndefined()
        if (reader.kind === PagePack.CHUNK_KIND || !table.isAt(reader.page, pack, at, reader.crc)) continue
        expect(reader.unpack()).toBeUndefined()
        if (reader.form === PagePack.Form.deflated) forms.deflated++
        else forms.plain++
        if (reader.form === PagePack.Form.plain && PagePack.deflate(reader.bytes) !== undefined) forms.large++
      }
    }
    return forms
  })

const recordsOf = ({ memoryJournal }: PagedZone) => memoryJournal.snapshots(ZONE)

const sequencesOf = (zone: PagedZone) =>
  Effect.map(recordsOf(zone), (records) => records.map(({ head }) => head.sequence))

/** Each snapshot that is recorded is the state of its event. */
const expectGood = (zone: PagedZone) =>
  Effect.gen(function*() {
    for (const record of yield* recordsOf(zone)) {
      expect(yield* zone.digestIn(record)).toBe(zone.digestAt(record.head.sequence))
    }
  })

/** All packs that are stored are part of some snapshot. */
const expectNothingElse = (zone: PagedZone) =>
  Effect.gen(function*() {
    const listed = new Set<string>()
    for (const record of yield* recordsOf(zone)) {
      const { table } = yield* zone.within(readManifest(record))
      for (const { epoch, number } of table.packs.values()) listed.add(PagePack.keyOf(ZONE, number, epoch))
    }
    expect(keysOf(zone, "pages/")).toEqual([...listed].toSorted())
  })

const unavailable = new StoreUnavailable({
  store: "memory",
  operation: "any",
  reason: "for the test",
  retryable: false
})

/** Fails the call of this number of all that change the store, until it is `mended`. */
const failing = (inner: BlockStoreService, number: number): BlockStoreService & { mended: boolean } => {
  let calls = 0
  const next = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E | StoreUnavailable> =>
    Effect.suspend((): Effect.Effect<A, E | StoreUnavailable> =>
      calls++ === number && !service.mended ? Effect.fail(unavailable) : call
    )
  const service = {
    ...inner,
    mended: false,
    put: (key: string, bytes: Uint8Array) => next(inner.put(key, bytes)),
    remove: (key: string) => next(inner.remove(key))
  }
  return service
}

/** Refuses to read one object, or all of them, while all others are there. */
const refusing = (inner: BlockStoreService, isRefused: (key: string) => boolean) => {
  const asked = new Map<string, number>()
  const read = <A, E>(key: string, call: Effect.Effect<A, E>): Effect.Effect<A, E | StoreUnavailable> =>
    Effect.suspend((): Effect.Effect<A, E | StoreUnavailable> => {
      if (!isRefused(key)) return call
      asked.set(key, (asked.get(key) ?? 0) + 1)
      return Effect.fail(unavailable)
    })
  const store: BlockStoreService = {
    ...inner,
    get: (key) => read(key, inner.get(key)),
    getRange: (key, ...range) => read(key, inner.getRange(key, ...range))
  }
  return { asked, store }
}

/** Runs what waits and tries again, and the clock with it. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust(Duration.minutes(1))
    return yield* Fiber.join(fiber)
  })

describe("a snapshot of pages", () => {
  it.effect("brings the zone back with all its pages absent, to the last byte", () =>
    Effect.gen(function*() {
      const zone = yield* changed(1, 3000)
      const record = yield* zone.take
      expect(record).toMatchObject({ zone: ZONE, epoch: 1, head: zone.head })
      expect(yield* recordsOf(zone)).toEqual([record])
      const before = yield* zone.digest
      yield* zone.reopen(record)
      expect(zone.pages.state.pages.absent).toBe(zone.pages.state.pages.count)
      expect(yield* zone.digest).toBe(before)
      yield* zone.change(500)
      expect(yield* zone.digest).toBe(zone.digestAt(Number.MAX_SAFE_INTEGER))
    }))

  it.effect("writes what changed since the last one, and little else", () =>
    Effect.gen(function*() {
      const zone = yield* changed(2, 9000)
      yield* zone.take
      const whole = bytesIn(zone)
      yield* zone.change(3)
      const before = bytesIn(zone)
      yield* zone.take
      expect(bytesIn(zone) - before).toBeLessThan(whole / 4)
      yield* expectGood(zone)
    }))

  it.effect("has cold pages deflated if it is to, and is the same state in less room, whoever reads it", () =>
    Effect.gen(function*() {
      const zone = yield* changed(26, 9000)
      yield* zone.take
      const plain = yield* formsIn(zone)
      expect(plain.deflated).toBe(0)
      const other = new PagedZone(26, undefined, true)
      yield* other.found
      yield* other.change(9000)
      const record = yield* other.take
      const forms = yield* formsIn(other)
      expect(forms).toEqual({ plain: plain.plain - plain.large, deflated: plain.large, large: 0 })
      expect(forms.deflated).toBeGreaterThan(forms.plain / 2)
      expect(bytesIn(other)).toBeLessThan(bytesIn(zone) * 0.9)
      expect(yield* other.digest).toBe(yield* zone.digest)
      other.deflatesPages = false
      yield* other.reopen(record)
      yield* other.change(100)
      yield* other.take
      expect((yield* formsIn(other)).large).toBeGreaterThan(0)
      yield* expectGood(other)
    }))

  it.effect("has pages that change while it is taken as they are, so that the change need not wait", () =>
    Effect.gen(function*() {
      const busy = yield* changed(27, 9000)
      const taking = busy.snapshots.begin(busy.head)
      yield* busy.change(6000)
      yield* taking.write
      const quiet = yield* changed(27, 9000)
      yield* quiet.take
      expect((yield* formsIn(quiet)).large).toBe(0)
      const { deflated, large } = yield* formsIn(busy)
      expect(large).toBeGreaterThan(3 * deflated)
      yield* expectGood(busy)
    }))

  it.effect("deflates pages that were stored as they are when it clears out their packs", () =>
    Effect.gen(function*() {
      const zone = yield* changed(28, 9000)
      const record = yield* zone.take
      const before = yield* formsIn(zone)
      zone.deflatesPages = true
      yield* zone.reopen(record)
      yield* zone.change(60)
      yield* zone.take
      expect((yield* formsIn(zone)).large).toBeGreaterThan(before.large / 4)
      for (let round = 0; round < 40; round++) {
        yield* zone.change(60)
        yield* zone.take
      }
      expect((yield* formsIn(zone)).large).toBe(0)
      yield* expectGood(zone)
      yield* expectNothingElse(zone)
    }), 20_000)

  it.effect("is of the moment when it began, whatever the zone does meanwhile", () =>
    Effect.gen(function*() {
      const zone = yield* changed(3, 4000)
      for (let round = 0; round < 6; round++) {
        const { sequence } = zone.head
        const expected = yield* zone.digest
        const taking = zone.snapshots.begin(zone.head)
        const writing = yield* Effect.fork(taking.write)
        for (let batch = 0; batch < 5; batch++) {
          yield* zone.change(150)
          yield* taking.room
          yield* Effect.yieldNow()
        }
        const record = yield* Fiber.join(writing)
        expect(record.head.sequence).toBe(sequence)
        expect(yield* zone.digestIn(record)).toBe(expected)
      }
      expect(yield* zone.digest).toBe(zone.digestAt(Number.MAX_SAFE_INTEGER))
    }))

  it.effect(
    "is one of few: what only those need that are not kept goes with them",
    () =>
      Effect.gen(function*() {
        const zone = yield* changed(4, 800)
        for (let round = 0; round < 24; round++) {
          yield* zone.take
          // Packs of older activations go as those of this one.
          if (round % 9 === 8) yield* zone.reopen((yield* recordsOf(zone))[0]!)
          yield* zone.change(400)
        }
        const records = yield* recordsOf(zone)
        expect(records).toHaveLength(16)
        expect(keysOf(zone, "manifests/")).toEqual(records.map(Manifest.keyOf).toSorted())
        yield* expectGood(zone)
        yield* expectNothingElse(zone)
        // Sparse packs are rewritten, or all of them would still hold something.
        const packs = [...zone.pages.table.packs.values()].filter(({ live }) => live > 0)
        const live = packs.reduce((sum, pack) => sum + pack.live, 0)
        const stored = packs.reduce((sum, pack) => sum + pack.bytes, 0)
        expect(stored).toBeLessThan(4 * live)
      }),
    20_000
  )

  it.effect(
    "that was the last before a point got its name is kept for as long as that has it",
    () =>
      Effect.gen(function*() {
        const zone = yield* changed(23, 600)
        const sequences: Array<number> = []
        for (let round = 0; round < 40; round++) {
          sequences.push((yield* zone.take).head.sequence)
          if (round === 2 || round === 3) yield* zone.name(`point ${round}`)
          yield* zone.change(60)
        }
        // Near the beginning the ladder has gaps.
        expect(yield* sequencesOf(zone)).toEqual(expect.arrayContaining([sequences[2], sequences[3]]))
        yield* zone.forget("point 2")
        yield* zone.forget("point 3")
        for (let round = 0; round < 40; round++) {
          yield* zone.take
          yield* zone.change(60)
        }
        const kept = yield* sequencesOf(zone)
        expect(kept.includes(sequences[2]!) && kept.includes(sequences[3]!)).toBe(false)
        expect(kept).toHaveLength(16)
        yield* expectGood(zone)
        yield* expectNothingElse(zone)
      }),
    20_000
  )

  it.effect("whose manifest is gone goes when the next one is taken, and holds up no other", () =>
    Effect.gen(function*() {
      const zone = yield* changed(24, 600)
      for (let round = 0; round < 6; round++) {
        yield* zone.take
        yield* zone.change(60)
      }
      const [newest, , third] = yield* recordsOf(zone)
      yield* zone.store.remove(Manifest.keyOf(third!))
      yield* zone.reopen(newest!)
      yield* zone.change(60)
      yield* zone.take
      const kept = yield* recordsOf(zone)
      expect(kept).toHaveLength(6)
      expect(kept).not.toContain(third)
      yield* expectGood(zone)
      yield* expectNothingElse(zone)
    }))

  it.effect(
    "that fails at any call to the store leaves the one before, and the next one is good",
    () =>
      Effect.gen(function*() {
        let failures = 0
        for (let call = 0; call < 20; call++) {
          const zone = yield* changed(5, 1500)
          yield* zone.take
          yield* zone.change(400)
          yield* zone.take
          yield* zone.change(400)
          const [newest] = yield* sequencesOf(zone)
          const store = failing(zone.blocks.service, call)
          zone.store = store
          yield* zone.reopen((yield* recordsOf(zone))[0]!)
          yield* zone.change(100)
          const failed = yield* Effect.either(zone.take)
          if (failed._tag === "Left") {
            failures++
            expect((yield* sequencesOf(zone))[0]).toBe(newest)
          }
          yield* expectGood(zone)
          store.mended = true
          yield* zone.change(100)
          yield* zone.take
          yield* expectGood(zone)
          expect(yield* zone.digest).toBe(zone.digestAt(Number.MAX_SAFE_INTEGER))
        }
        // Pages, chunks and manifest are one object each; what is removed after that is no failure.
        expect(failures).toBe(3)
      }),
    60_000
  )

  it.effect("whose record is refused, or may be there, harms no other", () =>
    Effect.gen(function*() {
      for (const isThere of [false, true]) {
        const zone = yield* changed(6, 1500)
        yield* zone.take
        yield* zone.change(300)
        zone.journal = {
          ...zone.memoryJournal,
          addSnapshot: (record) =>
            Effect.zipRight(
              isThere ? zone.memoryJournal.addSnapshot(record) : Effect.void,
              Effect.fail(new JournalUnavailable({ operation: "record", reason: "a crash", uncertain: true }))
            )
        }
        yield* zone.reopen((yield* recordsOf(zone))[0]!)
        yield* zone.change(50)
        expect((yield* Effect.flip(zone.take))._tag).toBe("JournalUnavailable")
        yield* expectGood(zone)
        zone.journal = zone.memoryJournal
        yield* zone.reopen((yield* recordsOf(zone))[0]!)
        yield* zone.change(50)
        yield* zone.take
        yield* expectGood(zone)
        expect(yield* sequencesOf(zone)).toHaveLength(isThere ? 3 : 2)
      }
    }))

  it.effect("of a stale owner is not recorded, and the next owner removes what it left", () =>
    Effect.gen(function*() {
      const zone = yield* changed(7, 1500)
      const record = yield* zone.take
      const stale = zone.snapshots
      yield* zone.change(300)
      const taking = stale.begin(zone.head)
      yield* zone.reopen(record)
      expect((yield* Effect.flip(taking.write))._tag).toBe("Fenced")
      expect(yield* recordsOf(zone)).toEqual([record])
      expect(keysOf(zone, "pages/").filter((key) => key.endsWith("-1")).length).toBeGreaterThan(2)
      yield* zone.change(50)
      yield* zone.take
      const { packs } = zone.pages.table
      expect(keysOf(zone, "pages/")).toEqual([...packs.keys()].map((pack) => zone.pages.keyOf(pack)).sort())
      expect(keysOf(zone, "manifests/")).toHaveLength(2)
      yield* expectGood(zone)
    }))

  it.effect("that is the first of an owner removes what whole-state snapshots of earlier builds left", () =>
    Effect.gen(function*() {
      const zone = yield* changed(25, 100)
      const others = [`snapshots/${ZONE}1/0000000000000009/0`, "snapshots-of-others"]
      for (const key of [...others, `snapshots/${ZONE}/0000000000000009/0`, `snapshots/${ZONE}/9`]) {
        yield* zone.store.put(key, new Uint8Array(3))
      }
      yield* zone.take
      expect(keysOf(zone, "snapshots")).toEqual(others.toSorted())
    }))

  it.live("keeps its manifest to what was recorded", () =>
    Effect.gen(function*() {
      const zone = yield* changed(8, 500)
      const record = yield* zone.take
      const key = Manifest.keyOf(record)
      const whole = yield* zone.store.get(key)
      const open = Effect.flip(zone.digestIn(record))
      yield* zone.store.put(key, whole.with(9, whole[9]! ^ 1))
      expect(yield* open).toMatchObject({ _tag: "SnapshotLost", damaged: true })
      yield* zone.store.put(key, whole)
      zone.blocks.truncate(key, 40)
      expect(yield* open).toMatchObject({ _tag: "SnapshotLost", damaged: true })
      yield* zone.store.remove(key)
      expect(yield* open).toMatchObject({ _tag: "SnapshotLost", damaged: true })
      yield* zone.store.put(key, whole)
      const other = { ...record, head: { ...record.head, sequence: 1 } }
      yield* zone.store.put(Manifest.keyOf(other), whole)
      expect((yield* Effect.flip(zone.digestIn(other))).message).toContain(`it is of zone 5 at event`)
    }))

  it.live(
    "of which a page cannot be read tells which, and is given up with all others that need it",
    () =>
      Effect.gen(function*() {
        const zone = yield* changed(9, 3000)
        const older = yield* zone.take
        const good = new Map([...zone.blocks.objects].map(([key, bytes]) => [key, bytes.slice()]))
        yield* zone.change(100)
        const newer = yield* zone.take
        const added = keysOf(zone, "pages/").filter((key) => !good.has(key))
        expect(added).toHaveLength(2)
        // Of the newer one alone.
        zone.blocks.corrupt(added[0]!, 40)
        const lost = yield* Effect.flip(zone.digestIn(newer))
        expect(lost).toMatchObject({ _tag: "PageLost", zone: ZONE, key: added[0] })
        expect(lost.message).toMatch(/^zone 5: page of \w+ \d+ is lost: pages.* at byte \d+: .*is corrupt/)
        yield* zone.within(Snapshot.disown(lost as PageLost))
        expect(yield* recordsOf(zone)).toEqual([older])
        yield* zone.reopen(older)
        expect(yield* zone.digest).toBe(zone.digestAt(Number.MAX_SAFE_INTEGER))
        yield* zone.take
        yield* expectGood(zone)
        // Of all.
        for (const key of keysOf(zone, "pages/")) yield* zone.store.remove(key)
        for (let left = yield* recordsOf(zone); left[0] !== undefined; left = yield* recordsOf(zone)) {
          const gone = yield* Effect.flip(zone.digestIn(left[0]))
          expect(gone).toMatchObject({ _tag: "PageLost", reason: expect.stringContaining("no object") })
          yield* zone.within(Snapshot.disown(gone as PageLost))
          expect((yield* recordsOf(zone)).length).toBeLessThan(left.length)
        }
      }),
    20_000
  )

  it.effect("is given up once the store keeps refusing a pack of it alone, with all others that need the pack", () =>
    Effect.gen(function*() {
      const zone = yield* changed(20, 3000)
      const older = yield* zone.take
      const before = new Set(keysOf(zone, "pages/"))
      yield* zone.change(100)
      yield* zone.take
      const added = keysOf(zone, "pages/").find((key) => !before.has(key))
      const { asked, store } = refusing(zone.blocks.service, (key) => key === added)
      zone.store = store
      const lost = yield* inTime(Effect.flip(zone.digestIn((yield* recordsOf(zone))[0]!)))
      expect(lost).toMatchObject({ _tag: "PageLost", key: added, whole: true })
      expect(lost.message).toContain("while others were served")
      expect(asked.get(added!)).toBe(24)
      yield* zone.within(Snapshot.disown(lost as PageLost))
      // It was not asked for again to see who needs it.
      expect(asked.get(added!)).toBe(24)
      expect(yield* recordsOf(zone)).toEqual([older])
      yield* zone.reopen(older)
      expect(yield* zone.digest).toBe(zone.digestAt(Number.MAX_SAFE_INTEGER))
    }))

  it.effect("whose manifest alone is refused again and again is damaged", () =>
    Effect.gen(function*() {
      const zone = yield* changed(21, 500)
      const record = yield* zone.take
      zone.store = refusing(zone.blocks.service, (key) => key === Manifest.keyOf(record)).store
      expect(yield* inTime(Effect.flip(zone.digestIn(record)))).toMatchObject({ _tag: "SnapshotLost", damaged: true })
    }))

  it.effect("is not given up by a store that serves nothing, or that serves again", () =>
    Effect.gen(function*() {
      const zone = yield* changed(22, 500)
      const record = yield* zone.take
      zone.store = refusing(zone.blocks.service, () => true).store
      expect(yield* inTime(Effect.flip(zone.digestIn(record)))).toMatchObject({ _tag: "StoreUnavailable" })
      const [pack] = keysOf(zone, "pages/")
      const { asked, store } = refusing(zone.blocks.service, (key) => key === pack && (asked.get(key) ?? 0) < 20)
      zone.store = store
      expect(yield* inTime(zone.digestIn(record))).toBe(zone.digestAt(record.head.sequence))
    }))

  it.live("whose pages were exchanged for good ones of others, or of another time, gives none of them as its own", () =>
    Effect.gen(function*() {
      const zone = yield* changed(10, 3000)
      yield* zone.take
      const other = yield* changed(11, 3000)
      yield* other.take
      const [pack] = keysOf(zone, "pages/")
      const key = pack!
      const own = yield* zone.store.get(key)
      const record = (yield* recordsOf(zone))[0]!
      yield* zone.digestIn(record)
      const swapped = own.slice()
      const first = PagePack.RECORD_HEADER_BYTES + (own[10]! | (own[11]! << 8))
      const second = PagePack.RECORD_HEADER_BYTES + (own[first + 10]! | (own[first + 11]! << 8))
      swapped.set(own.subarray(first, first + second), 0)
      swapped.set(own.subarray(0, first), second)
      for (const bytes of [swapped, yield* other.store.get(key)]) {
        const sized = new Uint8Array(own.length)
        sized.set(bytes.subarray(0, own.length))
        yield* zone.store.put(key, sized)
        expect((yield* Effect.flip(zone.digestIn(record)))._tag).toBe("PageLost")
      }
      yield* zone.store.put(key, own)
      expect(yield* zone.digestIn(record)).toBe(zone.digestAt(record.head.sequence))
    }))
})

describe("a zone with little memory", () => {
  it.effect("works as one with much, and keeps to it", () =>
    Effect.gen(function*() {
      const memory = 20 * 1024
      const zone = yield* changed(12, 9000, memory)
      yield* zone.take
      const whole = zone.pages.state.pages.slab.usedBytes
      expect(whole).toBeGreaterThan(3 * memory)
      for (let round = 0; round < 30; round++) {
        yield* zone.change(20)
        if (round % 3 === 0) yield* zone.take
        yield* zone.pages.bound
        const { pages } = zone.pages.state
        // What has changed since is not to be had elsewhere.
        expect(pages.slab.usedBytes).toBeLessThan(memory + 3 * pages.dirtyBytes + 16 * 1024)
      }
      expect(zone.pages.state.pages.absent).toBeGreaterThan(0)
      expect(yield* zone.digest).toBe(zone.digestAt(Number.MAX_SAFE_INTEGER))
      yield* expectGood(zone)
    }))

  it.effect("finds pages and chunks of the table that a snapshot stores elsewhere while they are read", () =>
    Effect.gen(function*() {
      const zone = yield* changed(14, 9000, 20 * 1024)
      const record = yield* zone.take
      const turns = Effect.repeatN(Effect.yieldNow(), 30)
      zone.store = {
        ...zone.blocks.service,
        getRange: (...given) =>
          turns.pipe(Effect.zipRight(zone.blocks.service.getRange(...given)), Effect.zipLeft(turns))
      }
      yield* zone.reopen(record)
      for (let round = 0; round < 20; round++) {
        const taking = zone.snapshots.begin(zone.head)
        const writing = yield* Effect.fork(taking.write)
        for (let batch = 0; batch < 5; batch++) {
          yield* zone.change(20)
          yield* taking.room
          yield* zone.pages.bound
        }
        yield* Fiber.join(writing)
        yield* zone.pages.bound
      }
      expect(yield* zone.digest).toBe(zone.digestAt(Number.MAX_SAFE_INTEGER))
      yield* expectGood(zone)
    }))

  it.effect("reads what lies beside a page along with it, and each only once", () =>
    Effect.gen(function*() {
      const zone = yield* changed(13, 4000)
      const record = yield* zone.take
      let reads = 0
      zone.store = {
        ...zone.blocks.service,
        getRange: (...given) => {
          reads++
          return zone.blocks.service.getRange(...given)
        }
      }
      yield* zone.reopen(record)
      const { count } = zone.pages.state.pages
      reads = 0
      yield* zone.digest
      expect(reads).toBeLessThan(count / 8)
      const before = reads
      yield* zone.digest
      expect(reads).toBe(before)
    }))
})
