/**
 * One Postgres for a whole test run, in a temporary folder.
 */
import * as EmbeddedPostgres from "#runners/EmbeddedPostgres.ts"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
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
