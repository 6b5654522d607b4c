import * as Batch from "#domain/Batch.ts"
import * as BatchCodec from "#domain/codec/BatchCodec.ts"
import { ZoneState } from "#domain/state/ZoneState.ts"
import { damage } from "#domain/testing/Arbitraries.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import { Traffic } from "#domain/testing/Traffic.ts"
import { bytesOf, type Kept } from "#domain/testing/World.ts"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

const { list, runs } = seedsOf(process.env)

type Apply = (state: ZoneState, row: Kept, answered?: ReadonlyMap<number, number>) => void

const fromObjects: Apply = (state, { payload, time }, answered) =>
  Batch.apply(state, BatchCodec.decode(payload, time), answered)
const fromBytes: Apply = (state, { payload, time }, answered) => Batch.applyPayload(state, payload, time, answered)

const journalOf = (seed: number, commands: number): ReadonlyArray<Kept> => {
  const traffic = new Traffic(seed)
  traffic.run(commands)
  return traffic.world.journal
}

const stateOf = (apply: Apply, journal: ReadonlyArray<Kept>, answered?: ReadonlyMap<number, number>): ZoneState => {
  const state = new ZoneState(0)
  for (const row of journal) apply(state, row, answered)
  return state
}

/** What comes of one more row: the state's bytes, or the error. */
const outcome = (apply: Apply, journal: ReadonlyArray<Kept>, row: Kept): string => {
  const state = stateOf(fromObjects, journal)
  try {
    apply(state, row)
    return Buffer.from(bytesOf(state)).toString("latin1")
  } catch (error) {
    return String(error)
  }
}

describe("a batch that is applied as it is read", () => {
  it(`gives the state that its objects give, replies that a later floor forgets left out (${list.length} seeds)`, {
    timeout: 20_000 + 200 * list.length
  }, () => {
    for (const seed of list) {
      const journal = journalOf(seed, 100)
      const answered = new Map<number, number>()
      for (const { payload } of journal) Batch.noteFloors(BatchCodec.floors(payload), answered)
      const expected = bytesOf(stateOf(fromObjects, journal))
      for (const apply of [fromObjects, fromBytes]) {
        expect(Buffer.compare(bytesOf(stateOf(apply, journal, answered)), expected), `seed ${seed}`).toBe(0)
      }
      expect(Buffer.compare(bytesOf(stateOf(fromBytes, journal)), expected), `seed ${seed}`).toBe(0)
    }
  })

  it("is refused for the same reason once it is damaged", () => {
    const journal = journalOf(list[0] ?? 1, 200)
    const place = fc.nat(journal.length - 1)
    fc.assert(
      fc.property(place, damage, (place, damaged) => {
        const before = journal.slice(0, place)
        const row = journal[place] as Kept
        const changed = { ...row, payload: damaged(row.payload) }
        expect(outcome(fromBytes, before, changed)).toBe(outcome(fromObjects, before, changed))
      }),
      runs(300)
    )
  })
})
