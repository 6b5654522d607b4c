import { Database } from "#persistence/Database.ts"
import { contract as journalContract, FreshJournal } from "#persistence/Journal.contract.ts"
import { Journal } from "#persistence/Journal.ts"
import { contract as troublesContract, SHORT, TroubledJournal } from "#persistence/PostgresJournal.contract.ts"
import * as PostgresJournal from "#persistence/PostgresJournal.ts"
import { contract as leaseContract, LeaseDatabase } from "#persistence/RunnerLeases.contract.ts"
import type * as PostgresClient from "#simulations/world/PostgresClient.ts"
import { simulated } from "#simulations/world/PostgresSuite.testing.ts"
import type { PostgresWorld } from "#simulations/world/PostgresWorld.testing.ts"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const journalOf = ({ connect }: PostgresWorld, options?: Partial<PostgresClient.PostgresClientOptions>) =>
  Effect.map(
    Layer.build(Layer.provide(PostgresJournal.layer, Layer.scoped(Database, connect(options)))),
    Context.get(Journal)
  )

journalContract(
  simulated("the journal in the simulated Postgres", (test) => Layer.succeed(FreshJournal, journalOf(test)))
)

troublesContract(
  simulated("appends that go wrong in the simulated Postgres", (test) =>
    Layer.scoped(
      TroubledJournal,
      Effect.map(journalOf(test), (journal) => {
        const { server } = test
        return TroubledJournal.of({
          journal,
          makeWriter: Effect.map(
            journalOf(test, { connectionsMax: 1, statementMillisMax: SHORT, serverMillisMax: Infinity }),
            (journal) => ({
              journal,
              loseReplies: Effect.sync(() => {
                server.inject("lose the reply", "append")
                return { regain: Effect.void }
              })
            })
          ),
          lockZone: (zone) =>
            Effect.sync(() => {
              const unlock = server.holdZone(zone)
              return { unlock: Effect.sync(unlock) }
            }),
          waiting: Effect.sync(() => server.waiting),
          endWaiting: Effect.sync(() => server.terminateWaiting()),
          appending: Effect.sync(() => server.runningOf("append"))
        })
      })
    ))
)

leaseContract(
  simulated("the leases of runners in the simulated Postgres", (test) => {
    const { server } = test
    const { runner } = server.tables
    return Layer.merge(
      Layer.scoped(Database, test.connect()),
      Layer.succeed(LeaseDatabase, {
        empty: Effect.sync(() => server.tables.clear()),
        isOver: (address) => Effect.sync(() => (runner.get(address)?.expires ?? Infinity) <= server.now),
        endIn: (address, seconds) =>
          Effect.sync(() => {
            const row = runner.get(address)
            const expires = server.now + seconds * 1_000_000
            if (row !== undefined) runner.set(address, { ...row, expires })
            return String(expires)
          }),
        isPast: (moment) => Effect.sync(() => server.now > Number(moment))
      })
    )
  })
)
