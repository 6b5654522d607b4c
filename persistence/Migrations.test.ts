import * as Database from "#persistence/Database.ts"
import { migrate } from "#persistence/Migrations.ts"
import { freshDatabase } from "#runners/testing/FreshDatabase.ts"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expect } from "vitest"

const migrateOn = (database: Database.DatabaseService) => Effect.provideService(migrate, Database.Database, database)

/** All that the migrations made, as the catalogue tells it, and when. */
const shapeOf = ({ query }: Database.DatabaseService) =>
  Effect.all([
    query(
      "read the columns",
      `select table_name, column_name, data_type, is_nullable from information_schema.columns
       where table_schema = 'cadastre' order by table_name, ordinal_position`
    ),
    query("read the versions", "select version, name, applied::text from cadastre.migration order by version")
  ])

describe("migrations", () => {
  it.scopedLive("make the tables once: a second run changes nothing, not even by another pool", () =>
    Effect.gen(function*() {
      const options = yield* freshDatabase
      const first = yield* Database.make(options)
      yield* migrateOn(first)
      yield* first.query("claim", "insert into cadastre.zone values (1, 5, 'a', now())")
      const shape = yield* shapeOf(first)
      yield* migrateOn(first)
      yield* migrateOn(yield* Database.make(options))
      expect(yield* shapeOf(first)).toEqual(shape)
      expect(new Set(shape[0].map(([table]) => table))).toEqual(
        new Set(["cluster", "journal", "migration", "runner", "segment", "shard", "snapshot", "zone"])
      )
      expect(yield* first.query("read", "select epoch from cadastre.zone")).toEqual([["5"]])
    }))

  it.scopedLive("run by several runners at once are run once", () =>
    Effect.gen(function*() {
      const options = yield* freshDatabase
      const pools = yield* Effect.replicateEffect(Database.make({ ...options, connectionsMax: 2 }), 4)
      yield* Effect.forEach(pools, migrateOn, { concurrency: "unbounded", discard: true })
      const [, versions] = yield* shapeOf(pools[0]!)
      expect(versions.map(([version]) => version)).toEqual(versions.map((_, index) => index + 1))
    }))

  it.scopedLive("pass over a step that another runner took meanwhile", () =>
    Effect.gen(function*() {
      const database = yield* Database.make(yield* freshDatabase)
      let overtaken = false
      const slow = Database.Database.of({
        ...database,
        query: (operation, text, values) =>
          Effect.tap(database.query(operation, text, values), () => {
            if (operation !== "read migrations") return Effect.void
            overtaken = true
            return migrateOn(database)
          })
      })
      yield* migrateOn(slow)
      expect(overtaken).toBe(true)
      const [, versions] = yield* shapeOf(database)
      expect(versions.map(([version]) => version)).toEqual(versions.map((_, index) => index + 1))
    }))

  it.scopedLive("refuse the tables of a newer program, and say what to do", () =>
    Effect.gen(function*() {
      const database = yield* Database.make(yield* freshDatabase)
      yield* migrateOn(database)
      yield* database.query("pretend", "insert into cadastre.migration values (99, 'of a later year')")
      const shape = yield* shapeOf(database)
      const error = yield* Effect.flip(migrateOn(database))
      expect(error).toMatchObject({ _tag: "DatabaseError", operation: "migrate", uncertain: false })
      expect(error.message).toMatch(/of version 99, this program knows up to \d+: use a newer Cadastre/)
      expect(yield* shapeOf(database)).toEqual(shape)
    }))

  it.scopedLive("that fail halfway leave nothing of their step", () =>
    Effect.gen(function*() {
      const database = yield* Database.make(yield* freshDatabase)
      // In the way of a table that the first step makes late.
      yield* database.script("get in the way", "create schema cadastre; create table cadastre.shard (id int)")
      expect(yield* Effect.flip(migrateOn(database))).toMatchObject({ code: "42P07", uncertain: false })
      const [columns, versions] = yield* shapeOf(database)
      expect(new Set(columns.map(([table]) => table))).toEqual(new Set(["migration", "shard"]))
      expect(versions).toEqual([])
      yield* database.script("get out of the way", "drop table cadastre.shard")
      yield* migrateOn(database)
      expect((yield* shapeOf(database))[1]).not.toEqual([])
    }))
})
