import * as Archive from "#persistence/Archive.ts"
import * as ArchivedJournal from "#persistence/ArchivedJournal.ts"
import { BlockStore, StoreUnavailable } from "#persistence/blocks/BlockStore.ts"
import * as MemoryBlockStore from "#persistence/blocks/MemoryBlockStore.ts"
import * as Chain from "#persistence/Chain.ts"
import { expectRows, rowAfter, snapshotAt } from "#persistence/Journal.contract.ts"
import { Journal, type JournalService } from "#persistence/Journal.ts"
import * as MemoryJournal from "#persistence/MemoryJournal.ts"
import * as SegmentCodec from "#persistence/SegmentCodec.ts"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expect } from "vitest"

const ZONE = 7
const MIB = 1024 * 1024
const LATE = [2 ** 40, 0] as const

type Rows = ReadonlyArray<Chain.JournalRow>

/** A zone of so many rows with two events each, and what reads and archives it. */
const make = (count: number) =>
  Effect.gen(function*() {
    const memory = MemoryJournal.make()
    const blocks = MemoryBlockStore.make()
    const provided = <A, E>(effect: Effect.Effect<A, E, Journal | BlockStore>) =>
      effect.pipe(
        Effect.provideService(Journal, memory.service),
        Effect.provideService(BlockStore, blocks.service)
      )
    const { epoch } = yield* memory.service.claim(ZONE, "test")
    const rows: Array<Chain.JournalRow> = []
    for (let head = Chain.START; rows.length < count; head = Chain.headOf(rows.at(-1)!)) {
      rows.push(rowAfter(head, { zone: ZONE, epoch, events: 2 }))
      yield* memory.service.append(rows.at(-1)!)
    }
    yield* memory.service.addSnapshot(snapshotAt(rows.at(-1)!))
    const seal = (from: number, to: number) => {
      const run = rows.slice(from, to) as [Chain.JournalRow, ...Rows]
      return provided(Archive.seal(from === 0 ? Chain.START : Chain.headOf(rows[from - 1]!), run))
    }
    return { blocks, memory, rows, seal, archived: yield* provided(ArchivedJournal.make) }
  })

/** Rows 0 to 5 in two segments and nowhere else, 6 to 9 in the journal. */
const crossing = Effect.gen(function*() {
  const made = yield* make(10)
  expect(yield* made.seal(0, 3)).toBe(true)
  expect(yield* made.seal(3, 6)).toBe(true)
  expect(yield* made.memory.service.removeArchived(ZONE, ...LATE)).toBe(3)
  expect(yield* made.memory.service.removeArchived(ZONE, ...LATE)).toBe(3)
  return made
})

const readAll = (journal: JournalService, rowsMax: number, bytesMax: number) =>
  Effect.gen(function*() {
    const rows: Array<Chain.JournalRow> = []
    while (true) {
      const page = yield* journal.read(ZONE, rows.at(-1)?.last ?? 0, rowsMax, bytesMax)
      if (page.length === 0) return rows
      rows.push(...page)
    }
  })

const keysOf = ({ objects }: MemoryBlockStore.MemoryBlockStore) => [...objects.keys()]

describe("a segment that is recorded", () => {
  it.effect("leaves no object beside it of the same rows cut elsewhere, and every other one", () =>
    Effect.gen(function*() {
      const { blocks, rows, seal } = yield* make(10)
      // Two owners died after the put: one of the second segment, one of another history of it.
      const other = yield* make(10)
      const forged = other.rows.slice(3, 7).map((row, index) => ({ ...row, payload: new Uint8Array([index]) }))
      const chained: Array<Chain.JournalRow> = []
      for (const row of forged) {
        const linked = { ...row, previous: chained.at(-1)?.hash ?? Chain.headOf(rows[2]!).hash }
        chained.push({ ...linked, hash: Chain.hashOf(linked) })
      }
      const put = (run: Rows) =>
        Effect.gen(function*() {
          const last = run.at(-1)!
          const key = Archive.keyOf({ zone: ZONE, first: run[0]!.first, head: Chain.headOf(last) })
          const from = Chain.headOf(rows[rows.findIndex(({ first }) => first === run[0]!.first) - 1]!)
          yield* blocks.service.put(key, yield* SegmentCodec.encode({ zone: ZONE, from, rows: run }))
          return key
        })
      const strays = yield* Effect.forEach([rows.slice(3, 5), rows.slice(3, 9)], put)
      const foreign = yield* put(chained)
      const later = yield* put(rows.slice(5, 7))
      yield* seal(0, 3)
      expect(keysOf(blocks)).toEqual(expect.arrayContaining([...strays, foreign, later]))
      yield* seal(3, 6)
      const left = keysOf(blocks)
      for (const stray of strays) expect(left).not.toContain(stray)
      expect(left).toEqual(expect.arrayContaining([foreign, later]))
      expect(left).toHaveLength(4)
    }))
})

