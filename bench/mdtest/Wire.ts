/** What the run and its tasks say to each other over the channel between the processes. */
import type { Shape } from "#bench/mdtest/Options.ts"
import type { PhaseName, UntimedName } from "#bench/mdtest/Phases.ts"
import type { Address } from "#transport/Connection.ts"

/** All that a task is told once. */
export interface Errand {
  readonly kind: "errand"
  readonly task: number
  readonly shape: Shape
  readonly endpoints: ReadonlyArray<Address>
  readonly secret: string
  readonly tls: boolean
}

export interface Order {
  readonly kind: "phase"
  readonly phase: PhaseName | UntimedName
  readonly iteration: number
  /** Whether directories bear the names that the rename phase gave them. */
  readonly renamed: boolean
}

export type ToTask = Errand | Order | { readonly kind: "end" }

/** How a task did in a phase. */
export interface Done {
  readonly kind: "done"
  readonly items: number
  /** Milliseconds of the clock that all processes of this machine share. */
  readonly begun: number
  readonly ended: number
  /** Latencies, as `Histogram.bins` gives them. */
  readonly bins: ReadonlyArray<number>
}

export type FromTask =
  | { readonly kind: "ready" }
  | { readonly kind: "progress"; readonly items: number }
  | Done
  | { readonly kind: "failed"; readonly reason: string }
