/**
 * A cluster of real processes, as the faults and the rounds of a run see it: runners and clients by name, a database,
 * disks and a network. Processes of this machine are one kind of it, containers another.
 */
import type { Dice } from "#domain/testing/Dice.ts"
import type { Child } from "#simulations/chaos/Child.ts"
import type { Disks } from "#simulations/chaos/Disks.ts"
import type { Violation } from "#simulations/checks/Violation.ts"
import type { Scenario } from "#simulations/scenarios/Scenario.ts"
import type { Address } from "#transport/Connection.ts"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What a run is told of. */
export interface Ledger {
  readonly violations: Array<Violation>
  readonly faults: Map<string, number>
  readonly probes: Map<string, number>
  readonly tell: (text: string) => void
}

export interface ClusterConfig {
  readonly zones: number
  readonly leaseSeconds: number
  readonly sessionLeaseSeconds: number
  readonly snapshotEvents: number
}

export type Signal = "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"

export interface ProcessView {
  readonly name: string
  readonly isAlive: () => boolean
  readonly isReady: () => boolean
  readonly signal: (signal: Signal) => Effect.Effect<void>
}

/** The runners of one round, on a database and a folder of their own. */
export interface Runners {
  readonly all: ReadonlyArray<ProcessView>
  /** One that is dead comes back. */
  readonly revive: (name: string) => Effect.Effect<void>
  readonly endpoints: ReadonlyArray<Address>
  readonly secret: string
  /** Each gets SIGTERM and must end well. */
  readonly stop: Effect.Effect<void>
}

export interface DatabaseFaults {
  readonly restart: Effect.Effect<void>
  readonly crash: Effect.Effect<void>
  readonly freeze: Effect.Effect<void>
  readonly wake: Effect.Effect<void>
  readonly dieAfter: (cut: Effect.Effect<void>) => Effect.Effect<void>
  readonly start: Effect.Effect<void>
}

export interface NetworkFaults {
  readonly cut: (from: string, to: string) => Effect.Effect<void>
  readonly mend: (from: string, to: string) => Effect.Effect<void>
  readonly slow: (millis: number) => Effect.Effect<void>
  readonly breakOne: (dice: Dice) => Effect.Effect<boolean>
}

export interface Cluster {
  readonly hosts: ReadonlyArray<string>
  /** Faults that cannot be had here, and why. */
  readonly cannot: ReadonlyMap<string, string>
  readonly database: DatabaseFaults
  readonly network: NetworkFaults
  readonly disks: Pick<Disks, "fill" | "free" | "cutPower" | "restorePower">
  readonly startRunners: (
    round: string,
    config: ClusterConfig,
    ledger: Ledger
  ) => Effect.Effect<Runners, never, Scope.Scope>
  /** The command of a client's process on its host, which speaks as `Wire` says. */
  readonly clientCommand: (host: string, process: string) => ReadonlyArray<string>
  readonly signalClient: (child: Child, signal: Signal) => Effect.Effect<void>
  /** Told of the client's process on a host. */
  readonly enter: (host: string, pid: number) => void
}

export const runnerNames = ({ runners }: Pick<Scenario, "runners">): ReadonlyArray<string> =>
  Array.from({ length: runners }, (_, index) => `runner-${index + 1}`)

export const clientNames = (clients: number): ReadonlyArray<string> =>
  Array.from({ length: clients }, (_, index) => `client-${index + 1}`)
