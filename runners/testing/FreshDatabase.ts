/**
 * A database of its own for each test that asks, in the test run's Postgres.
 */
import * as Database from "#persistence/Database.ts"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import { inject } from "vitest"

const STATEMENT_MILLIS_MAX = 10_000
const CONNECTIONS_MAX = 6

/** Options of a new, empty database, which is dropped with the scope. */
export const freshDatabase: Effect.Effect<Database.DatabaseOptions, never, Scope.Scope> = Effect.gen(function*() {
  const { password, ...postgres } = inject("postgres")
  const options = {
    ...postgres,
    password: Redacted.make(password),
    tls: false,
    connectionsMax: CONNECTIONS_MAX,
    statementMillisMax: STATEMENT_MILLIS_MAX
  }
  const name = `test_${randomBytes(8).toString("hex")}`
  const admin = (statement: string) =>
    Effect.scoped(
      Effect.flatMap(Database.make({ ...options, database: "postgres", connectionsMax: 1 }), ({ query }) =>
        Effect.orDie(query("manage test databases", statement)))
    )
  yield* Effect.acquireRelease(
    admin(`create database ${name}`),
    () => admin(`drop database ${name} with (force)`)
  )
  return { ...options, database: name }
})
