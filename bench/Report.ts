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
  /** How long each phase lasts, where it is measured by time. */
  readonly seconds?: number
  /** What another benchmark printed. */
  readonly from?: string
  /** The cluster that a capacity is computed for. */
  readonly nodes?: number
  readonly zones?: number
  readonly databases?: number
  /** JuiceFS's program. */
  readonly juicefs?: string
}

/** A benchmark cannot be run as asked, or did not come to its end; the message is for people. */
export class BenchEnded extends Error {
  override readonly name = "BenchEnded"
  /** Exit code of the command: 1 failed, 2 wrong usage, 130 interrupted. */
  readonly code: number

  constructor(message: string, code: number) {
    super(message)
    this.code = code
  }
}

/** The options are wrong. */
export const refused = (message: string): BenchEnded => new BenchEnded(message, 2)

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
