/** Lines of a `--record` file: how they are written, and read again to be drawn. */
import { type PhaseName, phases } from "#bench/mdtest/Phases.ts"
import type { Kind } from "#bench/mdtest/Summary.ts"
import type { Sample } from "#bench/mdtest/Tenths.ts"

/** How far a phase is at one moment. */
export interface RecordedLine extends Sample {
  readonly phase: PhaseName
  readonly iteration: number
  /** Seconds of CPU of all processes of a kind since they began. */
  readonly cpuSeconds: Readonly<Record<Kind, number>>
  /** Bytes that they hold now. */
  readonly runnerBytes: number
  readonly taskBytes: number
  /** Whether this is the phase's last line. */
  readonly ended: boolean
}

export const lineOf = (recorded: RecordedLine): string =>
  `${JSON.stringify(recorded, (_key, value: unknown) => typeof value === "number" ? rounded(value) : value)}\n`

/** To the millisecond. */
const rounded = (value: number): number => Math.round(value * 1000) / 1000

/** The lines of one phase of one iteration, in order. Throws what names the line that is none. */
export const read = (text: string, phase: PhaseName, iteration: number): ReadonlyArray<RecordedLine> => {
  const found: Array<RecordedLine> = []
  for (const [at, line] of text.split("\n").entries()) {
    if (line === "") continue
    const recorded = parse(line, at + 1)
    if (recorded.phase === phase && recorded.iteration === iteration) found.push(recorded)
  }
  return found
}

const parse = (line: string, number: number): RecordedLine => {
  let value: Partial<RecordedLine>
  try {
    value = JSON.parse(line) as Partial<RecordedLine>
  } catch (cause) {
    throw new Error(`line ${number} is not JSON: ${(cause as Error).message}`, { cause })
  }
  if (value.phase === undefined || !(value.phase in phases) || typeof value.items !== "number") {
    throw new Error(`line ${number} is not of a recorded run of mdtest`)
  }
  return value as RecordedLine
}
