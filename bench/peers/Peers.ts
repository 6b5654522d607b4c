/**
 * `bench peers`: Cadastre and others on the same machine and the same Postgres, one after the other: a file system with
 * one SQL row an operation, JuiceFS on Postgres and on Redis, and what database and disk do at best. What is not
 * installed is skipped, with a line that says so.
 */
import { fdatasyncMicros } from "#bench/Floors.ts"
import { untilSignalled } from "#bench/Interruptible.ts"
import * as Cadastre from "#bench/peers/Cadastre.ts"
import * as DurableFloors from "#bench/peers/DurableFloors.ts"
import { type Finding, type Findings, reportOf } from "#bench/peers/Findings.ts"
import * as JuiceFs from "#bench/peers/JuiceFs.ts"
import * as Loops from "#bench/peers/Loops.ts"
import * as Pgbench from "#bench/peers/Pgbench.ts"
import * as Programs from "#bench/peers/Programs.ts"
import * as RedisServer from "#bench/peers/RedisServer.ts"
import * as SqlFileSystem from "#bench/peers/SqlFileSystem.ts"
import { quantile } from "#bench/Quantile.ts"
import { type Bench, type BenchOptions, refused, rounded } from "#bench/Report.ts"
import { temporaryFolder } from "#bench/TemporaryFolder.ts"
import * as Database from "#persistence/Database.ts"
import * as EmbeddedPostgres from "#runners/EmbeddedPostgres.ts"
import * as Effect from "effect/Effect"
import { join } from "node:path"

const SECONDS_BY_DEFAULT = 10
/** Callers at once, and commands of a message at full load. */
const SINGLE_CALLERS = 64
const BATCH_CALLERS = 16
const BATCH_COMMANDS = 512
/** Part of a phase's time that Cadastre runs uncounted before it, as the compiler needs to see the code first. */
const WARM_UP_SHARE = 0.2
/** Files that each directory of the SQL file system holds before anything is measured. */
const SQL_FILES_PER_DIRECTORY = 10_000
const STATEMENT_MILLIS_MAX = 60_000
const COLUMNS_BY_DEFAULT = 80

export interface Settings {
  /** Of each phase. */
  readonly seconds: number
  readonly sqlFilesPerDirectory: number
  readonly pgbench: string | undefined
  readonly juicefs: string | undefined
  readonly redis: string | undefined
}

/** A server to make databases in, and a folder for all else. */
export interface Place {
  readonly postgres: Pick<EmbeddedPostgres.EmbeddedPostgres, "host" | "port" | "user" | "password">
  readonly folder: string
}

export interface Voice {
  /** A line that stays. */
  readonly say: (line: string) => void
  /** How far a phase is; the next one replaces it. */
  readonly show: (line: string) => void
}

export const peers: Bench = async (options, say) => {
  const settings = settingsOf(options, process.env)
  const findings = await untilSignalled(
    "peers",
    Effect.scoped(Effect.gen(function*() {
      const folder = yield* temporaryFolder("peers")
      say("starting a Postgres of its own")
      const postgres = yield* EmbeddedPostgres.start(join(folder, "postgres"))
      return yield* measure({ postgres, folder }, settings, voiceOf(say))
    }))
  )
  return reportOf(findings)
}

/** Where the programs are; throws if one that was named is none. */
export const settingsOf = ({ juicefs, seconds }: BenchOptions, environment: NodeJS.ProcessEnv): Settings => {
  if (juicefs !== undefined && !Programs.isProgram(juicefs)) {
    throw refused(`--juicefs ${juicefs}: there is no program; leave it out, or build one as docs/peers.md tells`)
  }
  return {
    seconds: seconds ?? SECONDS_BY_DEFAULT,
    sqlFilesPerDirectory: SQL_FILES_PER_DIRECTORY,
    pgbench: Programs.find("pgbench", environment),
    juicefs: juicefs ?? Programs.find("juicefs", environment),
    redis: Programs.find("redis-server", environment)
  }
}

