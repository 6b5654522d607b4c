/** A worker of the campaign with a bug planted before anything else is loaded. */
import type { Mutant } from "#simulations/mutants/Mutant.ts"
import { plant } from "#simulations/mutants/Planting.ts"
import { enableCompileCache } from "node:module"
import { workerData } from "node:worker_threads"

// Each thread compiles everything anew; all but one file of it is the same every time.
enableCompileCache()
plant(workerData as Mutant)
await import("#simulations/campaign/Worker.ts")
