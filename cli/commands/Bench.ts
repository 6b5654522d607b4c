/** `cadastre bench`: how fast and how small, each figure with the machine's own floor beside it. */
import type { Run } from "#cli/Command.ts"
import { runProgram } from "#cli/Programs.ts"

export const run: Run = ([name], options) => runProgram("bench/main.ts", { ...options, name })
