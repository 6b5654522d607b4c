/**
 * Few names that everybody makes, removes and looks for, so that every answer tells whether its zone knows the last
 * change. Clients ask anew where the zone is now and then, as those do that have just come.
 */
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { Workload } from "#simulations/workloads/Hands.ts"
import { create, lookup } from "#simulations/workloads/Namespace.ts"
import * as Effect from "effect/Effect"

const NAMES = ["this", "that", "other"]

export const contested: Workload = (hands) =>
  Effect.gen(function*() {
    const { call, client, dice } = hands
    const parent = InodeNumber.rootOf(0)
    const name = dice.of(NAMES)
    if (dice.chance(40)) (yield* client.zone(0)).forget()
    switch (dice.below(4)) {
      case 0:
        return yield* create(hands, parent, name, true)
      case 1:
        return yield* Effect.asVoid(call("unlink", { parent, name }))
      default:
        return yield* lookup(hands, parent, name)
    }
  })
