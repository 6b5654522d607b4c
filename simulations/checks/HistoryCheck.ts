/** What the history of all clients proves: that it could have happened one operation after the other. */
import { DirectoryModel } from "#simulations/checkers/DirectoryModel.ts"
import { FileModel } from "#simulations/checkers/FileModel.ts"
import { check, type Model, report } from "#simulations/checkers/Linearizability.ts"
import * as ListingCheck from "#simulations/checkers/ListingCheck.ts"
import { LockModel } from "#simulations/checkers/LockModel.ts"
import type { SimulatedCluster, Violation } from "#simulations/cluster/SimulatedCluster.ts"
import type { Observation } from "#simulations/history/History.ts"

export const historyViolations = (cluster: SimulatedCluster): ReadonlyArray<Violation> => {
  const observations = cluster.recorder.observations.toSorted((a, b) => a.begun - b.begun)
  const listings = ListingCheck.problemsOf(observations)
  return [
    ...judged(cluster, "directories are linearizable", new DirectoryModel(), observations),
    ...judged(cluster, "files are linearizable", new FileModel(), observations),
    ...judged(cluster, "locks exclude each other", new LockModel(), observations),
    ...(listings.length === 0 ? [] : [{ rule: "listings are whole", text: ListingCheck.report(listings) }])
  ]
}

/** A part that is too hard to judge is told as a probe: it is neither right nor wrong. */
const judged = <State, Step extends Observation>(
  { world }: SimulatedCluster,
  rule: string,
  model: Model<State, Step>,
  observations: ReadonlyArray<Observation>
): ReadonlyArray<Violation> => {
  const result = check(model, observations, { stepsMax: STEPS_MAX })
  if (result._tag === "Exhausted") world.probe(`not judged: ${rule}`)
  return result._tag === "Violation" ? [{ rule, text: report(result) }] : []
}

const STEPS_MAX = 300_000
