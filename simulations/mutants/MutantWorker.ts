/** A worker of the campaign with a bug planted before anything else is loaded. */
import type { Mutant } from "#simulations/mutants/Mutant.ts"
import { plant } from "#simulations/mutants/Planting.ts"
import { workerData } from "node:worker_threads"

plant(workerData as Mutant)
await import("#simulations/campaign/Worker.ts")
