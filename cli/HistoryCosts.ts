/** What commands ask about the cost of history, and say of it. */
import * as HistoryCost from "#audit/HistoryCost.ts"
import type { Options } from "#cli/Command.ts"
import { plural } from "#cli/Output.ts"
import { UsageError } from "#cli/UsageError.ts"
import type { ClientService } from "#client/Client.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

const DAY_SECONDS = 86_400

/** What the zones' histories cost with `--retention`, or with the cluster's. */
export const costOf = (client: ClientService, zones: ReadonlyArray<number>, options: Options) =>
  Effect.gen(function*() {
    if (client.who.uid !== 0) {
      return yield* new UsageError({ message: "what history costs is told to root, who sees the snapshots of all" })
    }
    const now = yield* Clock.currentTimeMillis
    const days = retentionDays(client, options)
    const since = days === undefined ? undefined : Timestamp.make(Math.floor(now / 1000 - days * DAY_SECONDS), 0)
    return HistoryCost.costOf(yield* HistoryCost.read(client, zones), since)
  })

/** Undefined: for ever. */
export const retentionDays = ({ info }: ClientService, options: Options): number | undefined =>
  (options["retention"] as number | undefined) ?? info.historyRetentionDays

export const retentionText = (days: number | undefined): string => days === undefined ? "for ever" : plural(days, "day")
