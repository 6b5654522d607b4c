/**
 * The cluster that a run measures: its own, of processes in a temporary folder with the Postgres of `cadastre up`, or one
 * that runs already.
 */
import { refused } from "#bench/Report.ts"
import * as Database from "#persistence/Database.ts"
import * as DataFolder from "#runners/DataFolder.ts"
import * as EmbeddedPostgres from "#runners/EmbeddedPostgres.ts"
import { type Address, format } from "#transport/Connection.ts"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import { createServer } from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** What the journal takes so far, in bytes. */
export interface JournalSize {
  /** Payloads alone. */
  readonly payloadBytes: number
  /** The table with its index, as Postgres keeps it. */
  readonly tableBytes: number
  readonly rows: number
  /** Postgres's own log, all that it ever wrote. */
  readonly walBytes: number
}

export interface Cluster {
  readonly endpoints: ReadonlyArray<Address>
  readonly secret: string
  /** Processes of the runners on this machine, as far as they are known. */
  readonly runnerPids: ReadonlyArray<number>
  /** The server of Postgres, where it is known. */
  readonly postgresPid: number | undefined
  /** Folder on the disk where Postgres writes, where it is known. */
  readonly folder: string | undefined
  readonly journalSize: Effect.Effect<JournalSize | undefined, Database.DatabaseError>
}

/** The run's cluster does not come up, or a part of it ended. */
export class ClusterFailed extends Data.TaggedError("ClusterFailed")<{ readonly message: string }> {}

export interface OwnOptions {
  readonly zones: number
  readonly runners: number
  /** Folder for CPU profiles of the runners. */
  readonly profile: string | undefined
  readonly say: (line: string) => void
}

const LOOPBACK = "127.0.0.1"
const READY = Duration.seconds(60)
const STOP = Duration.seconds(60)
const STATEMENT_MILLIS = 120_000
const LOG_LINES = 5
/** Lines of trouble that a runner may tell; what follows the first says nothing new. */
const WARNINGS_MAX = 8
const WARNING_CHARACTERS = 240

export type OwnError = ClusterFailed | EmbeddedPostgres.PostgresFailed | Database.DatabaseError

/** A cluster of the run's own; when the scope closes, its processes and its folder are gone. */
export const own = (options: OwnOptions): Effect.Effect<Cluster, OwnError, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const made = Fs.mkdtempSync(Path.join(Os.tmpdir(), "cadastre-mdtest-"))
        // Postgres may run as another user, who must pass through it.
        Fs.chmodSync(made, 0o755)
        return made
      }),
      (made) => Effect.sync(() => Fs.rmSync(made, { recursive: true, force: true }))
    )
    options.say(`a cluster of its own in ${folder}: ${options.runners} runner(s), ${options.zones} zone(s)`)
    const postgres = yield* EmbeddedPostgres.start(Path.join(folder, "postgres"))
    const secret = randomBytes(24).toString("base64url")
    const runners: Array<Runner> = []
    for (let n = 0; n < options.runners; n++) {
      const address = { host: LOOPBACK, port: yield* freePort }
      runners.push(
        yield* startRunner(n, address, folder, environmentOf(postgres, folder, secret, address, options), options)
      )
    }
    yield* Effect.forEach(runners, ({ ready }) => ready, { discard: true, concurrency: "unbounded" })
    const { query } = yield* Database.make({
      ...postgres,
      tls: false,
      connectionsMax: 1,
      statementMillisMax: STATEMENT_MILLIS
    })
    return {
      endpoints: runners.map(({ address }) => address),
      secret,
      runnerPids: runners.map(({ pid }) => pid),
      postgresPid: yield* postgres.pid,
      folder,
      journalSize: Effect.map(query("measure the journal", SIZES), ([row]) => {
        const [payloadBytes = 0, rows = 0, tableBytes = 0, walBytes = 0] = (row ?? []).map(Number)
        return { payloadBytes, rows, tableBytes, walBytes }
      })
    }
  })

/** The length of a payload is known without reading it. */
const SIZES = `select coalesce(sum(octet_length(payload)), 0)::text, count(*)::text,
  pg_total_relation_size('cadastre.journal')::text, (pg_current_wal_lsn() - '0/0')::text from cadastre.journal`

