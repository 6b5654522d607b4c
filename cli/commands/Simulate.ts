/** `cadastre simulate`: seeds of simulated clusters. */
import type { Run } from "#cli/Command.ts"
import { runProgram } from "#cli/Programs.ts"

export const run: Run = (_args, options) => runProgram("simulations/main.ts", options)