/** All phases; what is found is said at once. */
export const measure = ({ folder, postgres }: Place, settings: Settings, voice: Voice) =>
  Effect.gen(function*() {
    const { seconds } = settings
    const findings: Findings = {}
    const found = (name: Finding, value: number): void => {
      findings[name] = value
      voice.say(`  ${name.padEnd(40)} ${rounded(value).toLocaleString("en-US")}`)
    }
    const phase = (what: string): Loops.LoopOptions => {
      let second = 0
      voice.show(`  ${what} …`)
      return {
        seconds,
        onProgress: (perSecond) => voice.show(`  ${what}: ${++second} s, ${Math.round(perSecond)} a second`)
      }
    }
    const at = { postgres, folder, settings, found, phase, say: voice.say }
    found("fdatasyncP50Millis", fdatasyncMicros(folder) / 1000)
    yield* sqlFileSystem(at)
    yield* cadastre(at)
    yield* juiceFs(at)
    return findings
  })

interface Stage extends Place {
  readonly settings: Settings
  readonly found: (name: Finding, value: number) => void
  readonly phase: (what: string) => Loops.LoopOptions
  readonly say: (line: string) => void
}

const sqlFileSystem = (stage: Stage) =>
  Effect.scoped(Effect.gen(function*() {
    const { found, phase, say, settings: { pgbench, sqlFilesPerDirectory: files } } = stage
    if (pgbench === undefined) {
      return say(
        "skipped: SQL file system: pgbench is not in the PATH (Debian has it in the package of the server, such as postgresql-15)"
      )
    }
    const { admin, options } = yield* freshDatabase(stage, "peers_sql")
    yield* admin.script("make the SQL file system", SqlFileSystem.schemaOf(files))
    const run = (what: string, script: string, variables: Readonly<Record<string, number>>) =>
      Pgbench.run({
        program: pgbench,
        database: options,
        folder: stage.folder,
        script,
        variables,
        clients: SqlFileSystem.CLIENTS,
        ...phase(what)
      })
    found("sqlStatsPerSecond", yield* run("SQL stats", SqlFileSystem.STAT, SqlFileSystem.statVariables(files)))
    found("sqlCreatesPerSecond", yield* run("SQL creates", SqlFileSystem.CREATE, SqlFileSystem.CREATE_VARIABLES))
  }))

const cadastre = (stage: Stage) =>
  Effect.scoped(Effect.gen(function*() {
    const { found, phase } = stage
    const { admin, options } = yield* freshDatabase(stage, "peers_cadastre")
    const client = yield* Cadastre.start(options, stage.folder, stage.say)
    const load = yield* Cadastre.workload(client, SINGLE_CALLERS)
    const warmed = <E>(callers: number, ask: Loops.Ask<E>, what: string) => {
      const all = phase(what)
      const short = { ...all, seconds: all.seconds * WARM_UP_SHARE }
      return Effect.zipRight(Loops.closed(callers, ask, short), Loops.closed(callers, ask, all))
    }

    const { millis } = yield* warmed(1, load.create(1), "one caller's creates")
    found("onep50Millis", quantile(millis, 0.5))
    found("commitP50Millis", yield* DurableFloors.commitP50(admin, phase("lone commits")))

    const single = load.create(1)
    const singleRate = Loops.perSecond(yield* warmed(SINGLE_CALLERS, single, "creates, one a call"))
    found("singleCreatesPerSecond", singleRate)
    const half = yield* Loops.open(singleRate / 2, SINGLE_CALLERS, single, phase("half of these creates"))
    found("p99AtHalfLoadMillis", quantile(half.millis, 0.99))
    const stats = yield* warmed(SINGLE_CALLERS, load.stat(1), "stats, one a call")
    found("singleStatsPerSecond", Loops.perSecond(stats))

    const batched = load.create(BATCH_COMMANDS)
    const before = yield* journalOf(admin)
    const batchedLoad = yield* warmed(BATCH_CALLERS, batched, "creates, batched")
    const after = yield* journalOf(admin)
    found("batchedCreatesPerSecond", Loops.perSecond(batchedLoad))
    const rows = after.rows - before.rows
    const createsPerAppend = (after.events - before.events) / rows
    const bytes = Math.round((after.bytes - before.bytes) / rows)
    found("createsPerAppend", createsPerAppend)
    found("bytesPerAppend", bytes)
    const messagesPerSecond = Loops.perSecond(batchedLoad) / 2 / BATCH_COMMANDS
    const halfBatched = yield* Loops.open(messagesPerSecond, BATCH_CALLERS, batched, phase("half of these, batched"))
    found("batchedP99AtHalfLoadMillis", quantile(halfBatched.millis, 0.99))
    const batchedStats = yield* warmed(BATCH_CALLERS, load.stat(BATCH_COMMANDS), "stats, batched")
    found("batchedStatsPerSecond", Loops.perSecond(batchedStats))

    const appends = yield* DurableFloors.appendsPerSecond(admin, bytes, phase("packed appends"))
    found("appendsPerSecond", appends)
    found("appendedCreatesPerSecond", appends * createsPerAppend)
  }))

