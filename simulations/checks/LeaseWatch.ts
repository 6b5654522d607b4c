/**
 * Whether runners believe in their leases no longer than the database does, and tell one from the next, looked at
 * whenever something commits. What zones make of their lease is not its affair.
 */
import type { SimulatedCluster } from "#simulations/cluster/SimulatedCluster.ts"
import { PORT, type SimulatedRunner } from "#simulations/cluster/SimulatedRunner.ts"

/** The last lease that a runner was seen to hold, and whether it was seen to be over since. */
interface Belief {
  readonly term: number
  isOver: boolean
}

/** To be called at each commit. */
export const leaseWatch = (cluster: SimulatedCluster): () => void => {
  const { postgres } = cluster.storage
  const beliefs = new WeakMap<SimulatedRunner, Belief>()
  return () => {
    for (const [name, runner] of cluster.runners) {
      const row = postgres.tables.runner.get(`${name}:${PORT}`)
      const term = runner.leaseTerm()
      const belief = beliefs.get(runner)
      const isOver = row === undefined || row.expires <= postgres.now
      if (belief !== undefined && (isOver || term === undefined)) belief.isOver = true
      if (term === undefined) continue
      if (isOver) {
        // Of one that has just come up, the row may be removed by what its last life said in the end.
        if (row === undefined && cluster.ageOf(runner) < YOUNG_LEASES * cluster.scenario.leaseSeconds) continue
        const since = row === undefined ? "there is none" : `for ${Math.round((postgres.now - row.expires) / 1000)} ms`
        cluster.violate("a runner's lease is one in the database", `${name} believes in one that is over: ${since}`)
      } else if (belief?.isOver === true && belief.term === term) {
        cluster.violate("each lease has a number of its own", `${name}: lease ${term} was over and is there again`)
      }
      beliefs.set(runner, { term, isOver: false })
    }
  }
}

const YOUNG_LEASES = 2
