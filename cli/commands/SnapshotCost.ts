/** `cadastre snapshot cost`: what live files, snapshots and history hold in the block store. */
import { Exit, type Run } from "#cli/Command.ts"
import { withAudit } from "#cli/Connect.ts"
import { costOf, retentionDays, retentionText } from "#cli/HistoryCosts.ts"
import { bytes, say, sayJson } from "#cli/Output.ts"
import { contentsJson, snapshotJson, snapshotPath } from "#cli/Snapshots.ts"
import { UsageError } from "#cli/UsageError.ts"
import { Client } from "#client/Client.ts"
import * as Effect from "effect/Effect"

export const run: Run = (_args, options) =>
  withAudit(
    options,
    Effect.gen(function*() {
      const client = yield* Client
      const { zones: count } = client.info
      const zone = options["zone"] as number | undefined
      if (zone !== undefined && zone >= count) {
        return yield* new UsageError({ message: `--zone: the cluster has zones 0 to ${count - 1}` })
      }
      const zones = zone === undefined ? Array.from({ length: count }, (_, number) => number) : [zone]
      const { snapshots, ...sums } = yield* costOf(client, zones, options)
      const days = retentionDays(client, options)
      if (options["json"] === true) {
        for (const cost of snapshots) sayJson({ ...snapshotJson(cost.snapshot), ...contentsJson(cost) })
        sayJson({ zones: zones.length, retentionDays: days ?? null, ...sums })
        return Exit.ok
      }
      const show = (count: number, what: string): void => say(`${bytes(count).padStart(12)}  ${what}`)
      const history = `history within its retention (${retentionText(days)})`
      show(sums.live, "live files")
      for (const { cost, snapshot } of snapshots) show(cost, `snapshot ${snapshotPath(snapshot)} alone`)
      show(sums.shared, "shared by snapshots")
      show(sums.both, `snapshots and ${history}`)
      show(sums.history, history)
      show(sums.nothing, "nothing needs")
      return Exit.ok
    })
  )
