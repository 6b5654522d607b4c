/** `cadastre chaos`: real processes under real faults. */
import type { Run } from "#cli/Command.ts"
import { runProgram } from "#cli/Programs.ts"

export const run: Run = (_args, options) => runProgram("simulations/chaos.ts", options)
