import * as Database from "#persistence/Database.ts"
import * as EmbeddedPostgres from "#runners/EmbeddedPostgres.ts"
import { describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { execFile, execFileSync, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect } from "vitest"

const isRoot = process.getuid?.() === 0
const NOBODY = 65_534
const REPOSITORY = dirname(import.meta.dirname)

let root = ""
/** A cluster at rest, which tests that are not about making one copy. */
let template = ""

beforeAll(async () => {
  root = Fs.mkdtempSync(join(tmpdir(), "cadastre-postgres-"))
  Fs.chmodSync(root, 0o755)
  template = join(root, "template")
  await Effect.runPromise(Effect.scoped(EmbeddedPostgres.start(template)))
})
afterAll(() => Fs.rmSync(root, { recursive: true, force: true }))

/** A folder with a cluster that has never run there. */
const copyTo = (folder: string) =>
  Effect.promise(async () => {
    Fs.mkdirSync(dirname(folder), { recursive: true })
    await promisify(execFile)("cp", ["-a", template, folder])
    return folder
  })

/** What a client sees who connects, and does not connect again on his own account. */
const connect = (server: EmbeddedPostgres.EmbeddedPostgres) =>
  Database.make({ ...server, tls: false, connectionsMax: 2, statementMillisMax: 5000 })

const ask = (server: EmbeddedPostgres.EmbeddedPostgres, text: string) =>
  Effect.scoped(Effect.flatMap(connect(server), ({ query }) => query("ask", text)))

/** Not one that has ended and only waits for its parent to look. */
const isAlive = (pid: number): boolean => {
  try {
    return !/^State:\tZ/m.test(Fs.readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

const awaitEnd = (pid: number) =>
  Effect.repeat(Effect.sync(() => isAlive(pid)), {
    while: (alive) => alive,
    schedule: Schedule.spaced(Duration.millis(5))
  })

/** A start whose end is in the test's hands. */
const startIn = (folder: string, options?: Parameters<typeof EmbeddedPostgres.start>[1]) =>
  Effect.gen(function*() {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const server = yield* Scope.extend(EmbeddedPostgres.start(folder, options), scope)
    return { server, pid: yield* server.pid, end: Scope.close(scope, Exit.void) }
  })

const BIRTH = "select pg_postmaster_start_time()::text"

/** Asks until another server than the one born then answers. The codes of the errors before. */
const awaitNext = ({ query }: Database.DatabaseService, birth: Database.Row) =>
  Effect.gen(function*() {
    const codes = new Set<string>()
    yield* query("ask", BIRTH).pipe(
      Effect.tapError((error) => Effect.sync(() => codes.add(error.code ?? error.reason))),
      Effect.filterOrFail(([row]) => row?.[0] !== birth[0], () => "the same"),
      Effect.retry(Schedule.spaced(Duration.millis(20)))
    )
    return [...codes]
  })

/** What a database that comes and goes may say, and nothing else. */
const EXPECTED_CODES = ["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE", "CONNECTION_CLOSED", "57P01", "57P03"]

describe.concurrent("an embedded Postgres", () => {
  it.scopedLive("is made where there was none, though an earlier making was cut short", () =>
    Effect.gen(function*() {
      const folder = join(root, "made/of/nothing")
      Fs.mkdirSync(join(folder, "data.making/base"), { recursive: true })
      const steps: Array<string> = []
      const { end, pid, server } = yield* startIn(folder, { onStep: (step) => steps.push(step) })
      expect(steps).toEqual(["making a database cluster", "starting Postgres"])
      expect(yield* ask(server, "show listen_addresses")).toEqual([[""]])
      expect(yield* ask(server, "show server_encoding")).toEqual([["UTF8"]])
      expect(Fs.statSync(join(folder, "password")).mode & 0o777).toBe(0o600)
      expect(Fs.statSync(join(folder, "data")).mode & 0o777).toBe(0o700)
      expect(Fs.existsSync(join(folder, "data.making"))).toBe(false)
      yield* end
      yield* awaitEnd(pid)
    }))

  it.scopedLive("is found again by the next starter when it outlived the one before, and stopped with that one", () =>
    Effect.gen(function*() {
      const folder = yield* copyTo(join(root, "kept"))
      const first = yield* startIn(folder, { keep: true })
      yield* ask(first.server, "create table kept as select 42 as answer")
      yield* first.end
      expect(isAlive(first.pid)).toBe(true)
      const steps: Array<string> = []
      const second = yield* startIn(folder, { onStep: (step) => steps.push(step) })
      expect(steps).toEqual(["starting Postgres"])
      expect(second.pid).toBe(first.pid)
      expect(yield* ask(second.server, "select answer from kept")).toEqual([[42]])
      yield* second.end
      yield* awaitEnd(first.pid)
      const third = yield* startIn(folder)
      expect(third.pid).not.toBe(first.pid)
      expect(yield* ask(third.server, "select answer from kept")).toEqual([[42]])
    }))

  it.scopedLive("comes back with all that was committed when it is killed or stopped, and its clients go on", () =>
    Effect.gen(function*() {
      const { pid, server } = yield* startIn(yield* copyTo(join(root, "killed")))
      const client = yield* connect(server)
      yield* client.query("fill", "create table kept as select 42 as answer")
      const lives = [yield* client.query("ask", BIRTH)]
      process.kill(pid, "SIGKILL")
      const codes = yield* awaitNext(client, lives[0]![0]!)
      expect(yield* server.pid).not.toBe(pid)
      lives.push(yield* client.query("ask", BIRTH))
      yield* server.stop
      codes.push(...(yield* awaitNext(client, lives[1]![0]!)))
      expect(codes).not.toEqual([])
      for (const code of codes) expect(EXPECTED_CODES).toContain(code)
      // On each of its connections.
      const read = client.query("read", "select answer from kept")
      expect(yield* Effect.replicateEffect(read, 4).pipe(Effect.withConcurrency("unbounded"))).toEqual(
        Array.from({ length: 4 }, () => [[42]])
      )
    }))

  it.scopedLive("runs in a folder whose path is too long for a socket", () =>
    Effect.gen(function*() {
      const folder = yield* copyTo(join(root, "long", "x".repeat(120)))
      const { end, server } = yield* startIn(folder)
      expect(server.host.length).toBeLessThan(90)
      yield* Effect.addFinalizer(() => Effect.sync(() => Fs.rmSync(server.host, { recursive: true })))
      expect(Fs.statSync(server.host).mode & 0o777).toBe(0o700)
      expect(yield* ask(server, "show data_directory")).toEqual([[join(folder, "data")]])
      yield* end
      const again = yield* startIn(folder)
      expect(again.server.host).toBe(server.host)
      expect(yield* ask(again.server, "select 1")).toEqual([[1]])
    }))

  it.scopedLive("does not put its socket where somebody else has led it", () =>
    Effect.gen(function*() {
      const folder = yield* copyTo(join(root, "led", "x".repeat(120)))
      const name = createHash("sha256").update(folder).digest("hex").slice(0, 16)
      const short = join(tmpdir(), `cadastre-${name}`)
      const elsewhere = join(root, "elsewhere")
      Fs.mkdirSync(elsewhere)
      Fs.symlinkSync(elsewhere, short)
      yield* Effect.addFinalizer(() => Effect.sync(() => Fs.rmSync(short)))
      const error = yield* Effect.flip(EmbeddedPostgres.start(folder))
      expect(error.message).toContain(`choose a folder for its socket: ${short} is somebody else's`)
      expect(Fs.statSync(elsewhere).uid).toBe(process.getuid?.())
    }))

  it.scopedLive("runs in a folder whose name would confuse a shell", () =>
    Effect.gen(function*() {
      const folder = yield* copyTo(join(root, "my files", "Größe, it's \"$HOME\" `id`"))
      const { server } = yield* startIn(folder)
      expect(yield* ask(server, "show data_directory")).toEqual([[join(folder, "data")]])
    }))

  if (isRoot) {
    it.scopedLive("is made and runs as an ordinary user below a folder that is closed to all but root", () =>
      Effect.gen(function*() {
        const closed = join(root, "closed")
        Fs.mkdirSync(closed, { mode: 0o700 })
        const { end, pid, server } = yield* startIn(join(closed, "postgres"))
        expect(Fs.statSync(`/proc/${pid}`).uid).not.toBe(0)
        expect(yield* ask(server, "select 1")).toEqual([[1]])
        expect(Fs.statSync(closed)).toMatchObject({ uid: 0, mode: 0o40700 })
        yield* end
        yield* awaitEnd(pid)
      }))
  }

  it.scopedLive("says which folder it cannot make, and why", () =>
    Effect.gen(function*() {
      const file = join(root, "file")
      Fs.writeFileSync(file, "")
      const error = yield* Effect.flip(EmbeddedPostgres.start(join(file, "postgres")))
      expect(error).toMatchObject({ _tag: "PostgresFailed", step: "prepare its folder" })
      expect(error.message).toContain(`ENOTDIR: not a directory, mkdir '${file}/postgres'`)
    }))

  // Root may write everywhere: somebody else has to try.
  it.runIf(!isRoot || mayRead(NOBODY))("says which folder it may not write into", () => {
    const folder = join(root, "not-mine")
    Fs.mkdirSync(folder, { mode: 0o555 })
    const script = `
      const EmbeddedPostgres = await import("#runners/EmbeddedPostgres.ts")
      const Effect = await import("effect/Effect")
      const start = Effect.scoped(EmbeddedPostgres.start(${JSON.stringify(folder)}))
      console.log((await Effect.runPromise(Effect.flip(start))).message)`
    const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd: REPOSITORY,
      encoding: "utf8",
      ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {})
    })
    expect(said).toMatch(
      /^embedded Postgres: write its password: EACCES: permission denied, open '.*\/not-mine\/password'/
    )
  })

  it.scopedLive("that was left over is stopped, once", () =>
    Effect.gen(function*() {
      const folder = yield* copyTo(join(root, "left-over"))
      expect(yield* EmbeddedPostgres.stopLeftOver(join(root, "nowhere"))).toBe(false)
      expect(yield* EmbeddedPostgres.stopLeftOver(folder)).toBe(false)
      const { end, pid } = yield* startIn(folder, { keep: true })
      yield* end
      expect(yield* EmbeddedPostgres.stopLeftOver(folder)).toBe(true)
      yield* awaitEnd(pid)
      expect(yield* EmbeddedPostgres.stopLeftOver(folder)).toBe(false)
    }))

  it.scopedLive("that was killed is not left over, though its files say so", () =>
    Effect.gen(function*() {
      const folder = yield* copyTo(join(root, "died"))
      const { end, pid } = yield* startIn(folder, { keep: true })
      yield* end
      process.kill(pid, "SIGKILL")
      yield* awaitEnd(pid)
      expect(Fs.existsSync(join(folder, "data/postmaster.pid"))).toBe(true)
      expect(yield* EmbeddedPostgres.stopLeftOver(folder)).toBe(false)
    }))
})

/** Whether the user may read this repository, and so run its code. */
const mayRead = (uid: number): boolean =>
  spawnSync("cat", [import.meta.filename], { uid, gid: uid, stdio: "ignore" }).status === 0
