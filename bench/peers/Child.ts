/**
 * A program of somebody else's that a measurement starts: its lines, its end. It lives in its own process group, and
 * ends with its scope.
 */
import { cleanEnvironment } from "#simulations/chaos/Child.ts"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"

/** The program did not do what it was started for. */
export class ChildFailed extends Data.TaggedError("ChildFailed")<{ readonly message: string }> {}

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Seconds after which it is taken for hanging, and ended. */
  readonly secondsMax: number
  /** Told each line that it says, on standard output or standard error. */
  readonly onLine?: (line: string) => void
}

/** Lines that are kept of what it says. */
const LINES_MAX = 1000
const LINES_IN_ERRORS = 20
/** Time to end by itself after SIGTERM. */
const GRACE = Duration.seconds(10)

interface Running {
  readonly pid: number | undefined
  readonly lines: Array<string>
  /** Its exit code, or what ended it. */
  readonly ended: Deferred.Deferred<number, ChildFailed>
}

/** Runs it to its end, which must be good, and answers its lines. */
export const run = (
  file: string,
  args: ReadonlyArray<string>,
  options: ChildOptions
): Effect.Effect<ReadonlyArray<string>, ChildFailed> =>
  Effect.scoped(Effect.gen(function*() {
    const running = yield* begin(file, args, options.env, options.onLine)
    const code = yield* limited(Deferred.await(running.ended), file, running, options.secondsMax)
    if (code !== 0) return yield* failed(file, `it ended with ${code}`, running)
    return running.lines
  }))

/** Starts a server, and answers what `ready` makes of the first line that it makes something of. */
export const serve = <A>(
  file: string,
  args: ReadonlyArray<string>,
  options: Omit<ChildOptions, "onLine"> & { readonly ready: (line: string) => A | undefined }
): Effect.Effect<A, ChildFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const { ready } = options
    const heard = yield* Deferred.make<A>()
    const running = yield* begin(file, args, options.env, (line) => {
      const value = ready(line)
      if (value !== undefined) Deferred.unsafeDone(heard, Effect.succeed(value))
    })
    const early = Effect.flatMap(
      Deferred.await(running.ended),
      (code) => failed(file, `it ended with ${code} before it was ready`, running)
    )
    return yield* limited(Effect.raceFirst(Deferred.await(heard), early), file, running, options.secondsMax)
  })

const limited = <A>(
  wait: Effect.Effect<A, ChildFailed>,
  file: string,
  running: Running,
  secondsMax: number
): Effect.Effect<A, ChildFailed> =>
  Effect.timeoutFail(wait, {
    duration: Duration.seconds(secondsMax),
    onTimeout: () => failed(file, `not done after ${secondsMax} s`, running)
  })

const failed = (file: string, what: string, { lines }: Running): ChildFailed =>
  new ChildFailed({ message: [`${file}: ${what}`, ...lines.slice(-LINES_IN_ERRORS)].join("\n  ") })

const begin = (
  file: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> | undefined,
  onLine: ((line: string) => void) | undefined
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function*() {
      const ended = yield* Deferred.make<number, ChildFailed>()
      // What a terminal sends is for the measurement, which then ends its programs in order.
      const child = spawn(file, args, {
        env: { ...cleanEnvironment(), ...env },
        detached: true,
        stdio: ["ignore", "pipe", "pipe"]
      })
      const running: Running = { pid: child.pid, lines: [], ended }
      child.once(
        "error",
        ({ message }) => Deferred.unsafeDone(ended, new ChildFailed({ message: `${file} does not start: ${message}` }))
      )
      child.once("close", (code, signal) =>
        Deferred.unsafeDone(
          ended,
          code === null ? failed(file, `ended by ${signal ?? "nobody knows what"}`, running) : Effect.succeed(code)
        ))
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on("line", (line) => {
          running.lines.push(line)
          if (running.lines.length > LINES_MAX) running.lines.shift()
          onLine?.(line)
        })
      }
      return running
    }),
    ({ ended, pid }) => {
      const over = Effect.ignore(Deferred.await(ended))
      const killed = Effect.zipRight(Effect.sync(() => signal(pid, "SIGKILL")), over)
      const asked = Effect.zipRight(Effect.sync(() => signal(pid, "SIGTERM")), over)
      return Effect.flatMap(Deferred.isDone(ended), (done) =>
        done ? Effect.void : Effect.timeoutTo(Effect.interruptible(asked), {
          duration: GRACE,
          onSuccess: () =>
            Effect.void,
          onTimeout: () => killed
        }).pipe(Effect.flatten))
    }
  )

/** To its group: a wrapper's child goes with it. */
const signal = (pid: number | undefined, name: NodeJS.Signals): void => {
  if (pid === undefined) return
  try {
    process.kill(-pid, name)
  } catch (cause) {
    // It has just ended.
    if ((cause as NodeJS.ErrnoException).code !== "ESRCH") throw cause
  }
}
