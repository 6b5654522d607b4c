/** What the history of all clients proves: that it could have happened one operation after the other. */
import { DirectoryModel } from "#simulations/checkers/DirectoryModel.ts"
import { FileModel } from "#simulations/checkers/FileModel.ts"
import { check, type Model, report } from "#simulations/checkers/Linearizability.ts"
import * as ListingCheck from "#simulations/checkers/ListingCheck.ts"
import { LockModel } from "#simulations/checkers/LockModel.ts"
import type { Violation } from "#simulations/checks/Violation.ts"
import type { Observation } from "#simulations/history/History.ts"

export interface HistoryOptions {
  /** Steps for each model. */
  readonly stepsMax?: number
  /** Told of a rule for which a part is too hard to judge: it is neither right nor wrong. */
  readonly onGivenUp: (rule: string) => void
}

export const historyViolations = (
  history: ReadonlyArray<Observation>,
  options: HistoryOptions
): ReadonlyArray<Violation> => {
  const observations = history.toSorted((a, b) => a.begun - b.begun)
  const listings = ListingCheck.problemsOf(observations)
  return [
    ...judged(options, "directories are linearizable", new DirectoryModel(), observations),
    ...judged(options, "files are linearizable", new FileModel(), observations),
    ...judged(options, "locks exclude each other", new LockModel(), observations),
    ...(listings.length === 0 ? [] : [{ rule: "listings are whole", text: ListingCheck.report(listings) }])
  ]
}

const judged = <State, Step extends Observation>(
  { onGivenUp, stepsMax = STEPS_MAX }: HistoryOptions,
  rule: string,
  model: Model<State, Step>,
  observations: ReadonlyArray<Observation>
): ReadonlyArray<Violation> => {
  const result = check(model, observations, { stepsMax })
  if (result._tag === "Exhausted") onGivenUp(rule)
  return result._tag === "Violation" ? [{ rule, text: report(result) }] : []
}

const STEPS_MAX = 300_000
