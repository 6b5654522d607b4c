import * as Database from "#persistence/Database.ts"
import * as PostgresProxy from "#persistence/PostgresProxy.testing.ts"
import { freshDatabase } from "#runners/testing/FreshDatabase.ts"
import { layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Net from "node:net"
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

/** A statement that takes far too long, and is told from others by a word in it. */
const SLEEPER = "sleeper"
const SLEEP = `select pg_sleep(20) -- ${SLEEPER}`
const SLEEPERS = `
  select pid from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and state = 'active' and query like '%${SLEEPER}%'`

const awaitSleepers = (count: number) =>
  Effect.flatMap(Fixture, ({ observer }) =>
    Effect.repeat(observer.query("look for sleepers", SLEEPERS), {
      until: (found) => found.length === count,
      schedule: Schedule.spaced(Duration.millis(5))
    }))

/** "the database system is starting up", as the protocol says it. */
const STARTING_UP = ((): Buffer => {
  const fields = Buffer.from("SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0")
  const head = Buffer.alloc(5)
  head.write("E")
  head.writeInt32BE(4 + fields.length, 1)
  return Buffer.concat([head, fields])
})()

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
      const { query, script } = yield* open({ connectionsMax: 1, statementMillisMax: 300 })
      // The server's own limit is the same and could be first.
      yield* script("lift the server's limit", "set statement_timeout = 0")
      const error = yield* Effect.flip(query("sleep", `select pg_sleep(0.4) -- ${SLEEPER}`))
      expect(error).toMatchObject({ code: "timeout", uncertain: true, reason: "no answer in 300 ms" })
      yield* awaitSleepers(0)
      expect(yield* query("read", "select 1")).toEqual([[1]])
    }))

  it.scoped("replaces a connection on which the server says nothing any more", () =>
    Effect.gen(function*() {
      const { observer } = yield* Fixture
      const { query, script } = yield* open({ connectionsMax: 1, statementMillisMax: 100 })
      yield* Effect.addFinalizer(() => Effect.orDie(terminateSleepers(observer)))
      yield* script("lift the server's limit", "set statement_timeout = 0")
      expect(yield* Effect.flip(query("sleep", SLEEP))).toMatchObject({ code: "timeout", uncertain: true })
      const [row] = yield* Effect.retry(query("read", "select 1"), { times: 20 })
      expect(row).toEqual([1])
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

  it.scoped("has the server stop a query at its limit though its caller was interrupted", () =>
    Effect.gen(function*() {
      const { query } = yield* open({ connectionsMax: 1, statementMillisMax: 300 })
      yield* query("connect", "select 1")
      const fiber = yield* Effect.fork(query("sleep", SLEEP))
      yield* awaitSleepers(1)
      yield* Fiber.interrupt(fiber)
      yield* awaitSleepers(0)
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

  it.scoped("lets no query wait behind a slow one while another connection is free", () =>
    Effect.gen(function*() {
      const { observer } = yield* Fixture
      const { query } = yield* open({ connectionsMax: 2 })
      const slow = yield* Effect.fork(query("sleep", SLEEP))
      yield* awaitSleepers(1)
      const numbers = Array.from({ length: 20 }, (_, index) => index)
      yield* Effect.forEach(numbers, (n) => query("echo", "select $1::int", [n]), { concurrency: "unbounded" })
      expect(slow.unsafePoll()).toBeNull()
      yield* observer.query("cancel", `select pg_cancel_backend(pid) from (${SLEEPERS}) as sleeper`)
      expect((yield* Effect.flip(Fiber.join(slow))).code).toBe("57014")
    }))

  it.scoped("says why it cannot connect, and that nothing was done", () =>
    Effect.gen(function*() {
      const refusals = [
        [{ host: "/nowhere" }, "ENOENT"],
        // One that fails at once, as a network that is down does.
        [{ host: `/${"x".repeat(200)}` }, "EINVAL"],
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
      const fiber = yield* Effect.fork(Effect.flip(query("sleep", SLEEP)))
      yield* awaitSleepers(1)
      yield* terminateSleepers(observer)
      expect(yield* Fiber.join(fiber)).toMatchObject({ code: "CONNECTION_CLOSED", uncertain: true })
      // The driver tells the reason of the end to the first caller on the next connection, instead of asking.
      const read = Effect.retry(query("read", "select 1"), { times: 1, while: ({ code }) => code === "57P01" })
      expect(yield* read).toEqual([[1]])
    }))

  it.scoped("does not storm a server that refuses everybody while it recovers", () =>
    Effect.gen(function*() {
      let connections = 0
      const server = yield* Effect.acquireRelease(
        Effect.async<Net.Server>((resume) => {
          const made = Net.createServer((socket) => {
            connections++
            socket.on("error", () => undefined)
            socket.once("data", () => socket.end(STARTING_UP))
          })
          made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
        }),
        (made) => Effect.sync(() => made.close())
      )
      const { port } = server.address() as Net.AddressInfo
      const database = yield* open({ host: "127.0.0.1", port, connectionsMax: 2, statementMillisMax: 2500 })
      const ask = Effect.either(database.query("ask", "select 1"))
      yield* Effect.all([ask, ask, ask, ask], { concurrency: "unbounded" })
      yield* Effect.all([ask, ask], { concurrency: "unbounded" })
      expect(connections).toBeGreaterThan(0)
      expect(connections).toBeLessThanOrEqual(14)
    }))
})

const terminateSleepers = (observer: Database.DatabaseService) =>
  observer.query(
    "end a connection",
    `select pg_terminate_backend(pid, 5000) from (${SLEEPERS}) as sleeper`
  )

const unusedPort = Effect.async<number>((resume) => {
  const server = Net.createServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as Net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})
