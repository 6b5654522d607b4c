/** `cadastre runner`: one runner of a cluster, configured by the environment. */
import { Exit, type Run } from "#cli/Command.ts"
import { runMain } from "#cli/Connect.ts"
import { note } from "#cli/Output.ts"
import { UsageError } from "#cli/UsageError.ts"
import * as Configuration from "#runners/Configuration.ts"
import * as Server from "#runners/Server.ts"
import { format } from "#transport/Connection.ts"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"

export const run: Run = (_args, options) =>
  runMain(
    Effect.scoped(Effect.gen(function*() {
      const configuration = yield* Effect.mapError(
        Configuration.load,
        (error) => new UsageError({ message: `the configuration is not complete:\n${Configuration.explain(error)}` })
      )
      if (options["check"] === true) {
        note("the configuration is complete")
        return Exit.ok
      }
      const server = yield* Server.start(configuration)
      yield* Effect.logInfo(
        `ready at ${
          format(server.address)
        }: cluster ${server.cluster.id}, ${server.cluster.zones} zones, blocks in ${server.blockStore}`
      )
      yield* Effect.addFinalizer(() => Effect.logInfo("stopping: handing the zones over"))
      return yield* Effect.never
    })),
    logLevel()
  ).then((code) => (code === Exit.interrupted ? Exit.ok : code))

/** `CADASTRE_LOG_LEVEL`: debug, info, warning or error. */
const logLevel = (): LogLevel.LogLevel => {
  const given = (process.env["CADASTRE_LOG_LEVEL"] ?? "info").toLowerCase()
  return LogLevel.allLevels.find(({ _tag }) => _tag.toLowerCase() === given) ?? LogLevel.Info
}
