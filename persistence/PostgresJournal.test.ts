import * as Chain from "#persistence/Chain.ts"
import * as Database from "#persistence/Database.ts"
import { contract, expectHead, expectRows, FreshJournal, rowAfter } from "#persistence/Journal.contract.ts"
import { Journal } from "#persistence/Journal.ts"
import { migrate } from "#persistence/Migrations.ts"
import * as PostgresJournal from "#persistence/PostgresJournal.ts"
import * as PostgresProxy from "#persistence/PostgresProxy.testing.ts"
import { freshDatabase } from "#runners/testing/FreshDatabase.ts"
import { layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { expect } from "vitest"

const MIB = 1024 * 1024
/** Statement limit of a client that shall give up, in milliseconds. */
const SHORT = 250

/** A database with the tables, and a journal in it that no fault touches. */
class Fixture extends Context.Tag("cadastre/test/JournalFixture")<Fixture, {
  readonly options: Database.DatabaseOptions
  readonly database: Database.DatabaseService
  readonly journal: Context.Tag.Service<Journal>
}>() {}

const fixture = Layer.scoped(
  Fixture,
  Effect.gen(function*() {
    const options = yield* freshDatabase
    const database = yield* Database.make(options)
    yield* Effect.provideService(migrate, Database.Database, database)
    return { options, database, journal: yield* journalOn(database) }
  })
)

const journalOn = (database: Database.DatabaseService) =>
  Effect.map(
    Layer.build(Layer.provide(PostgresJournal.layer, Layer.succeed(Database.Database, database))),
    Context.get(Journal)
  )

contract(
  "the journal in Postgres",
  Layer.effect(
    FreshJournal,
    Effect.map(Fixture, ({ database, journal }) =>
      Effect.as(
        Effect.orDie(database.script(
          "empty the tables",
          "delete from cadastre.zone; delete from cadastre.journal; delete from cadastre.snapshot"
        )),
        journal
      ))
  ).pipe(Layer.provide(fixture))
)

/** A writer behind a proxy, with one row appended, so that its connection stands and the statement is known. */
const writerBehindProxy = (zone: number) =>
  Effect.gen(function*() {
    const { journal, options } = yield* Fixture
    const proxy = yield* PostgresProxy.make(options)
    yield* proxy.open
    const database = yield* Database.make({
      ...options,
      host: proxy.folder,
      connectionsMax: 1,
      statementMillisMax: SHORT
    })
    // A server that is cut off from its client knows no limit of that client's.
    yield* database.script("lift the server's limit", "set statement_timeout = 0")
    const { epoch } = yield* journal.claim(zone, "writer")
    const writer = yield* journalOn(database)
    const first = rowAfter(Chain.START, { zone, epoch })
    yield* writer.append(first)
    return { proxy, writer, first, next: rowAfter(Chain.headOf(first), { zone, epoch }) }
  })

/** A transaction that holds the zone's row until it is ended. */
const lockZone = (zone: number) =>
  Effect.gen(function*() {
    const { options } = yield* Fixture
    const { script } = yield* Database.make({ ...options, connectionsMax: 1 })
    yield* script("lock the zone", `begin; select from cadastre.zone where zone = ${zone} for update`)
    return { unlock: script("unlock the zone", "rollback") }
  })

/** Until so many statements wait for a lock. */
const awaitWaiting = (count: number) =>
  Effect.flatMap(Fixture, ({ database }) =>
    Effect.repeat(
      database.query(
        "look for waits",
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
      ),
      { until: (found) => found.length === count, schedule: Schedule.spaced(Duration.millis(5)) }
    ))

layer(fixture, { excludeTestServices: true, timeout: "30 seconds" })("appends that go wrong", (it) => {
  it.scoped("one that waits past its limit may land later, and a claim after it sees the row", () =>
    Effect.gen(function*() {
      const zone = 1
      const { journal } = yield* Fixture
      const { first, next, writer } = yield* writerBehindProxy(zone)
      const { unlock } = yield* lockZone(zone)
      expect(yield* Effect.flip(writer.append(next))).toMatchObject({
        _tag: "JournalUnavailable",
        operation: "append",
        uncertain: true
      })
      expectHead(yield* journal.head(zone), Chain.headOf(first))
      const claim = yield* Effect.fork(journal.claim(zone, "next"))
      yield* awaitWaiting(2)
      yield* unlock
      expectHead((yield* Fiber.join(claim)).head, Chain.headOf(next))
      expectRows(yield* journal.read(zone, 0, 10, MIB), [first, next])
    }))

  it.scoped("one that waits past its limit can never land after a claim", () =>
    Effect.gen(function*() {
      const zone = 2
      const { journal } = yield* Fixture
      const { first, next, writer } = yield* writerBehindProxy(zone)
      const { unlock } = yield* lockZone(zone)
      // First come, first served: the claim goes before the append.
      const claim = yield* Effect.fork(journal.claim(zone, "next"))
      yield* awaitWaiting(1)
      const append = yield* Effect.fork(Effect.flip(writer.append(next)))
      yield* awaitWaiting(2)
      expect(yield* Fiber.join(append)).toMatchObject({ _tag: "JournalUnavailable", uncertain: true })
      yield* unlock
      const { epoch, head } = yield* Fiber.join(claim)
      expectHead(head, Chain.headOf(first))
      yield* awaitWaiting(0)
      yield* awaitIdle("insert into cadastre.journal")
      expectHead(yield* journal.head(zone), Chain.headOf(first))
      const row = rowAfter(head, { zone, epoch })
      yield* journal.append(row)
      expectRows(yield* journal.read(zone, 0, 10, MIB), [first, row])
    }))

  it.scoped("one that waits behind a claim is fenced", () =>
    Effect.gen(function*() {
      const zone = 3
      const { journal } = yield* Fixture
      const { epoch } = yield* journal.claim(zone, "old")
      const { unlock } = yield* lockZone(zone)
      const claim = yield* Effect.fork(journal.claim(zone, "next"))
      yield* awaitWaiting(1)
      const append = yield* Effect.fork(Effect.flip(journal.append(rowAfter(Chain.START, { zone, epoch }))))
      yield* awaitWaiting(2)
      yield* unlock
      expect(yield* Fiber.join(append)).toMatchObject({ _tag: "Fenced", zone, epoch })
      expect((yield* Fiber.join(claim)).head).toEqual(Chain.START)
    }))

  it.scoped("one whose reply is lost is in the head that the next claim gives", () =>
    Effect.gen(function*() {
      const zone = 4
      const { journal } = yield* Fixture
      const { first, next, proxy, writer } = yield* writerBehindProxy(zone)
      yield* proxy.loseReplies
      const append = yield* Effect.fork(Effect.flip(writer.append(next)))
      yield* Effect.repeat(journal.head(zone), {
        until: ({ sequence }) => sequence === next.last,
        schedule: Schedule.spaced(Duration.millis(5))
      })
      yield* proxy.cut
      expect(yield* Fiber.join(append)).toMatchObject({ _tag: "JournalUnavailable", uncertain: true })
      expectHead((yield* journal.claim(zone, "next")).head, Chain.headOf(next))
      expectRows(yield* againAndAgain(writer.read(zone, 0, 10, MIB)), [first, next])
    }))

  it.scoped("one whose connection is ended while it waits is not there, and its writer cannot know that", () =>
    Effect.gen(function*() {
      const zone = 5
      const { database, journal } = yield* Fixture
      const { first, next, writer } = yield* writerBehindProxy(zone)
      const { unlock } = yield* lockZone(zone)
      const append = yield* Effect.fork(Effect.flip(writer.append(next)))
      yield* awaitWaiting(1)
      yield* database.query(
        "end the connection",
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'`
      )
      expect(yield* Fiber.join(append)).toMatchObject({ _tag: "JournalUnavailable", uncertain: true })
      yield* unlock
      expectHead((yield* journal.claim(zone, "next")).head, Chain.headOf(first))
      expectHead(yield* againAndAgain(writer.head(zone)), Chain.headOf(first))
    }))

  it.scoped("one that the server refuses wrote nothing, and says so", () =>
    Effect.gen(function*() {
      const { journal } = yield* Fixture
      const { epoch } = yield* journal.claim(6, "writer")
      const impossible = { ...rowAfter(Chain.START, { zone: 6, epoch }), codec: 2 ** 20 }
      expect(yield* Effect.flip(journal.append(impossible))).toMatchObject({
        _tag: "JournalUnavailable",
        uncertain: false
      })
      expect(yield* journal.head(6)).toEqual(Chain.START)
    }))
})

/** To connect anew may take longer than a writer's limit. */
const againAndAgain = Effect.retry({ times: 20 })

/** Until no backend runs such a statement any more. */
const awaitIdle = (part: string) =>
  Effect.flatMap(Fixture, ({ database }) =>
    Effect.repeat(
      database.query(
        "look for statements",
        `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
           and state = 'active' and position($1 in query) > 0`,
        [part]
      ),
      { until: (found) => found.length === 0, schedule: Schedule.spaced(Duration.millis(5)) }
    ))
