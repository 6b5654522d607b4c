import * as Database from "#persistence/Database.ts"
import * as PostgresProxy from "#persistence/PostgresProxy.testing.ts"
import * as EmbeddedPostgres from "#runners/EmbeddedPostgres.ts"
import { freshDatabase } from "#runners/testing/FreshDatabase.ts"
import { layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { mkdtempSync, rmSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"

/** Where the tests' database is, and a way into it that they leave alone. */
class Fixture extends Context.Tag("cadastre/test/DatabaseFixture")<Fixture, {
  readonly options: Database.DatabaseOptions
  readonly observer: Database.DatabaseService
}>() {}

const fixture = Layer.scoped(
  Fixture,
  Effect.gen(function*() {
    const options = yield* freshDatabase
    return { options, observer: yield* Database.make(options) }
  })
)

const open = (given: Partial<Database.DatabaseOptions>) =>
  Effect.flatMap(Fixture, ({ options }) => Database.make({ ...options, ...given }))

/** Statements of others on the test's database that run now. */
const activeCount = Effect.flatMap(Fixture, ({ observer }) =>
  Effect.map(
    observer.query(
      "look at what runs",
      `select count(*) from pg_stat_activity
       where datname = current_database() and state = 'active' and pid <> pg_backend_pid()`
    ),
    ([row]) => Number(row![0])
  ))

const awaitActive = (count: number) =>
  Effect.repeat(activeCount, { until: (found) => found === count, schedule: Schedule.spaced(Duration.millis(5)) })

layer(fixture, { excludeTestServices: true, timeout: "30 seconds" })("a database", (it) => {
  it.scoped("gives rows as arrays of columns, numbers beyond 2^53 as text and bytes as bytes", () =>
    Effect.gen(function*() {
      const { query } = yield* open({})
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
      const values = [2n ** 62n, bytes, ["a", "b,{}\""], null, true]
      const text =
        "select 1, $1::bigint, $2::bytea, $3::text[], $4::text, $5::boolean union all select 2, null, null, null, null, null order by 1"
      const rows = yield* query("try types", text, values)
      expect(rows).toEqual([
        [1, String(2n ** 62n), Buffer.from(bytes), ["a", "b,{}\""], null, true],
        [2, null, null, null, null, null]
      ])
      expect(yield* query("find none", "select 1 where false")).toEqual([])
    }))

  it.scoped("says what the server refused, and that nothing was done", () =>
    Effect.gen(function*() {
      const { query, script } = yield* open({ connectionsMax: 1 })
      yield* script("make a table", "create table once (id int primary key); insert into once values (1)")
      const wrong = yield* Effect.flip(query("misspell", "selct 1"))
      expect(wrong).toMatchObject({ _tag: "DatabaseError", operation: "misspell", code: "42601", uncertain: false })
      expect(wrong.message).toMatch(/^Postgres: misspell: syntax error .*\(42601\)$/)
      const twice = yield* Effect.flip(query("insert", "insert into once values ($1)", [1]))
      expect(twice).toMatchObject({ code: "23505", uncertain: false })
      const half = yield* Effect.flip(script("halve", "insert into once values (2); insert into once values (1)"))
      expect(half).toMatchObject({ code: "23505", uncertain: false })
      expect(yield* query("count", "select id from once")).toEqual([[1]])
    }))

  it.scoped("gives up a query at its limit, cannot tell what it did, and uses the connection again", () =>
    Effect.gen(function*() {
      const { query, script } = yield* open({ connectionsMax: 1, statementMillisMax: 150 })
      // The server's own limit is the same and could be first.
      yield* script("lift the server's limit", "set statement_timeout = 0")
      const [backend] = yield* query("read the pid", "select pg_backend_pid()")
      const error = yield* Effect.flip(query("sleep", "select pg_sleep(20)"))
      expect(error).toMatchObject({ code: "timeout", uncertain: true, reason: "no answer in 150 ms" })
      yield* awaitActive(0)
      expect(yield* query("read the pid", "select pg_backend_pid()")).toEqual([backend])
    }))

  it.scoped("knows that a query which the server gave up at its limit did nothing", () =>
    Effect.gen(function*() {
      const { query, script } = yield* open({ connectionsMax: 1 })
      yield* script("lower the server's limit", "set statement_timeout = 50")
      expect(yield* Effect.flip(query("sleep", "select pg_sleep(20)"))).toMatchObject({
        code: "57014",
        uncertain: false
      })
      expect(yield* query("read", "select 1")).toEqual([[1]])
    }))

  it.scoped("has the server stop a query whose caller was interrupted", () =>
    Effect.gen(function*() {
      const { query } = yield* open({ connectionsMax: 1 })
      const fiber = yield* Effect.fork(query("sleep", "select pg_sleep(20)"))
      yield* awaitActive(1)
      yield* Fiber.interrupt(fiber)
      yield* awaitActive(0)
      expect(yield* query("read", "select 1")).toEqual([[1]])
    }))

  it.scoped("keeps a connection whose first caller was interrupted while it was made", () =>
    Effect.gen(function*() {
      const { query } = yield* open({ connectionsMax: 1, statementMillisMax: 1500 })
      const fiber = yield* Effect.fork(query("come and go", "select 1"))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      expect(yield* query("read", "select 1")).toEqual([[1]])
    }))

  it.scoped("answers many more queries at a time than it has connections", () =>
    Effect.gen(function*() {
      const { query } = yield* open({ connectionsMax: 2 })
      const numbers = Array.from({ length: 300 }, (_, index) => index)
      const rows = yield* Effect.forEach(numbers, (n) => query("echo", "select $1::int", [n]), {
        concurrency: "unbounded"
      })
      expect(rows).toEqual(numbers.map((n) => [[n]]))
    }))

  it.scoped("says why it cannot connect, and that nothing was done", () =>
    Effect.gen(function*() {
      const refusals = [
        [{ host: "/nowhere" }, "ENOENT"],
        [{ host: "127.0.0.1", port: yield* unusedPort }, "ECONNREFUSED"],
        [{ password: Redacted.make("wrong") }, "28P01"],
        [{ database: "none_of_that_name" }, "3D000"]
      ] as const
      for (const [given, code] of refusals) {
        const { query } = yield* open(given)
        const error = yield* Effect.flip(query("read", "select 1"))
        expect(error).toMatchObject({ code, uncertain: false })
        expect(error.message).not.toContain("wrong")
      }
    }))

  it.scoped("connects when it can, however often it could not", () =>
    Effect.gen(function*() {
      const { options } = yield* Fixture
      const proxy = yield* PostgresProxy.make(options)
      const { query } = yield* open({ host: proxy.folder, connectionsMax: 2, statementMillisMax: 1500 })
      for (let attempt = 0; attempt < 5; attempt++) {
        const error = yield* Effect.flip(query("read", "select 1"))
        expect(error, `attempt ${attempt}`).toMatchObject({ code: "ENOENT", uncertain: false })
      }
      yield* proxy.open
      expect(yield* query("read", "select 1")).toEqual([[1]])
    }))

  it.scoped("gives up on a server that accepts and is silent", () =>
    Effect.gen(function*() {
      const { options } = yield* Fixture
      const proxy = yield* PostgresProxy.make(options)
      yield* proxy.open
      yield* proxy.loseReplies
      const { query } = yield* open({ host: proxy.folder, connectionsMax: 1, statementMillisMax: 200 })
      expect(yield* Effect.flip(query("read", "select 1"))).toMatchObject({ code: "timeout", uncertain: true })
      yield* proxy.cut
      yield* Effect.retry(query("read", "select 1"), { times: 20 })
    }))

  it.scoped("cannot tell what a query did whose connection was ended by an administrator", () =>
    Effect.gen(function*() {
      const { observer } = yield* Fixture
      const { query } = yield* open({ connectionsMax: 1 })
      const fiber = yield* Effect.fork(Effect.flip(query("sleep", "select pg_sleep(20)")))
      yield* awaitActive(1)
      yield* terminate(observer, "state = 'active' and query like '%pg_sleep(20)%'")
      expect(yield* Fiber.join(fiber)).toMatchObject({ code: "CONNECTION_CLOSED", uncertain: true })
      expect(yield* query("read", "select 1")).toEqual([[1]])
    }))

  it.scoped("goes on after its server was stopped and started", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const server = yield* EmbeddedPostgres.start(folder)
      const options = { ...server, tls: false, connectionsMax: 2, statementMillisMax: 2000 }
      const { query } = yield* Database.make(options)
      const read = query("read", "select pg_postmaster_start_time()::text")
      const before = yield* Effect.replicateEffect(read, 4)
      const codes = new Set<string | undefined>()
      yield* server.stop
      // Its watcher starts it again.
      const after = yield* Effect.retry(read, {
        schedule: Schedule.spaced(Duration.millis(20)),
        while: (error) => {
          codes.add(error.code)
          return error._tag === "DatabaseError" && codes.size < 100
        }
      })
      expect(after).not.toEqual(before[0])
      expect(codes).toContain("ENOENT")
      for (const code of codes) expect(["ENOENT", "CONNECTION_CLOSED", "ECONNRESET", "57P03", "57P01"]).toContain(code)
      yield* Effect.replicateEffect(read, 4)
    }))
})

const terminate = (observer: Database.DatabaseService, which: string) =>
  observer.query(
    "end a connection",
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and ${which}`
  )

const unusedPort = Effect.async<number>((resume) => {
  const server = Net.createServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as Net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "cadastre-database-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)
