/** What a campaign asks of a worker, and what it gets. */
import type { Violation } from "#simulations/checks/Violation.ts"

export interface Job {
  /** Name or file. */
  readonly scenario: string
  readonly seed: number
}

export interface Finding extends Job {
  readonly violations: ReadonlyArray<Violation>
}

export interface Outcome extends Finding {
  readonly digest: string
  readonly operations: number
  readonly seconds: number
  readonly workMillis: number
  readonly checkMillis: number
  readonly faults: ReadonlyMap<string, number>
  readonly probes: ReadonlyMap<string, number>
}
