/**
 * Few names that some clients make and remove, while the others do nothing but look: what they saw once, nobody may
 * take back. Those that change ask anew where the zone is each time; those that look stay where they are.
 */
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { Workload } from "#simulations/workloads/Hands.ts"
import { create, lookup } from "#simulations/workloads/Namespace.ts"
import * as Effect from "effect/Effect"

const NAMES = ["seen", "shown"]
/** One client in so many changes something. */
const CHANGES_ONE_IN = 3
const LOOKS = 3

export const watched: Workload = (hands) =>
  Effect.gen(function*() {
    const { call, client, dice, session } = hands
    const parent = InodeNumber.rootOf(0)
    const name = dice.of(NAMES)
    if (session() % CHANGES_ONE_IN !== 0) {
      for (let look = 0; look < LOOKS; look++) yield* lookup(hands, parent, name)
      return
    }
    ;(yield* client.zone(0)).forget()
    if (dice.chance(50)) yield* create(hands, parent, name, true)
    else yield* call("unlink", { parent, name })
  })
