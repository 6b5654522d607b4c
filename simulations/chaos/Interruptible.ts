/** How a program that starts processes ends: in order, also when it is told to. */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

/** SIGINT and SIGTERM end it in order: all that it started and made is gone afterwards. */
export const interruptible = async <A, E>(effect: Effect.Effect<A, E>): Promise<Exit.Exit<A, E>> => {
  const fiber = Effect.runFork(effect)
  const interrupt = (): void => void Effect.runFork(Fiber.interrupt(fiber))
  const signals = ["SIGINT", "SIGTERM"] as const
  for (const signal of signals) process.on(signal, interrupt)
  try {
    return await Effect.runPromise(Fiber.await(fiber))
  } finally {
    for (const signal of signals) process.off(signal, interrupt)
  }
}
