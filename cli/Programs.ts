/**
 * The way to simulations and benchmarks, which are programs of their own: nothing of Cadastre imports them. Their
 * options go as one JSON text, their output comes as it is.
 */
import { Exit, type Options } from "#cli/Command.ts"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

/** Runs a program, told by its path from the root of the project; the result is its exit code. */
export const runProgram = (program: string, options: Options): Promise<number> =>
  new Promise((resolve, reject) => {
    const file = fileURLToPath(new URL(`../${program}`, import.meta.url))
    const child = spawn(process.execPath, [file, JSON.stringify(options)], { stdio: "inherit" })
    // A terminal sends SIGINT to both, anybody else to this one alone. The program decides when both end.
    process.on("SIGINT", () => undefined)
    process.on("SIGTERM", () => child.kill("SIGTERM"))
    child.once("error", reject)
    child.once("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? Exit.interrupted : Exit.failed)))
  })
