/** `cadastre bench capacity`: a benchmark with options of its own. */
import type { Run } from "#cli/Command.ts"
import { runProgram } from "#cli/Programs.ts"

export const run: Run = (_args, options) => runProgram("bench/main.ts", { ...options, name: "capacity" })
