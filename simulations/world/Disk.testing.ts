/**
 * Runs effects in a process of a world from outside of it: the world's time passes until they are done. For tests; a
 * simulation pumps its world itself.
 */
import type { Within } from "#persistence/blocks/BlockStore.contract.ts"
import type { Process } from "#simulations/world/Process.ts"
import { SECOND } from "#simulations/world/World.ts"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"

const SECONDS_MAX = 3600

export const within = (process: Process): Within => <A, E>(body: Effect.Effect<A, E>) =>
  Effect.suspend(() => {
    let exit: Exit.Exit<A, E> | undefined
    process.run(body, (result) => {
      exit = result
    })
    const { world } = process
    world.run(() => exit !== undefined, world.now + SECONDS_MAX * SECOND)
    return exit ?? Effect.dieMessage(`nothing came of it in ${SECONDS_MAX} s of the world`)
  })
