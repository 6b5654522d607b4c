/** A runner of a benchmark's own cluster: a process with the settings of `cadastre up`, which ends with its scope. */
import type * as EmbeddedPostgres from "#runners/EmbeddedPostgres.ts"
import { cleanEnvironment } from "#simulations/chaos/Child.ts"
import { type Address, format } from "#transport/Connection.ts"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { createServer } from "node:net"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** A runner does not come up, or ended by itself. */
export class RunnerFailed extends Data.TaggedError("RunnerFailed")<{ readonly message: string }> {}

export interface RunnerOptions {
  readonly postgres: Pick<EmbeddedPostgres.EmbeddedPostgres, "database" | "host" | "password" | "port" | "user">
  /** Where its blocks are; others of the cluster have the same. */
  readonly folder: string
  readonly secret: string
  readonly tls?: boolean
  readonly zones: number
  /** Tells it from others of the cluster. */
  readonly number: number
  /** Folder for a CPU profile. */
  readonly profile: string | undefined
  readonly say: (line: string) => void
}

export interface RunnerProcess {
  readonly address: Address
  readonly pid: number
  readonly ready: Effect.Effect<void, RunnerFailed>
}

const LOOPBACK = "127.0.0.1"
const READY = Duration.seconds(60)
const STOP = Duration.seconds(60)
const LOG_LINES = 5
/** Lines of trouble that a runner may tell; what follows the first says nothing new. */
const WARNINGS_MAX = 8
const WARNING_CHARACTERS = 240
const PROGRAM = fileURLToPath(new URL("../cli/main.ts", import.meta.url))

/** Starts one at a free port of this machine. */
export const start = (options: RunnerOptions): Effect.Effect<RunnerProcess, RunnerFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const { folder, number, profile, say } = options
    const address = { host: LOOPBACK, port: yield* freePort }
    const ready = yield* Deferred.make<void, RunnerFailed>()
    const ended = yield* Deferred.make<void>()
    const lines: Array<string> = []
    let stopping = false
    let warnings = 0
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [...profileFlags(profile, `runner.${number}`), PROGRAM, "runner"], {
          // Variables of the caller's own must not lead it elsewhere. In a group of its own: what a terminal sends is
          // for the run, which ends its processes in order.
          env: { ...cleanEnvironment(), ...environmentOf(options, address) },
          cwd: folder,
          detached: true,
          stdio: ["ignore", "ignore", "pipe"]
        })
      ),
      (started) =>
        Effect.gen(function*() {
          stopping = true
          started.kill("SIGTERM")
          yield* Deferred.await(ended).pipe(
            Effect.timeout(STOP),
            Effect.catchAll(() => Effect.sync(() => void started.kill("SIGKILL")))
          )
        })
    )
    child.once("error", (cause) => {
      Deferred.unsafeDone(
        ready,
        Effect.fail(new RunnerFailed({ message: `a runner does not start: ${cause.message}` }))
      )
      Deferred.unsafeDone(ended, Effect.void)
    })
    child.once("exit", (code, signal) => {
      const message = `runner ${format(address)} ended by itself (${code ?? signal}):\n${lines.join("\n")}`
      if (!stopping) say(message)
      Deferred.unsafeDone(ready, Effect.fail(new RunnerFailed({ message })))
      Deferred.unsafeDone(ended, Effect.void)
    })
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (/level=(?:WARN|ERROR|FATAL)/.test(line) && warnings++ < WARNINGS_MAX) {
        say(`runner ${format(address)}: ${line.slice(0, WARNING_CHARACTERS)}`)
      }
      lines.push(line)
      if (lines.length > LOG_LINES) lines.shift()
      if (line.includes("ready at")) Deferred.unsafeDone(ready, Effect.void)
    })
    return {
      address,
      pid: child.pid ?? 0,
      ready: Deferred.await(ready).pipe(Effect.timeoutFail({
        duration: READY,
        onTimeout: () =>
          new RunnerFailed({
            message: `runner ${format(address)} is not ready after ${Duration.format(READY)}:\n${lines.join("\n")}`
          })
      }))
    }
  })

/** What makes Node write a CPU profile of the process when it ends. */
export const profileFlags = (folder: string | undefined, name: string): ReadonlyArray<string> =>
  folder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${name}.cpuprofile`]

/** A port that nothing listens on now. */
const freePort: Effect.Effect<number> = Effect.async((resume) => {
  const server = createServer()
  server.listen(0, LOOPBACK, () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

const environmentOf = (
  { folder, postgres, secret, tls = false, zones }: RunnerOptions,
  address: Address
): Readonly<Record<string, string>> => {
  const { database, host, password, port, user } = postgres
  const place = `${user}:${encodeURIComponent(Redacted.value(password))}@localhost:${port}`
  return {
    CADASTRE_POSTGRES_URL: `postgres://${place}/${database}?host=${encodeURIComponent(host)}`,
    CADASTRE_BLOCKS: `disk:${join(folder, "blocks")}`,
    CADASTRE_SECRET: secret,
    CADASTRE_TLS: String(tls),
    CADASTRE_HOST: address.host,
    CADASTRE_LISTEN_HOST: address.host,
    CADASTRE_PORT: String(address.port),
    CADASTRE_ZONES: String(zones),
    CADASTRE_LOG_LEVEL: "info"
  }
}
