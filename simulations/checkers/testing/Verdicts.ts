/**
 * Tests of a model by histories told by hand, which must be right or wrong. For tests of the checkers alone.
 */
import { check, type Model, report } from "#simulations/checkers/Linearizability.ts"
import { Telling } from "#simulations/checkers/testing/Telling.ts"
import type { Observation } from "#simulations/history/History.ts"
import { describe, expect, it } from "vitest"

/** Histories by the sentence that says what happens in them. */
export interface Told {
  readonly [sentence: string]: (history: Telling) => unknown
}

export const judged = <State, Step extends Observation>(name: string, model: Model<State, Step>, told: {
  readonly right: Told
  readonly wrong: Told
}): void => {
  describe(`the ${name} model accepts`, () => {
    for (const [sentence, tell] of Object.entries(told.right)) {
      it(`${sentence}`, () => {
        const result = check(model, historyOf(tell))
        if (result._tag !== "Linearizable") throw new Error(report(result))
      })
    }
  })
  describe(`the ${name} model rejects`, () => {
    for (const [sentence, tell] of Object.entries(told.wrong)) {
      it(`${sentence}`, () => {
        expect(check(model, historyOf(tell))._tag).toBe("Violation")
      })
    }
  })
}

const historyOf = (tell: (history: Telling) => unknown): ReadonlyArray<Observation> => {
  const history = new Telling()
  tell(history)
  return history.observations
}
