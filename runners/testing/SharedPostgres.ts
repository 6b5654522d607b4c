/**
 * One Postgres for a whole test run, in a temporary folder, and a database of its own for each test that asks.
 */
import * as Database from "#persistence/Database.ts"
import * as EmbeddedPostgres from "#runners/EmbeddedPostgres.ts"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inject } from "vitest"
import type { TestProject } from "vitest/node"

declare module "vitest" {
  interface ProvidedContext {
    readonly postgres: {
      readonly host: string
      readonly port: number
      readonly user: string
      readonly password: string
    }
  }
}

/** Vitest calls this once before all tests; what it gives is called after them. */
const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const folder = mkdtempSync(join(tmpdir(), "cadastre-test-"))
  const scope = Effect.runSync(Scope.make())
  const { host, password, port, user } = await Effect.runPromise(Scope.extend(EmbeddedPostgres.start(folder), scope))
  project.provide("postgres", { host, port, user, password: Redacted.value(password) })
  return async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(folder, { recursive: true, force: true })
  }
}
export default setup

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
