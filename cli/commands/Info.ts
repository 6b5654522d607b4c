/** `cadastre info`: what the cluster is and how its runners are. */
import { Exit, type Run } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import { retentionText } from "#cli/HistoryCosts.ts"
import { say, sayJson } from "#cli/Output.ts"
import { Client } from "#client/Client.ts"
import { RequestRefused } from "#client/ClientError.ts"
import * as Effect from "effect/Effect"

export const run: Run = (_args, options) =>
  withClient(
    options,
    Effect.gen(function*() {
      const { anyRunner, info } = yield* Client
      const runners = yield* anyRunner((runner) => runner.Runners()).pipe(
        Effect.catchTag("RunnerUnavailable", ({ reason }) => Effect.fail(new RequestRefused({ reason })))
      )
      if (options["json"] === true) {
        sayJson({ ...info, runners: runners.map(({ healthy, host, port }) => ({ host, port, healthy })) })
        return Exit.ok
      }
      say(`cluster  ${info.cluster}`)
      say(`version  ${info.version}`)
      say(`zones    ${info.zones}`)
      say(`blocks   ${info.blockStore}`)
      say(`history  kept ${retentionText(info.historyRetentionDays)}`)
      for (const { healthy, host, port } of runners) say(`runner   ${host}:${port} ${healthy ? "up" : "down"}`)
      return Exit.ok
    })
  )
