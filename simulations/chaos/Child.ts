/**
 * A process that this run started: its pid, its signals, its lines, its end. It is killed with its scope, and
 * nothing but its own pid ever gets a signal.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Child {
  readonly name: string
  readonly pid: number
  readonly isAlive: () => boolean
  /** Whether somebody sent it a signal that ends it. */
  readonly isDoomed: () => boolean
  readonly signal: (signal: NodeJS.Signals) => void
  /** Somebody ends it by another way. */
  readonly doom: () => void
  readonly write: (line: string) => void
  readonly ended: Effect.Effect<Ended>
}

export interface ChildOptions {
  readonly name: string
  readonly command: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly onLine: (line: string) => void
  /** Where standard error goes; with the other lines if undefined. */
  readonly onErrorLine?: (line: string) => void
}

const ENDING: ReadonlySet<NodeJS.Signals> = new Set(["SIGKILL", "SIGTERM"])

export const start = (options: ChildOptions): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => begin(options)),
    (child) => Effect.zipRight(Effect.sync(() => child.signal("SIGKILL")), child.ended)
  )

const begin = ({ command, env, name, onErrorLine, onLine }: ChildOptions): Child => {
  const [file = "", ...args] = command
  // In a group of its own: what a terminal sends is for the run, which then ends its processes in order.
  const child = spawn(file, args, { env: { ...cleanEnvironment(), ...env }, detached: true })
  const ended = Deferred.unsafeMake<Ended>(FiberId.none)
  let alive = true
  let doomed = false
  const end = (code: number | null, signal: NodeJS.Signals | null): void => {
    alive = false
    Deferred.unsafeDone(ended, Effect.succeed({ code, signal }))
  }
  child.once("close", end)
  child.once("error", (cause) => {
    onLine(`does not start: ${cause.message}`)
    end(null, null)
  })
  // One that is dead does not read.
  child.stdin.on("error", () => undefined)
  eachLine(child.stdout, onLine)
  eachLine(child.stderr, onErrorLine ?? onLine)
  return {
    name,
    pid: child.pid ?? 0,
    isAlive: () => alive,
    isDoomed: () => doomed,
    signal: (signal) => {
      if (ENDING.has(signal)) doomed = true
      if (alive) child.kill(signal)
    },
    doom: () => {
      doomed = true
    },
    write: (line) => void (alive && child.stdin.write(`${line}\n`)),
    ended: Deferred.await(ended)
  }
}

const eachLine = (stream: Readable, onLine: (line: string) => void): void =>
  void createInterface({ input: stream }).on("line", onLine)

/** Variables of the caller's own must not lead it to another file system. */
export const cleanEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("CADASTRE_")))

export interface Output {
  readonly code: number
  readonly text: string
}

/** Runs a command to its end. */
export const run = (...command: ReadonlyArray<string>): Effect.Effect<Output> =>
  Effect.scoped(Effect.gen(function*() {
    const lines: Array<string> = []
    const child = yield* start({ name: command[0] ?? "", command, onLine: (line) => void lines.push(line) })
    const { code } = yield* child.ended
    return { code: code ?? 1, text: lines.join("\n") }
  }))

/** A command did not do what it must. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed"
}

/** Runs a command that must succeed. */
export const must = (...command: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.flatMap(
    run(...command),
    ({ code, text }) =>
      code === 0 ? Effect.succeed(text) : Effect.die(new CommandFailed(`${command.join(" ")}: ${text}`))
  )
