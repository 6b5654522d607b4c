/**
 * The cluster that a run measures: its own, of processes in a temporary folder with the Postgres of `cadastre up`, or one
 * that runs already.
 */
import { type BenchEnded, refused } from "#bench/Report.ts"
import * as RunnerProcess from "#bench/RunnerProcess.ts"
import { temporaryFolder } from "#bench/TemporaryFolder.ts"
import type { Options } from "#cli/Command.ts"
import { findTarget, type TargetUnknown } from "#cli/Connect.ts"
import * as Database from "#persistence/Database.ts"
import * as DataFolder from "#runners/DataFolder.ts"
import * as EmbeddedPostgres from "#runners/EmbeddedPostgres.ts"
import type { Address } from "#transport/Connection.ts"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"

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
  readonly tls: boolean
  /** Processes of the runners on this machine, as far as they are known. */
  readonly runnerPids: ReadonlyArray<number>
  /** The server of Postgres, where it is known. */
  readonly postgresPid: number | undefined
  /** Folder on the disk where Postgres writes, where it is known. */
  readonly folder: string | undefined
  readonly journalSize: Effect.Effect<JournalSize | undefined, Database.DatabaseError>
}

export interface OwnOptions {
  readonly zones: number
  readonly runners: number
  readonly tls: boolean
  /** Folder for CPU profiles of the runners. */
  readonly profile: string | undefined
  readonly say: (line: string) => void
}

const STATEMENT_MILLIS = 120_000

export type OwnError = RunnerProcess.RunnerFailed | EmbeddedPostgres.PostgresFailed | Database.DatabaseError

/** A cluster of the run's own; when the scope closes, its processes and its folder are gone. */
export const own = (options: OwnOptions): Effect.Effect<Cluster, OwnError, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = yield* temporaryFolder("mdtest")
    options.say(`a cluster of its own in ${folder}: ${options.runners} runner(s), ${options.zones} zone(s)`)
    const postgres = yield* EmbeddedPostgres.start(Path.join(folder, "postgres"))
    const secret = randomBytes(24).toString("base64url")
    const { profile, say, tls, zones } = options
    const runners: Array<RunnerProcess.RunnerProcess> = []
    for (let number = 0; number < options.runners; number++) {
      runners.push(yield* RunnerProcess.start({ postgres, folder, secret, tls, zones, number, profile, say }))
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
      tls,
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

const unknown = Effect.succeed(undefined)

/** A cluster that runs: that of a data folder which `cadastre up` serves, or one that is named by its runners. */
export const running = (options: Options): Effect.Effect<Cluster, BenchEnded> =>
  Effect.map(
    Effect.try({
      try: () => findTarget(options),
      catch: (cause) => refused(`mdtest: ${(cause as TargetUnknown).message}`)
    }),
    ({ endpoints, secret, tls }) => ({
      endpoints,
      secret: Redacted.value(secret),
      tls,
      journalSize: unknown,
      ...(options["endpoint"] === undefined ? ofFolder(String(options["data"])) : ELSEWHERE)
    })
  )

const ELSEWHERE = { runnerPids: [], postgresPid: undefined, folder: undefined }

const ofFolder = (path: string): Pick<Cluster, "runnerPids" | "postgresPid" | "folder"> => {
  const folder = DataFolder.at(path)
  const pid = DataFolder.readEndpoint(folder)?.pid
  return { runnerPids: pid === undefined ? [] : [pid], postgresPid: postmasterOf(folder.postgres), folder: folder.path }
}

const postmasterOf = (folder: string): number | undefined => {
  const file = Path.join(folder, "data", "postmaster.pid")
  return Fs.existsSync(file) ? Number(Fs.readFileSync(file, "utf8").split("\n")[0]) : undefined
}
