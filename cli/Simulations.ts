/**
 * The way to the simulations, which are a program of their own: nothing of Cadastre imports them. Its options go as
 * one JSON text, its output comes as it is.
 */
import { Exit, type Options } from "#cli/Command.ts"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

/** Runs one of their programs; the result is its exit code. */
export const runProgram = (program: string, options: Options): Promise<number> =>
  new Promise((resolve, reject) => {
    const file = fileURLToPath(new URL(`../simulations/${program}`, import.meta.url))
    const child = spawn(process.execPath, [file, JSON.stringify(options)], { stdio: "inherit" })
    // A terminal sends SIGINT to both, anybody else to this one alone. The program decides when both end.
    process.on("SIGINT", () => undefined)
    process.on("SIGTERM", () => child.kill("SIGTERM"))
    child.once("error", reject)
    child.once("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? Exit.interrupted : Exit.failed)))
  })
