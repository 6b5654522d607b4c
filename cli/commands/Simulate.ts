/** `cadastre simulate`: seeds of simulated clusters. */
import type { Run } from "#cli/Command.ts"
import { runProgram } from "#cli/Simulations.ts"

export const run: Run = (_args, options) => runProgram("main.ts", options)
