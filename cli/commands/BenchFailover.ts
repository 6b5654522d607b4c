/** `cadastre bench failover`: runners that die, stand still, lose their network, and restart, under load. */
import type { Run } from "#cli/Command.ts"
import { runProgram } from "#cli/Programs.ts"

export const run: Run = (_args, options) => runProgram("bench/main.ts", { ...options, name: "failover" })
