/** The figures of `bench failover`, from what its rounds found. */
import { quantile } from "#bench/Quantile.ts"

/** One fault: how long each zone that the runner had took to answer elsewhere, in seconds. */
export interface Round {
  readonly fault: string
  readonly seconds: ReadonlyArray<number>
}

/** The worst zone of all rounds of a fault, and the middle one; nothing if it met no zone. */
export const firstReplies = (
  rounds: ReadonlyArray<Round>,
  fault: string
): { readonly worst: number; readonly median: number } | undefined => {
  const seconds = rounds.flatMap((round) => round.fault === fault ? round.seconds : [])
  return seconds.length === 0 ? undefined : { worst: Math.max(...seconds), median: quantile(seconds, 0.5) }
}