/** Sums over the whole journal. */
const journalOf = (database: Database.DatabaseService) =>
  Effect.map(
    database.query(
      "measure the journal",
      "select count(*), sum(last - first + 1), sum(octet_length(payload)) from cadastre.journal"
    ),
    ([row]) => ({ rows: Number(row?.[0]), events: Number(row?.[1]), bytes: Number(row?.[2]) })
  )

const juiceFs = (stage: Stage) =>
  Effect.gen(function*() {
    const { found, folder, phase, postgres, say, settings: { juicefs, redis } } = stage
    if (juicefs === undefined) {
      const places = "neither --juicefs, $CADASTRE_PEERS nor the PATH leads to its program"
      return say(`skipped: JuiceFS: ${places}; docs/peers.md tells how to build it`)
    }
    const creates = (what: string, metaUrl: string, password: JuiceFs.JuiceFsOptions["password"]) =>
      JuiceFs.creates({
        program: juicefs,
        metaUrl,
        folder: join(folder, what),
        seconds: phase(`JuiceFS on ${what}`).seconds,
        password
      })
    yield* Effect.scoped(Effect.gen(function*() {
      const { options } = yield* freshDatabase(stage, "peers_juicefs")
      const url = `postgres://${options.user}@/${options.database}?host=${options.host}&port=${options.port}`
      found("juicefsPostgresCreatesPerSecond", yield* creates("postgres", url, postgres.password))
    }))
    if (redis === undefined) {
      return say("skipped: JuiceFS on Redis: redis-server is not in the PATH (Debian: redis-server)")
    }
    for (const durable of [true, false]) {
      const what = durable ? "redis-always" : "redis-default"
      const finding = durable ? "juicefsRedisCreatesPerSecond" : "juicefsRedisDefaultCreatesPerSecond"
      yield* Effect.scoped(Effect.gen(function*() {
        const url = yield* RedisServer.start({ program: redis, folder: join(folder, what), durable })
        found(finding, yield* creates(what, url, undefined))
      }))
    }
  })

/** A database of its own and a connection to it, which go with the scope. All that was written before is on disk. */
const freshDatabase = ({ postgres, settings }: Stage, name: string) =>
  Effect.gen(function*() {
    const { host, password, port, user } = postgres
    const optionsOf = (database: string): Database.DatabaseOptions => ({
      host,
      password,
      port,
      user,
      database,
      tls: false,
      connectionsMax: 1,
      statementMillisMax: STATEMENT_MILLIS_MAX + settings.seconds * 1000
    })
    const server = yield* Database.make(optionsOf("postgres"))
    yield* Effect.acquireRelease(
      server.query("make a database", `create database ${name}`),
      () => Effect.orDie(server.query("drop a database", `drop database ${name} with (force)`))
    )
    yield* server.query("write all that waits", "checkpoint")
    const options = optionsOf(name)
    return { options, admin: yield* Database.make(options) }
  })

/** Lines that replace each other are for a terminal; elsewhere only those that stay are said. */
const voiceOf = (say: (line: string) => void): Voice => {
  const { stderr } = process
  if (!stderr.isTTY) return { say, show: () => undefined }
  const clear = (): void => void stderr.write("\r\u001b[K")
  return {
    say: (line) => {
      clear()
      say(line)
    },
    show: (line) => {
      clear()
      // A terminal that does not tell its width says 0.
      stderr.write(line.slice(0, (stderr.columns || COLUMNS_BY_DEFAULT) - 1))
    }
  }
}
