/** `cadastre down`: stops the file system of a data folder, and its database if it outlived its server. */
import { Exit, type Run } from "#cli/Command.ts"
import { runMain } from "#cli/Connect.ts"
import { note, sayJson } from "#cli/Output.ts"
import * as DataFolder from "#runners/DataFolder.ts"
import * as EmbeddedPostgres from "#runners/EmbeddedPostgres.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

const STOP_TIME_MAX = Duration.seconds(30)

export const run: Run = (_args, options) =>
  runMain(Effect.gen(function*() {
    const folder = DataFolder.at((options["data"] as string | undefined) ?? DataFolder.defaultPath())
    const endpoint = DataFolder.readEndpoint(folder)
    const server = endpoint !== undefined && DataFolder.isServed(endpoint) && process.kill(endpoint.pid, "SIGTERM")
    if (server) yield* awaitEnd(endpoint)
    const database = yield* EmbeddedPostgres.stopLeftOver(folder.postgres)
    const asJson = options["json"] === true
    if (asJson) sayJson({ data: folder.path, server, database })
    else if (server) note(`stopped the file system in ${folder.path}`)
    else if (database) note(`stopped the database in ${folder.path}, which had outlived its server`)
    else note(`nothing runs in ${folder.path}`)
    return Exit.ok
  }))

const awaitEnd = (endpoint: DataFolder.Endpoint) =>
  Effect.suspend(() =>
    DataFolder.isServed(endpoint) ? Effect.fail({ message: `process ${endpoint.pid} does not end` }) : Effect.void
  ).pipe(Effect.retry(Schedule.spaced(Duration.millis(50)).pipe(Schedule.upTo(STOP_TIME_MAX))))
