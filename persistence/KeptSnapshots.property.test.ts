import { Dice } from "#domain/testing/Dice.ts"
import { KEPT_MAX, keptOf } from "#persistence/KeptSnapshots.ts"
import { describe, expect, it } from "vitest"

const SEEDS = 10
const SNAPSHOTS = 600

/** Snapshots are taken at random, points get names and lose them: what is kept after each, the newest first. */
const history = (seed: number, namedMax: number, look: (kept: ReadonlyArray<number>, step: number) => void) => {
  const dice = new Dice(seed)
  let kept: ReadonlyArray<number> = []
  const all: Array<number> = []
  let named: Array<number> = []
  let sequence = 0
  for (let taken = 0; taken < SNAPSHOTS; taken++) {
    sequence += 50 + dice.below(100)
    all.unshift(sequence)
    const keep = keptOf([sequence, ...kept], named)
    kept = [sequence, ...kept].filter((one) => keep.has(one))
    look(kept, taken)
    // Only what is behind the newest snapshot can have no better one yet.
    if (dice.chance(20) && named.length < namedMax) named.push(sequence + dice.below(50))
    if (named.length === namedMax) named = named.filter(() => dice.chance(60))
  }
  return { all, kept, named, head: sequence }
}

const lastBefore = (sequences: ReadonlyArray<number>, point: number): number =>
  sequences.find((sequence) => sequence <= point) ?? 0

describe("the snapshots that are kept", () => {
  it("are the newest two and never too many, however many points have names", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      let before: ReadonlyArray<number> = []
      const { kept } = history(seed, 2000, (kept) => {
        expect(kept.length).toBeLessThanOrEqual(KEPT_MAX)
        expect(kept.slice(1, 2)).toEqual(before.slice(0, 1))
        before = kept
      })
      expect(kept.length).toBeGreaterThan(KEPT_MAX - 8)
    }
  })

  it("have the last one before each point with a name, as if none had ever gone", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { all, kept, named } = history(seed, 40, () => undefined)
      expect(named.length).toBeGreaterThan(5)
      for (const point of named) expect(lastBefore(kept, point)).toBe(lastBefore(all, point))
    }
  })

  it("are near each moment, for its age", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const counts = new Set<number>()
      const { head, kept } = history(seed, 0, (kept, step) => {
        if (step > 20) counts.add(kept.length)
      })
      expect(counts).toEqual(new Set([16]))
      for (let point = 1000; point < head; point += 97) {
        expect(point - lastBefore(kept, point)).toBeLessThan(300 + 2 * (head - point))
      }
    }
  })
})
