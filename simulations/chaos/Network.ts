/**
 * The network between the processes of a run, as faults see it: hosts by name, and what may befall the ways between
 * them. It is either proxies on loopback or namespaces of the kernel.
 */
import type { Dice } from "#domain/testing/Dice.ts"
import type { Address } from "#transport/Connection.ts"
import type * as Effect from "effect/Effect"

export interface RunnerPlace {
  /** Where the runner listens. */
  readonly listen: Address
  /** Under which host others reach it, on the same port. */
  readonly host: string
}

export interface Network {
  /** The command line that runs a program on a host. */
  readonly on: (host: string, command: ReadonlyArray<string>) => ReadonlyArray<string>
  readonly placeOf: (runner: string) => RunnerPlace
  /** Where runners find Postgres. */
  readonly postgres: Address
  /** Which process is whose: proxies know those who connect by it. */
  readonly enter: (host: string, pid: number) => void
  /** What one host sends to another does not arrive, until it is mended. */
  readonly cut: (from: string, to: string) => Effect.Effect<void>
  readonly mend: (from: string, to: string) => Effect.Effect<void>
  /** Nothing comes from a host and nothing gets there, until it is plugged in again. Nobody is told. */
  readonly unplug: (host: string) => Effect.Effect<void>
  readonly plug: (host: string) => Effect.Effect<void>
  /** Everything takes so much longer; 0 ends it. */
  readonly slow: (millis: number) => Effect.Effect<void>
  /** A connection breaks, between any two; whether there was one. */
  readonly breakOne: (dice: Dice) => Effect.Effect<boolean>
  /** Why it cannot be slowed, if so. */
  readonly cannotSlow: string | undefined
}
