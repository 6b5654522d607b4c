/** The tables at the end of a run: mdtest's own of the rates, and one of latencies and CPU. */
import type { Histogram } from "#bench/mdtest/Histogram.ts"
import { type PhaseName, phases } from "#bench/mdtest/Phases.ts"

export const kinds = ["tasks", "runners", "postgres"] as const
/** Whose CPU or memory it is. */
export type Kind = typeof kinds[number]

/** A phase in all its iterations. */
export interface PhaseResult {
  readonly phase: PhaseName
  /** Items a second of each iteration. */
  readonly rates: ReadonlyArray<number>
  readonly items: number
  readonly latencies: Histogram
  /** Seconds of CPU by all processes of a kind; those that are not known are missing. */
  readonly cpuSeconds: Readonly<Partial<Record<Kind, number>>>
  /** Items a second of each tenth, where it took long enough to tell. */
  readonly tenths: ReadonlyArray<number> | undefined
}

export interface Spread {
  readonly max: number
  readonly min: number
  readonly mean: number
  /** Of the iterations as all there are, as mdtest has it. */
  readonly deviation: number
}

export const spreadOf = (rates: ReadonlyArray<number>): Spread => {
  if (rates.length === 0) return { max: 0, min: 0, mean: 0, deviation: 0 }
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length
  const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length
  return { max: Math.max(...rates), min: Math.min(...rates), mean, deviation: Math.sqrt(variance) }
}

/** Microseconds of CPU of an item. */
export const cpuMicros = ({ cpuSeconds, items }: PhaseResult, kind: Kind): number | undefined => {
  const seconds = cpuSeconds[kind]
  return seconds === undefined || items === 0 ? undefined : (seconds * 1e6) / items
}

export const summaryOf = (results: ReadonlyArray<PhaseResult>, iterations: number): ReadonlyArray<string> => [
  `SUMMARY rate (in ops/sec): (of ${iterations} iterations)`,
  ...table(
    ["Operation", "Max", "Min", "Mean", "Std Dev"],
    results.map(({ phase, rates }) => {
      const { deviation, max, mean, min } = spreadOf(rates)
      return [phases[phase].title, ...[max, min, mean, deviation].map((rate) => rate.toFixed(3))]
    })
  ),
  "",
  "Latency of a command in ms, CPU of an item in microseconds",
  ...table(
    ["Operation", "p50", "p99", "p99.9", ...kinds.map((kind) => `CPU ${kind}`)],
    results.map((result) => [
      phases[result.phase].title,
      ...SHARES.map((share) => (result.latencies.quantile(share) / 1000).toFixed(3)),
      ...kinds.map((kind) => cpuMicros(result, kind)?.toFixed(2) ?? "-")
    ])
  )
]

const SHARES = [0.5, 0.99, 0.999]

/** The first column to the left, the others to the right, a line below the head. */
export const table = (
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>
): ReadonlyArray<string> => {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: ReadonlyArray<string>): string =>
    `   ${
      cells.map((cell, column) => column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)).join(
        "   "
      )
    }`
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)]
}
