/**
 * Runners in this process on a database of their own, and clients for them.
 */
import * as Archiver from "#actors/Archiver.ts"
import * as Client from "#client/Client.ts"
import * as FileSystem from "#client/FileSystem.ts"
import { type Credentials, root } from "#domain/Credentials.ts"
import type { DatabaseOptions } from "#persistence/Database.ts"
import * as Server from "#runners/Server.ts"
import { freshDatabase } from "#runners/testing/FreshDatabase.ts"
import type { Address } from "#transport/Connection.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const SECRET = "the secret of a test"

export interface TestCluster {
  readonly database: DatabaseOptions
  readonly folder: string
  /** One more runner, until its scope closes. */
  readonly runner: (
    options?: Partial<Server.ServerOptions>
  ) => Effect.Effect<Server.Server, Server.ServerError, Scope.Scope>
  /** A file system over these runners. */
  readonly fileSystem: (
    endpoints: ReadonlyArray<Address>,
    options?: Partial<Client.ClientOptions>
  ) => Effect.Effect<FileSystem.FileSystemService, Effect.Effect.Error<ReturnType<typeof Client.make>>, Scope.Scope>
}

/** A temporary folder, removed with the scope. */
export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "cadastre-test-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

export const make: Effect.Effect<TestCluster, never, Scope.Scope> = Effect.gen(function*() {
  const database = yield* freshDatabase
  const folder = yield* temporaryFolder
  return {
    database,
    folder,
    runner: (options) =>
      Server.start({
        listen: { host: "127.0.0.1", port: 0 },
        host: "127.0.0.1",
        secret: Redacted.make(SECRET),
        database,
        blocks: { kind: "disk", folder: join(folder, "blocks") },
        zones: 4,
        lease: Duration.seconds(2),
        zone: {
          sessionLease: Duration.seconds(60),
          snapshotEvents: 100_000,
          archive: Archiver.keeping(undefined),
          memoryBytes: 2 ** 30,
          deflatesPages: false,
          idle: Duration.seconds(60)
        },
        ...options
      }),
    fileSystem: (endpoints, options) =>
      Effect.map(
        Client.make({
          endpoints,
          secret: Redacted.make(SECRET),
          who: root,
          descriptor: { client: "test", host: "here", user: "root", uid: 0, pid: process.pid },
          retryFor: Duration.seconds(20),
          ...options
        }),
        FileSystem.make
      )
  }
})

export const user = (uid: number, gid = uid, groups: ReadonlyArray<number> = []): Credentials => ({ uid, gid, groups })