/** The settings of `cadastre up`, which are those of a runner that is told no others. */
const environmentOf = (
  { database, host, password, port, user }: EmbeddedPostgres.EmbeddedPostgres,
  folder: string,
  secret: string,
  address: Address,
  { zones }: OwnOptions
): Readonly<Record<string, string>> => ({
  CADASTRE_POSTGRES_URL: `postgres://${user}:${
    encodeURIComponent(Redacted.value(password))
  }@localhost:${port}/${database}?host=${encodeURIComponent(host)}`,
  CADASTRE_BLOCKS: `disk:${Path.join(folder, "blocks")}`,
  CADASTRE_SECRET: secret,
  CADASTRE_HOST: address.host,
  CADASTRE_LISTEN_HOST: address.host,
  CADASTRE_PORT: String(address.port),
  CADASTRE_ZONES: String(zones),
  CADASTRE_LOG_LEVEL: "info"
})

interface Runner {
  readonly address: Address
  readonly pid: number
  readonly ready: Effect.Effect<void, ClusterFailed>
}

const PROGRAM = fileURLToPath(new URL("../../cli/main.ts", import.meta.url))

const startRunner = (
  n: number,
  address: Address,
  folder: string,
  environment: Readonly<Record<string, string>>,
  { profile, say }: OwnOptions
): Effect.Effect<Runner, ClusterFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const ready = yield* Deferred.make<void, ClusterFailed>()
    const ended = yield* Deferred.make<void>()
    const lines: Array<string> = []
    let stopping = false
    let warnings = 0
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [...profileFlags(profile, `runner.${n}`), PROGRAM, "runner"], {
          // Variables of the caller's own must not lead it elsewhere. In a group of its own: what a terminal sends is
          // for the run, which ends its processes in order.
          env: { ...withoutSettings(process.env), ...environment },
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
        Effect.fail(new ClusterFailed({ message: `a runner does not start: ${cause.message}` }))
      )
      Deferred.unsafeDone(ended, Effect.void)
    })
    child.once("exit", (code, signal) => {
      const message = `runner ${format(address)} ended by itself (${code ?? signal}):\n${lines.join("\n")}`
      if (!stopping) say(message)
      Deferred.unsafeDone(ready, Effect.fail(new ClusterFailed({ message })))
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
          new ClusterFailed({
            message: `runner ${format(address)} is not ready after ${Duration.format(READY)}:\n${lines.join("\n")}`
          })
      }))
    }
  })

/** What makes Node write a CPU profile of the process when it ends. */
export const profileFlags = (folder: string | undefined, name: string): ReadonlyArray<string> =>
  folder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${name}.cpuprofile`]

const withoutSettings = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("CADASTRE_")))

const freePort: Effect.Effect<number> = Effect.async((resume) => {
  const server = createServer()
  server.listen(0, LOOPBACK, () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

const unknown = Effect.succeed(undefined)

/** The cluster of a data folder that `cadastre up` serves. */
export const ofFolder = (path: string): Cluster => {
  const folder = DataFolder.at(path)
  const endpoint = DataFolder.readEndpoint(folder)
  if (endpoint === undefined || !DataFolder.isServed(endpoint)) {
    throw refused(`mdtest: no file system in ${folder.path}; start one with: cadastre up --data ${folder.path}`)
  }
  return {
    endpoints: [endpoint],
    secret: Redacted.value(DataFolder.readSecret(folder)),
    runnerPids: [endpoint.pid],
    postgresPid: postmasterOf(folder.postgres),
    folder: folder.path,
    journalSize: unknown
  }
}

const postmasterOf = (folder: string): number | undefined => {
  const file = Path.join(folder, "data", "postmaster.pid")
  return Fs.existsSync(file) ? Number(Fs.readFileSync(file, "utf8").split("\n")[0]) : undefined
}

/** A cluster that is somewhere: `host:port`, several with commas. */
export const at = (endpoints: string, secretFile: string | undefined): Cluster => ({
  endpoints: endpoints.split(",").map(addressOf),
  secret: secretOf(secretFile ?? process.env["CADASTRE_SECRET_FILE"]),
  runnerPids: [],
  postgresPid: undefined,
  folder: undefined,
  journalSize: unknown
})

const addressOf = (text: string): Address => {
  const [, v6, host, port] = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text.trim()) ?? []
  const name = v6 ?? host
  if (name === undefined || Number(port) > 65535) throw refused(`mdtest: --connect: ${text} is not host:port`)
  return { host: name, port: Number(port) }
}

const secretOf = (file: string | undefined): string => {
  const given = process.env["CADASTRE_SECRET"]
  if (file === undefined && given !== undefined) return given
  if (file === undefined) throw refused("mdtest: --connect: name the secret with --secret-file or $CADASTRE_SECRET")
  try {
    return Fs.readFileSync(file, "utf8").trim()
  } catch (cause) {
    throw refused(`mdtest: the secret cannot be read: ${(cause as Error).message}`)
  }
}
