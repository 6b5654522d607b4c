import { Dice } from "#domain/testing/Dice.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import { DirectoryModel } from "#simulations/checkers/DirectoryModel.ts"
import { FileModel } from "#simulations/checkers/FileModel.ts"
import { check, type Model, report } from "#simulations/checkers/Linearizability.ts"
import { problemsOf, report as reportOfListings } from "#simulations/checkers/ListingCheck.ts"
import { LockModel } from "#simulations/checkers/LockModel.ts"
import { lie } from "#simulations/checkers/testing/Lie.ts"
import {
  directoryKinds,
  fileKinds,
  type Kind,
  lockKinds,
  randomHistory,
  type Shape
} from "#simulations/checkers/testing/RandomHistory.ts"
import type { Observation, ObservationOf } from "#simulations/history/History.ts"
import { describe, expect, it } from "vitest"

const { list } = seedsOf(process.env)
const OPERATIONS = 100
/** Steps for one lie: the search may give up, which counts as not rejected. */
const STEPS_MAX = 50_000

const shapeOf = (seed: number, kinds: ReadonlyArray<Kind>, lostPermille: number): Shape => ({
  clients: 1 + (seed % 8),
  operations: OPERATIONS,
  lostPermille,
  kinds,
  names: 4 + (seed % 7)
})

const directoryOnes: ReadonlySet<string> = new Set(
  directoryKinds.filter((kind) => kind !== "open" && kind !== "release")
)
const fileOnes: ReadonlySet<string> = new Set(fileKinds.filter((kind) => !directoryOnes.has(kind)))
const lockOnes: ReadonlySet<string> = new Set(lockKinds)

const judge = <State, Step extends Observation>(
  name: string,
  model: Model<State, Step>,
  kinds: ReadonlyArray<Kind>,
  isChecked: (observation: Observation) => boolean,
  rejectedShareMin: number
): void => {
  describe(`the ${name} model`, () => {
    for (const lostPermille of [0, 20, 80]) {
      it(`accepts what a zone answers, ${lostPermille} of 1,000 answers lost (${list.length} seeds)`, () => {
        for (const seed of list) {
          const history = randomHistory(seed, shapeOf(seed, kinds, lostPermille))
          const result = check(model, history)
          if (result._tag !== "Linearizable") throw new Error(`seed ${seed}: ${report(result)}`)
          const problems = problemsOf(history)
          if (problems.length > 0) throw new Error(`seed ${seed}: ${reportOfListings(problems)}`)
        }
      })
    }

    it.skipIf(list.length < 20)(`rejects nearly all histories with one lie in them`, () => {
      const counts = { Linearizable: 0, Violation: 0, Exhausted: 0 }
      for (const seed of list) {
        const dice = new Dice(seed)
        const history = randomHistory(seed, shapeOf(seed, kinds, 10))
        for (let lies = 0; lies < 3; lies++) {
          const told = lie(dice, history, isChecked)
          if (told !== undefined) counts[check(model, told, { stepsMax: STEPS_MAX })._tag]++
        }
      }
      const share = counts.Violation / (counts.Linearizable + counts.Violation + counts.Exhausted)
      if (share < rejectedShareMin) throw new Error(JSON.stringify(counts))
    })
  })
}

judge("directory", new DirectoryModel(), directoryKinds, ({ operation }) => directoryOnes.has(operation), 0.9)
judge("file", new FileModel(), fileKinds, ({ operation }) => fileOnes.has(operation), 0.9)
judge("lock", new LockModel(), lockKinds, ({ operation }) => lockOnes.has(operation), 0.85)

describe("the check of listings", () => {
  it("accepts pages of a zone, and rejects those that miss or repeat a name that nobody touched", () => {
    let found = 0
    for (const seed of list) {
      const history = randomHistory(seed, shapeOf(seed, directoryKinds, 10))
      const pages = history.filter((observation): observation is ObservationOf<"readDirectory"> =>
        observation.operation === "readDirectory" && (observation.outcome?.reply?.entries.length ?? 0) > 0
      )
      const page = pages[seed % pages.length]
      if (page === undefined) continue
      const entries = page.outcome?.reply?.entries ?? []
      const reply = { parent: 1, end: true, entries: [...entries, ...entries.slice(0, 1)] }
      const told = history.map((
        observation
      ) => (observation === page ? { ...page, outcome: { errno: 0, reply } } : observation))
      if (problemsOf(told).length > 0) found++
    }
    expect(found).toBeGreaterThan(list.length * 0.9)
  })
})
