/** What a benchmark tells: its figures, what was measured beside it in the same minute, and the ratios of the two. */
export interface Report {
  readonly bench: string
  readonly figures: Readonly<Record<string, number>>
  readonly beside: Readonly<Record<string, number>>
  readonly ratios: Readonly<Record<string, number>>
}

export interface BenchOptions {
  /** Files to measure with, where a benchmark has a choice. */
  readonly files?: number
  /** A folder whose tree is measured. */
  readonly tree?: string
}

/** Runs a benchmark; `say` tells how far it is. */
export type Bench = (options: BenchOptions, say: (line: string) => void) => Promise<Report>

/** So many digits as mean something. */
export const rounded = (value: number): number => Number(value.toPrecision(4))

export const textOf = ({ beside, bench, figures, ratios }: Report): string =>
  [
    bench,
    ...linesOf("", figures),
    ...linesOf("beside it: ", beside),
    ...linesOf("ratio: ", ratios)
  ].join("\n")

const linesOf = (prefix: string, values: Readonly<Record<string, number>>): ReadonlyArray<string> =>
  Object.entries(values).map(([key, value]) =>
    `  ${`${prefix}${key}`.padEnd(44)} ${rounded(value).toLocaleString("en-US")}`
  )
