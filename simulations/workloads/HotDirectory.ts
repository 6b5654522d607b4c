/** Everybody makes and removes files of his own in one directory, and looks at those of others. */
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { Workload } from "#simulations/workloads/Hands.ts"
import { create, list, lookup } from "#simulations/workloads/Namespace.ts"
import * as Effect from "effect/Effect"

const NAMES = 24

export const hotDirectory: Workload = (hands) => {
  const { dice } = hands
  const parent = InodeNumber.rootOf(0)
  const name = `hot${dice.below(NAMES)}`
  switch (dice.below(8)) {
    case 0:
    case 1:
    case 2:
      return create(hands, parent, name, true)
    case 3:
    case 4:
      return Effect.asVoid(hands.call("unlink", { parent, name }))
    case 5:
      return list(hands, parent)
    default:
      return lookup(hands, parent, name)
  }
}
