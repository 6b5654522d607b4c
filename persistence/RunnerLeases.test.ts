import * as Database from "#persistence/Database.ts"
import { migrate } from "#persistence/Migrations.ts"
import { contract, LeaseDatabase } from "#persistence/RunnerLeases.contract.ts"
import * as RunnerLeases from "#persistence/RunnerLeases.ts"
import { realTime } from "#persistence/Suite.testing.ts"
import { freshDatabase } from "#runners/testing/FreshDatabase.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { expect } from "vitest"

const database = Layer.scoped(
  Database.Database,
  Effect.gen(function*() {
    const database = yield* Database.make(yield* freshDatabase)
    yield* Effect.provideService(migrate, Database.Database, database)
    return database
  })
)

const leaseDatabase = Layer.effect(
  LeaseDatabase,
  Effect.map(Database.Database, ({ query, script }) => {
    const isTrue = Effect.map(([row]: ReadonlyArray<Database.Row>) => row?.[0] === true)
    return LeaseDatabase.of({
      empty: script("empty the tables", "delete from cadastre.runner; delete from cadastre.shard"),
      isOver: (address) =>
        isTrue(query("look at a lease", "select expires <= now() from cadastre.runner where address = $1", [address])),
      endIn: (address, seconds) =>
        Effect.map(
          query(
            "end a lease",
            `update cadastre.runner set expires = now() + make_interval(secs => $2) where address = $1
             returning expires::text`,
            [address, seconds]
          ),
          ([row]) => String(row?.[0])
        ),
      isPast: (moment) => isTrue(query("look at the time", "select now() > $1::timestamptz", [moment]))
    })
  })
)

it.scopedLive("a runner whose lease ends while it waits for its row gets its shards back from nobody", () =>
  Effect.gen(function*() {
    const { query, script } = yield* Database.Database
    const [a, b] = ["runner:1", "runner:2"]
    for (const address of [a, b]) yield* query("register", RunnerLeases.REGISTER, [address, "{}", true, 600])
    yield* query("acquire", RunnerLeases.ACQUIRE, [a, ["zones:2", "zones:1"]])
    const [end] = yield* query(
      "end soon",
      "update cadastre.runner set expires = clock_timestamp() + interval '0.5 s' where address = $1 returning expires::text",
      [a]
    )
    const holder = yield* Effect.fork(
      script("hold", `select from cadastre.runner where address = '${a}' for update; select pg_sleep(1)`)
    )
    const waits = query(
      "look",
      "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    )
    yield* Effect.repeat(
      query("look", "select from pg_stat_activity where query like 'select from cadastre.runner%pg_sleep%'"),
      { until: (rows) => rows.length > 0 }
    )
    const refreshed = yield* Effect.fork(query("refresh", RunnerLeases.REFRESH, [a, 600]))
    yield* Effect.repeat(waits, { until: (rows) => rows.length === 1 })
    yield* Effect.repeat(
      query("look", "select expires <= clock_timestamp() from cadastre.runner where address = $1", [a]),
      { until: ([row]) => row?.[0] === true }
    )
    const acquired = yield* Effect.fork(query("acquire", RunnerLeases.ACQUIRE, [b, ["zones:1", "zones:2"]]))
    yield* Effect.repeat(waits, { until: (rows) => rows.length === 2 })
    yield* Fiber.join(holder)
    expect(yield* Fiber.join(refreshed)).toEqual([[null, false]])
    // When it began to look they were held; the next look finds them free.
    expect(yield* Fiber.join(acquired)).toEqual([])
    expect(yield* query("acquire", RunnerLeases.ACQUIRE, [b, ["zones:1", "zones:2"]])).toEqual([
      ["zones:1"],
      ["zones:2"]
    ])
    // It counts from when the row was written, not from when the statement began to wait.
    const counted =
      "select expires - make_interval(secs => 600) > $2::timestamptz from cadastre.runner where address = $1"
    expect(yield* query("look", counted, [a, end?.[0] as string])).toEqual([[true]])
    expect(yield* query("refresh", RunnerLeases.REFRESH, [a, 600])).toEqual([[null, true]])
  }).pipe(Effect.provide(database)))

it.scopedLive("of two refreshes that wait for the row of a lease that ends meanwhile, neither keeps a shard", () =>
  Effect.gen(function*() {
    const { query, script } = yield* Database.Database
    const a = "runner:1"
    yield* query("register", RunnerLeases.REGISTER, [a, "{}", true, 600])
    yield* query("acquire", RunnerLeases.ACQUIRE, [a, ["zones:1", "zones:2"]])
    yield* query(
      "end soon",
      "update cadastre.runner set expires = clock_timestamp() + interval '0.5 s' where address = $1",
      [a]
    )
    const holder = yield* Effect.fork(
      script("hold", `select from cadastre.runner where address = '${a}' for update; select pg_sleep(1)`)
    )
    yield* Effect.repeat(
      query("look", "select from pg_stat_activity where query like 'select from cadastre.runner%pg_sleep%'"),
      { until: (rows) => rows.length > 0 }
    )
    const refresh = query("refresh", RunnerLeases.REFRESH, [a, 600])
    const both = yield* Effect.fork(Effect.all([refresh, refresh], { concurrency: "unbounded" }))
    yield* Fiber.join(holder)
    expect(yield* Fiber.join(both)).toEqual([[[null, false]], [[null, false]]])
    expect(yield* refresh).toEqual([[null, true]])
  }).pipe(Effect.provide(database)))

contract(realTime("the leases of runners", Layer.provideMerge(leaseDatabase, database)))
