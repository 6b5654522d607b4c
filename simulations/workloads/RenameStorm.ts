/** Files and directories are renamed over each other all the time: loops, lost and doubled names would show. */
import type { Workload } from "#simulations/workloads/Hands.ts"
import { list, namespace, rename } from "#simulations/workloads/Namespace.ts"

export const renameStorm: Workload = (hands) => {
  const { dice, known } = hands
  const chance = dice.below(10)
  if (chance < 6) return rename(hands)
  return chance < 8 ? list(hands, dice.of(known.directories)) : namespace(hands)
}
