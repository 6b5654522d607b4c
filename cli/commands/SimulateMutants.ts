/** `cadastre simulate mutants`: whether the simulation finds bugs that are known to be there. */
import type { Run } from "#cli/Command.ts"
import { runProgram } from "#cli/Programs.ts"

export const run: Run = (_args, options) => runProgram("simulations/mutants.ts", options)
