import * as Database from "#persistence/Database.ts"
import { migrate } from "#persistence/Migrations.ts"
import { contract, LeaseDatabase } from "#persistence/RunnerLeases.contract.ts"
import { realTime } from "#persistence/Suite.testing.ts"
import { freshDatabase } from "#runners/testing/FreshDatabase.ts"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

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

contract(realTime("the leases of runners", Layer.provideMerge(leaseDatabase, database)))
