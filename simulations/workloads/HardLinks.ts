/** A few names of a few files: linked, renamed over each other, removed. A link that is counted wrong shows soon. */
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { Workload } from "#simulations/workloads/Hands.ts"
import { create, lookup } from "#simulations/workloads/Namespace.ts"
import * as Effect from "effect/Effect"

const NAMES = ["one", "two", "three"]

export const hardLinks: Workload = (hands) => {
  const { call, dice, known } = hands
  const parent = InodeNumber.rootOf(0)
  const name = dice.of(NAMES)
  const inode = known.files.at(-1)
  switch (dice.below(8)) {
    case 0:
      return Effect.asVoid(call("unlink", { parent, name }))
    case 1:
    case 2:
    case 3: {
      const mode = dice.of(["replace", "replace", "keep", "exchange"] as const)
      return Effect.asVoid(
        call("rename", { fromParent: parent, fromName: name, toParent: parent, toName: dice.of(NAMES), mode })
      )
    }
    case 4:
    case 5:
      return inode === undefined
        ? create(hands, parent, name, false)
        : Effect.asVoid(call("link", { inode, parent, name }))
    case 6:
      return create(hands, parent, name, dice.chance(50))
    default:
      return lookup(hands, parent, name)
  }
}
