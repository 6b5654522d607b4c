/** All planted bugs. A new one is an entry in one of these files; a test holds each against the file it is for. */
import { archiving } from "#simulations/mutants/Archiving.ts"
import { contents } from "#simulations/mutants/Contents.ts"
import { locking } from "#simulations/mutants/Locking.ts"
import type { Mutant } from "#simulations/mutants/Mutant.ts"
import { names } from "#simulations/mutants/Names.ts"
import { ownership } from "#simulations/mutants/Ownership.ts"
import { recovering } from "#simulations/mutants/Recovering.ts"
import { requests } from "#simulations/mutants/Requests.ts"
import { sessions } from "#simulations/mutants/Sessions.ts"
import { snapshots } from "#simulations/mutants/Snapshots.ts"
import { storing } from "#simulations/mutants/Storing.ts"

export const mutants: ReadonlyArray<Mutant> = [
  ...ownership,
  ...requests,
  ...sessions,
  ...names,
  ...contents,
  ...locking,
  ...recovering,
  ...storing,
  ...archiving,
  ...snapshots
]
