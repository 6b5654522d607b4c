/** The figures of `bench failover`, from what its rounds found. */

/** One fault: how long each zone that the runner had took to answer elsewhere, in seconds. */
export interface Round {
  readonly fault: string
  readonly seconds: ReadonlyArray<number>
}

/** Of sorted values; 0 if there are none. */
export const quantile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0

/** The worst zone of all rounds of a fault, and the middle one. */
export const firstReplies = (rounds: ReadonlyArray<Round>, fault: string): { worst: number; median: number } => {
  const sorted = rounds.flatMap((round) => round.fault === fault ? round.seconds : []).sort((a, b) => a - b)
  return { worst: sorted.at(-1) ?? 0, median: quantile(sorted, 0.5) }
}
