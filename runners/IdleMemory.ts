/**
 * A process that has little to do gives memory back: zones that came to rest freed it, and the C library keeps it for
 * more. It needs the native parts; without them the memory stays until it is used again.
 */
import * as Posix from "#native/Posix.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** How often the process is looked at. */
export const INTERVAL = Duration.seconds(10)
/** Of a core: a process that needs more has no time for it, and will want the memory again. */
const BUSY_SHARE = 0.25
const MICROS_PER_MILLI = 1000

/** Never ends by itself. */
export const giveBack: Effect.Effect<void> = Effect.suspend(() => {
  const posix = Posix.load()
  if (posix === undefined) return Effect.void
  let before = process.cpuUsage()
  return Effect.sync(() => {
    const { system, user } = process.cpuUsage(before)
    before = process.cpuUsage()
    if (system + user < BUSY_SHARE * Duration.toMillis(INTERVAL) * MICROS_PER_MILLI) posix.trimMemory()
  }).pipe(Effect.delay(INTERVAL), Effect.forever)
})
