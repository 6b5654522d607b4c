import * as Chain from "#persistence/Chain.ts"
import * as Database from "#persistence/Database.ts"
import { contract, FreshJournal, rowAfter } from "#persistence/Journal.contract.ts"
import { Journal, type JournalService } from "#persistence/Journal.ts"
import { migrate } from "#persistence/Migrations.ts"
import { contract as troubles, SHORT, TroubledJournal } from "#persistence/PostgresJournal.contract.ts"
import * as PostgresJournal from "#persistence/PostgresJournal.ts"
import * as PostgresProxy from "#persistence/PostgresProxy.testing.ts"
import { realTime } from "#persistence/Suite.testing.ts"
import { freshDatabase } from "#runners/testing/FreshDatabase.ts"
import { it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { expect } from "vitest"

/** A database with the tables, and a journal in it that no fault touches. */
class Fixture extends Context.Tag("cadastre/test/JournalFixture")<Fixture, {
  readonly options: Database.DatabaseOptions
  readonly database: Database.DatabaseService
  readonly journal: JournalService
}>() {}

const journalOn = (database: Database.DatabaseService) =>
  Effect.map(
    Layer.build(Layer.provide(PostgresJournal.layer, Layer.succeed(Database.Database, database))),
    Context.get(Journal)
  )

const fixture = Layer.scoped(
  Fixture,
  Effect.gen(function*() {
    const options = yield* freshDatabase
    const database = yield* Database.make(options)
    yield* Effect.provideService(migrate, Database.Database, database)
    return { options, database, journal: yield* journalOn(database) }
  })
)

const freshJournal = Layer.effect(
  FreshJournal,
  Effect.map(Fixture, ({ database, journal }) =>
    Effect.as(
      Effect.orDie(database.script(
        "empty the tables",
        "delete from cadastre.zone; delete from cadastre.journal; delete from cadastre.snapshot;" +
          "delete from cadastre.segment"
      )),
      journal
    ))
)

contract(realTime("the journal in Postgres", Layer.provide(freshJournal, fixture)))

it.layer(fixture)("zones that append at once", (it) => {
  it.scoped("share transactions, and none is spoiled by a row that fits no table", () =>
    Effect.gen(function*() {
      const { database, journal } = yield* Fixture
      const rows = yield* Effect.forEach(Array.from({ length: ZONES }, (_, zone) => 500 + zone), (zone) =>
        Effect.map(journal.claim(zone, "a"), ({ epoch }) => {
          const row = rowAfter(Chain.START, { zone, epoch })
          return zone === UNFIT_ZONE ? { ...row, codec: 2 ** 20 } : row
        }))
      const outcomes = yield* Effect.forEach(rows, (row) =>
        Effect.either(journal.append(row)), {
        concurrency: "unbounded"
      })
      expect(
        rows.filter((_, index) =>
          Either.isLeft(outcomes[index]!)
        ).map(({ zone }) => zone)
      ).toEqual([UNFIT_ZONE])
      const counted = "select count(*), count(distinct xmin::text) from cadastre.journal where zone between 500 and 599"
      const [[found, transactions] = []] = yield* database.query("count transactions", counted)
      expect(Number(found)).toBe(ZONES - 1)
      // One each for the first two; then what waited, and those again that shared one with the row that does not fit.
      expect(Number(transactions)).toBeLessThan(ZONES - 5)
    }))
})

/** More than two transactions take. */
const ZONES = 60
const UNFIT_ZONE = 530

const writerBehindProxy = (options: Database.DatabaseOptions) =>
  Effect.gen(function*() {
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
    return { journal: yield* journalOn(database), loseReplies: Effect.as(proxy.loseReplies, { regain: proxy.cut }) }
  })

const lockZone = (options: Database.DatabaseOptions) => (zone: number) =>
  Effect.gen(function*() {
    const { script } = yield* Database.make({ ...options, connectionsMax: 1 })
    yield* script("lock the zone", `begin; select from cadastre.zone where zone = ${zone} for update`)
    return { unlock: script("unlock the zone", "rollback") }
  })

const troubledJournal = Layer.effect(
  TroubledJournal,
  Effect.map(Fixture, ({ database, journal, options }) => {
    const waits = "from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    const appends = `
      select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and state = 'active' and position('insert into cadastre.journal' in query) > 0`
    return TroubledJournal.of({
      journal,
      makeWriter: writerBehindProxy(options),
      lockZone: lockZone(options),
      waiting: Effect.map(database.query("look for waits", `select ${waits}`), (found) => found.length),
      endWaiting: Effect.asVoid(
        database.query("end the connections", `select pg_terminate_backend(pid, 5000) ${waits}`)
      ),
      appending: Effect.map(database.query("look for appends", appends), (found) => found.length)
    })
  })
)

troubles(realTime("appends that go wrong", Layer.provide(troubledJournal, fixture)))
