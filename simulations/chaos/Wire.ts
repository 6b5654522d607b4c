/**
 * What a client in a process of its own and the run that started it say to each other: one JSON text a line. Lines
 * leave before the client goes on, so that a killed client has told all that it asked and learnt.
 */
import type { OperationName } from "#domain/Operations.ts"
import type { WorkloadName } from "#simulations/workloads/Workloads.ts"
import type { Address } from "#transport/Connection.ts"

/** The first line that a client is given. */
export interface Errand {
  readonly name: string
  readonly role: "worker" | "waiter" | "inspector"
  readonly endpoints: ReadonlyArray<Address>
  readonly secret: string
  readonly seed: number
  /** When the run began, by the machine's monotonic clock, in nanoseconds. */
  readonly origin: string
  readonly workloads: ReadonlyArray<readonly [WorkloadName, number]>
  readonly loops: number
  /** A loop waits so long between two steps, on average. */
  readonly thinkSeconds: number
  readonly sessionLeaseSeconds: number
  readonly retrySeconds: number
}

/** Lines that follow. */
export type Order = Known | { readonly kind: "end" }

/** An inode that a client heard of, so that others may turn to it. */
export interface Known {
  readonly kind: "knows"
  readonly inode: number
  readonly isDirectory: boolean
}

/** Nanoseconds since the run began. */
type Moment = number

export interface Asked {
  readonly kind: "asks"
  readonly at: Moment
  readonly session: number
  /** Of this process. */
  readonly number: number
  readonly operation: OperationName
  readonly request: unknown
}

export interface Learnt {
  readonly kind: "learns"
  readonly at: Moment
  readonly number: number
  readonly errno: number
  readonly reply?: unknown
}

export interface Left {
  readonly kind: "leaves"
  readonly at: Moment
  readonly session: number
}

/** What a client says. */
export type Word =
  | Asked
  | Learnt
  | Left
  | Known
  | { readonly kind: "complains"; readonly rule: string; readonly text: string }
  | { readonly kind: "probes"; readonly name: string }
  | { readonly kind: "done" }
