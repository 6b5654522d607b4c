/**
 * Effect keeps every fiber that has no parent in one set until it ends, and those of a killed process never do. Without
 * this, every world that was ever simulated would stay in memory.
 */
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"

/** What an Effect fiber has beside its public face. */
interface Endable {
  readonly setExitValue: (exit: Exit.Exit<never>) => void
}

/** Runs it, and declares all fibers ended that it has left. Nothing of theirs may run any more. */
export const leavingNone = <A>(run: () => A): A => {
  const before = new Set(Fiber.unsafeRoots())
  try {
    return run()
  } finally {
    for (const fiber of Fiber.unsafeRoots()) {
      if (!before.has(fiber)) (fiber as unknown as Endable).setExitValue(Exit.interrupt(FiberId.none))
    }
  }
}