describe("an archived journal", () => {
  it.effect("gives the rows of both in order, however they are paged, and from within a row", () =>
    Effect.gen(function*() {
      const { archived, rows } = yield* crossing
      for (const [rowsMax, bytesMax] of [[1, MIB], [2, MIB], [100, 150], [100, MIB]] as const) {
        expectRows(yield* readAll(archived, rowsMax, bytesMax), rows)
      }
      expect((yield* archived.read(ZONE, 3, 1, MIB))[0]?.first).toBe(3)
      expect(yield* archived.read(ZONE, 20, 10, MIB)).toEqual([])
    }))

  it.effect("tells the event of any time as the whole journal would", () =>
    Effect.gen(function*() {
      const whole = yield* make(10)
      const { archived } = yield* crossing
      for (const { time: { nanos, seconds } } of whole.rows) {
        for (
          const at of [[seconds - 1, nanos], [seconds, nanos - 1], [seconds, nanos], [seconds, nanos + 1]] as const
        ) {
          expect(yield* archived.sequenceAt(ZONE, ...at)).toBe(yield* whole.memory.service.sequenceAt(ZONE, ...at))
        }
      }
      expect(yield* archived.sequenceAt(ZONE, 0, 0)).toBe(0)
    }))

  for (const harm of ["missing", "cut", "corrupt"] as const) {
    it.effect(`names the zone, the events and the object when that is ${harm}, and gives what is whole`, () =>
      Effect.gen(function*() {
        const { archived, blocks, rows } = yield* crossing
        const key = keysOf(blocks)[1]!
        if (harm === "missing") blocks.objects.delete(key)
        else if (harm === "cut") blocks.truncate(key, 100)
        else blocks.corrupt(key, 70)
        expectRows(yield* archived.read(ZONE, 0, 10, MIB), rows.slice(0, 3))
        const error = yield* Effect.flip(archived.read(ZONE, 6, 10, MIB))
        expect(error).toMatchObject({ _tag: "HistoryDamaged", zone: ZONE, first: 7, last: 12 })
        expect(error.message).toContain(key)
        expect(error.message).toContain("bring that object back")
        expectRows(yield* archived.read(ZONE, 12, 10, MIB), rows.slice(6))
      }))
  }

  it.effect("does not take an object for a segment's that holds other rows, whole as they are", () =>
    Effect.gen(function*() {
      const { archived, blocks } = yield* crossing
      const [first, second] = keysOf(blocks)
      blocks.objects.set(second!, blocks.objects.get(first!)!)
      const error = yield* Effect.flip(archived.read(ZONE, 6, 10, MIB))
      expect(error.message).toContain("it does not give the digest that was recorded")
    }))

  it.effect("says so when rows are neither here nor there", () =>
    Effect.gen(function*() {
      const { archived, memory } = yield* crossing
      memory.rows(ZONE).splice(0, 2)
      expect(yield* Effect.flip(archived.read(ZONE, 12, 10, MIB))).toMatchObject({
        _tag: "HistoryDamaged",
        first: 13,
        last: 20
      })
    }))

  it.effect("that cannot be reached now is not called damaged", () =>
    Effect.gen(function*() {
      const { memory } = yield* crossing
      const blocks = MemoryBlockStore.make()
      const away = new StoreUnavailable({ store: "away", operation: "get", reason: "nobody answers", retryable: true })
      const archived = yield* ArchivedJournal.make.pipe(
        Effect.provideService(Journal, memory.service),
        Effect.provideService(BlockStore, { ...blocks.service, get: () => Effect.fail(away) })
      )
      expect((yield* Effect.flip(archived.read(ZONE, 0, 10, MIB)))._tag).toBe("JournalUnavailable")
    }))
})

describe("sealing", () => {
  it.effect("by two owners stores the same bytes under the same key, and records them once", () =>
    Effect.gen(function*() {
      const { blocks, seal } = yield* make(6)
      expect(yield* seal(0, 4)).toBe(true)
      const [stored] = [...blocks.objects.values()].map((bytes) => Buffer.from(bytes).toString("hex"))
      expect(yield* seal(0, 4)).toBe(false)
      expect([...blocks.objects.values()].map((bytes) => Buffer.from(bytes).toString("hex"))).toEqual([stored])
      // One that cuts elsewhere does no harm either, and leaves nothing.
      expect(yield* seal(0, 3)).toBe(false)
      expect(keysOf(blocks)).toHaveLength(1)
      expect(yield* seal(4, 6)).toBe(true)
    }))

  it.effect("records nothing of rows that do not continue the chain", () =>
    Effect.gen(function*() {
      const { blocks, memory, rows, seal } = yield* make(4)
      rows[1] = { ...rows[1]!, epoch: 9 }
      const error = yield* Effect.flip(seal(0, 3))
      expect(error.message).toContain("event 3: its contents do not give its hash")
      expect(keysOf(blocks)).toEqual([])
      expect(yield* memory.service.segmentAt(ZONE, 100)).toBeUndefined()
    }))

  it.effect("records nothing of an object that does not come back as it was put", () =>
    Effect.gen(function*() {
      const { memory, rows } = yield* make(4)
      const blocks = MemoryBlockStore.make()
      const lying = {
        ...blocks.service,
        put: (key: string, bytes: Uint8Array) => blocks.service.put(key, bytes.subarray(0, bytes.length - 1))
      }
      const error = yield* Effect.flip(
        Archive.seal(Chain.START, [rows[0]!, rows[1]!]).pipe(
          Effect.provideService(Journal, memory.service),
          Effect.provideService(BlockStore, lying)
        )
      )
      expect(error._tag).toBe("HistoryDamaged")
      expect(yield* memory.service.segmentAt(ZONE, 100)).toBeUndefined()
    }))
})
