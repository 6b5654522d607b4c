/** The registry of workloads. A new one is a file beside this one and a line here. */
import type { Dice } from "#domain/testing/Dice.ts"
import { attributes } from "#simulations/workloads/Attributes.ts"
import { contested } from "#simulations/workloads/Contested.ts"
import { data } from "#simulations/workloads/Data.ts"
import type { Workload } from "#simulations/workloads/Hands.ts"
import { hardLinks } from "#simulations/workloads/HardLinks.ts"
import { hotDirectory } from "#simulations/workloads/HotDirectory.ts"
import { lockRanges } from "#simulations/workloads/LockRanges.ts"
import { namespace } from "#simulations/workloads/Namespace.ts"
import { openDirectories } from "#simulations/workloads/OpenDirectories.ts"
import { openFiles } from "#simulations/workloads/OpenFiles.ts"
import { ownFiles } from "#simulations/workloads/OwnFiles.ts"
import { renameStorm } from "#simulations/workloads/RenameStorm.ts"
import { snapshots } from "#simulations/workloads/Snapshots.ts"
import { timeTravel } from "#simulations/workloads/TimeTravel.ts"
import { tinyLocks } from "#simulations/workloads/TinyLocks.ts"
import { watched } from "#simulations/workloads/Watched.ts"

export const workloads = {
  namespace,
  renameStorm,
  contested,
  watched,
  hotDirectory,
  hardLinks,
  attributes,
  data,
  openFiles,
  openDirectories,
  ownFiles,
  lockRanges,
  tinyLocks,
  timeTravel,
  snapshots
} as const satisfies { readonly [name: string]: Workload }

export type WorkloadName = keyof typeof workloads

export const isWorkloadName = (text: string): text is WorkloadName => Object.hasOwn(workloads, text)

/** One of them by their weights. */
export const drawn = (weights: ReadonlyArray<readonly [WorkloadName, number]>, dice: Dice): Workload =>
  workloads[dice.weighted(weights.map(([name, weight]) => [weight, name] as const))]
