/** `cadastre simulate mutants`: whether the simulation finds bugs that are known to be there. */
import type { Run } from "#cli/Command.ts"
import { runProgram } from "#cli/Simulations.ts"

export const run: Run = (_args, options) => runProgram("mutants.ts", options)
