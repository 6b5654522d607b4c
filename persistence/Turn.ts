/**
 * How long a fiber has held the thread, so that others of the process get their turn before it has been long. Only work
 * that was counted counts: time in which it waited for something was the others' anyway, and in a simulation, whose
 * clock stands still while there is work, no turn is ever long.
 */
import type { Clock } from "effect/Clock"
import * as Effect from "effect/Effect"

/** A turn that is longer ends. Several fibers may have theirs one after the other, and none shall wait for 10 ms. */
const TURN_NANOS = 3_000_000n

/** Work in steps that are short, each ended by a `yield`. */
export type Steps<A> = Generator<void, A, void>

export class Turn {
  private busy = 0n
  private readonly clock: Clock

  constructor(clock: Clock) {
    this.clock = clock
  }

  static readonly make: Effect.Effect<Turn> = Effect.clockWith((clock) => Effect.sync(() => new Turn(clock)))

  /** Does the work, and counts it. */
  count<A>(work: () => A): A {
    const began = this.clock.unsafeCurrentTimeNanos()
    try {
      return work()
    } finally {
      this.busy += this.clock.unsafeCurrentTimeNanos() - began
    }
  }

  /** Returns at once, or when others have had their turn if this one was long. */
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    if (this.busy < TURN_NANOS) return Effect.void
    this.busy = 0n
    return others
  })
}

/** A turn for what else the process has to do. A timer of no time would leave the core idle for a millisecond. */
export const others: Effect.Effect<void> = Effect.async((resume) => void setImmediate(() => resume(Effect.void)))

/** Does all steps, in as many turns as they take. */
export const through = <A>(steps: Steps<A>): Effect.Effect<A> =>
  Effect.gen(function*() {
    const turn = yield* Turn.make
    while (true) {
      const step = turn.count(() => steps.next())
      if (step.done === true) return step.value
      yield* turn.end
    }
  })

/** Does all steps at once. */
export const atOnce = <A>(steps: Steps<A>): A => {
  while (true) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
