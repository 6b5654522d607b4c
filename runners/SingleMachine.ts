/**
 * A whole file system on one machine: embedded Postgres, one runner, blocks on the local disk, all in one folder.
 */
import * as Archiver from "#actors/Archiver.ts"
import * as DataFolder from "#runners/DataFolder.ts"
import * as EmbeddedPostgres from "#runners/EmbeddedPostgres.ts"
import * as Server from "#runners/Server.ts"
import { ListenFailed } from "#transport/Connection.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface SingleMachineOptions {
  readonly data: string
  readonly zones: number | undefined
  readonly host: string
  /** Undefined: the port of last time or the usual one, or any free one where that is taken. */
  readonly port: number | undefined
  /** How old archived rows may get in Postgres; undefined: they stay. */
  readonly retention: Duration.Duration | undefined
  /** How old the history may get that still keeps blocks; undefined: for ever. */
  readonly historyRetention: Duration.Duration | undefined
  /** Told of each step, for people. */
  readonly onStep: (step: string) => void
}

const PORT = 7070
const CONNECTIONS_MAX = 12
const STATEMENT_MILLIS_MAX = 10_000
const LEASE = Duration.seconds(4)
const SESSION_LEASE = Duration.seconds(60)
const ZONE_MEMORY_BYTES = 1024 * 1024 * 1024
const ZONE_IDLE = Duration.seconds(60)
const SNAPSHOT_EVENTS = 250_000

export interface SingleMachine extends Server.Server {
  readonly folder: DataFolder.DataFolder
}

export type SingleMachineError =
  | DataFolder.DataFolderRefused
  | EmbeddedPostgres.PostgresFailed
  | Server.ServerError

/** Starts it. When the scope closes, everything is stopped, the database last. */
export const start = (options: SingleMachineOptions): Effect.Effect<SingleMachine, SingleMachineError, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = yield* DataFolder.hold(options.data)
    const last = DataFolder.readEndpoint(folder)
    const postgres = yield* EmbeddedPostgres.start(folder.postgres, { onStep: options.onStep })
    options.onStep("starting the runner")
    const serverOn = (port: number) =>
      Server.start({
        listen: { host: options.host, port },
        host: options.host,
        secret: DataFolder.readSecret(folder),
        database: {
          ...postgres,
          tls: false,
          connectionsMax: CONNECTIONS_MAX,
          statementMillisMax: STATEMENT_MILLIS_MAX
        },
        blocks: { kind: "disk", folder: folder.blocks },
        zones: options.zones,
        lease: LEASE,
        zone: {
          sessionLease: SESSION_LEASE,
          snapshotEvents: SNAPSHOT_EVENTS,
          archive: Archiver.keeping(options.retention),
          memoryBytes: ZONE_MEMORY_BYTES,
          deflatesPages: false,
          idle: ZONE_IDLE
        },
        historyRetention: options.historyRetention
      })
    const server = options.port === undefined
      ? yield* serverOn(last?.port ?? PORT).pipe(
        Effect.catchIf((error) => error instanceof ListenFailed, () => serverOn(0))
      )
      : yield* serverOn(options.port)
    yield* Effect.sync(() => DataFolder.writeEndpoint(folder, { ...server.address, pid: process.pid }))
    return { ...server, folder }
  })
