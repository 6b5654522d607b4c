/** What the driver of `bench failover` asks its load, a process of its own, and what it is told. One JSON text a line. */
import type { Address } from "#transport/Connection.ts"

/** The load's one argument. */
export interface LoadOptions {
  readonly endpoints: ReadonlyArray<Address>
  readonly secret: string
  readonly zones: number
  /** Callers of each zone, each with one call at a time. */
  readonly callers: number
  /** How long each caller waits between two calls, in milliseconds. */
  readonly thinkMillis: number
}

export type Question =
  /** The runner that each zone was last found on. */
  | { readonly kind: "owners" }
  /** For each zone, milliseconds from `since` to the first answer to a create that was asked after `since`. */
  | { readonly kind: "firstReplies"; readonly since: number }
  | { readonly kind: "latencies"; readonly from: number; readonly to: number }
  /** Let all calls come to their end, and look what is there. */
  | { readonly kind: "finish" }

export interface Latencies {
  readonly calls: number
  readonly p50: number
  readonly p99: number
  readonly worst: number
}

export interface Verdict {
  readonly acknowledged: number
  /** Acknowledged and not listed. */
  readonly lost: number
  /** Listed twice, listed though nobody asked for it, or refused because an earlier try of the same call had made it. */
  readonly doubled: number
  readonly failed: number
  /** Some of what failed, for people. */
  readonly errors: ReadonlyArray<string>
}

export interface Answers {
  readonly owners: ReadonlyArray<string | null>
  readonly firstReplies: ReadonlyArray<number | null>
  readonly latencies: Latencies
  readonly finish: Verdict
}

/** Milliseconds of the monotonic clock that all processes of a machine share. */
export const nowMillis = (): number => Number(process.hrtime.bigint()) / 1e6
