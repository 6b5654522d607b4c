/**
 * Time that only goes forward, for leases and limits: nobody's setting of the wall clock makes a session live for
 * ever or end too early. It does not tell what time it is.
 */
import type { Clock } from "effect/Clock"
import * as Effect from "effect/Effect"

/** Milliseconds since some moment before the process began. */
export const millis: Effect.Effect<number> = Effect.clockWith((clock) => Effect.sync(() => unsafeMillis(clock)))

export const unsafeMillis = (clock: Clock): number => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)
