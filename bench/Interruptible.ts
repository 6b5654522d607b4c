import { BenchEnded } from "#bench/Report.ts"
import { interruptible } from "#simulations/chaos/Interruptible.ts"
import * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"

const FAILED = 1
const INTERRUPTED = 130

/** Runs a benchmark that starts processes; a signal ends it in order. What goes wrong is told as a command's end. */
export const untilSignalled = async <A, E extends { readonly message: string }>(
  name: string,
  effect: Effect.Effect<A, E>
): Promise<A> => {
  const exit = await interruptible(effect)
  if (exit._tag === "Success") return exit.value
  if (Cause.isInterruptedOnly(exit.cause)) {
    throw new BenchEnded(`${name}: interrupted; nothing is left of it`, INTERRUPTED)
  }
  const failure = Cause.failureOption(exit.cause)
  if (failure._tag === "None") throw Cause.squash(exit.cause)
  throw failure.value instanceof BenchEnded
    ? failure.value
    : new BenchEnded(`${name}: ${failure.value.message}`, FAILED)
}
