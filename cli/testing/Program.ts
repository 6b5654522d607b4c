/**
 * The program as its users start it: commands that run to their end, and servers that are killed, frozen and found
 * again.
 */
import * as DataFolder from "#runners/DataFolder.ts"
import { temporaryFolder } from "#runners/testing/Cluster.ts"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import * as Fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string | Buffer
  /** File that it talks into instead of being heard. */
  readonly said?: string
}

/** Variables of the developer's own must not lead a test to another file system. */
const cleanEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("CADASTRE_")))

/** Runs a command to its end. */
export const run = (args: ReadonlyArray<string>, options: RunOptions = {}): Effect.Effect<Ended> =>
  Effect.flatMap(begin(args, options), ({ ended }) => ended)

export interface Running {
  readonly process: ChildProcess
  readonly ended: Effect.Effect<Ended>
  /** What it said so far. */
  readonly said: () => string
}

/** Starts a command and lets it run. */
export const begin = (args: ReadonlyArray<string>, options: RunOptions = {}): Effect.Effect<Running> =>
  Effect.sync(() => {
    const into = options.said === undefined ? "pipe" : Fs.openSync(options.said, "a")
    const child = spawn(process.execPath, [MAIN, ...args], {
      env: { ...cleanEnvironment(), ...options.env },
      stdio: ["pipe", into, into]
    })
    if (typeof into === "number") Fs.closeSync(into)
    const stdout: Array<Buffer> = []
    const stderr: Array<Buffer> = []
    child.stdout?.on("data", (bytes: Buffer) => stdout.push(bytes))
    child.stderr?.on("data", (bytes: Buffer) => stderr.push(bytes))
    // A command that fails early does not read its input.
    child.stdin?.on("error", () => undefined)
    child.stdin?.end(options.input ?? "")
    const text = (parts: ReadonlyArray<Buffer>): string => Buffer.concat([...parts]).toString()
    const end = new Promise<Ended>((resolve) => {
      child.once("close", (code) => resolve({ code, stdout: text(stdout), stderr: text(stderr) }))
    })
    return { process: child, ended: Effect.promise(() => end), said: () => text(stdout) + text(stderr) }
  })

export interface Machine {
  readonly data: string
  /** A command on this file system. */
  readonly run: (args: ReadonlyArray<string>, options?: RunOptions) => Effect.Effect<Ended>
  readonly begin: (args: ReadonlyArray<string>, options?: RunOptions) => Effect.Effect<Running>
  readonly up: (args?: ReadonlyArray<string>) => Effect.Effect<Ended>
  readonly down: Effect.Effect<Ended>
  /** kill -9 of the server; its database lives on. */
  readonly kill: Effect.Effect<void>
}

/** A file system on this machine in a folder of its own, stopped with the scope. Not started yet. */
export const machine: Effect.Effect<Machine, never, Scope.Scope> = Effect.gen(function*() {
  const folder = yield* temporaryFolder
  const data = join(folder, "data")
  const on = (args: ReadonlyArray<string>): ReadonlyArray<string> => [...args, "--data", data]
  // One that was killed comes back where its clients look for it.
  let port = 0
  const self: Machine = {
    data,
    run: (args, options) => run(on(args), options),
    begin: (args, options) => begin(on(args), options),
    up: (args = []) => Effect.suspend(() => run(on(["up", "--detach", "--port", String(port), ...args]))),
    down: run(on(["down"])),
    kill: Effect.async<void>((resume) => {
      const endpoint = DataFolder.readEndpoint(DataFolder.at(data))
      if (endpoint === undefined) throw new Error("nothing runs that could be killed")
      port = endpoint.port
      process.kill(endpoint.pid, "SIGKILL")
      const look = setInterval(() => {
        if (isAlive(endpoint.pid)) return
        clearInterval(look)
        resume(Effect.void)
      }, 5)
    })
  }
  yield* Effect.addFinalizer(() => self.down)
  return self
})

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    // No such process.
    return false
  }
}
