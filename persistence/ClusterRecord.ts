/**
 * What a cluster is, once for all runners: its identity and how many zones it has. Kept beside the journals.
 */
import { Limits } from "#domain/Limits.ts"
import type { DatabaseError } from "#persistence/Database.ts"
import { Database } from "#persistence/Database.ts"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export interface ClusterRecord {
  readonly id: string
  readonly zones: number
}

/** The number of zones that was asked for cannot be had. */
export class ZonesRefused extends Schema.TaggedError<ZonesRefused>()("ZonesRefused", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

const ZONES_DEFAULT = 16

/**
 * The cluster's record, made with `zones` if there is none. More zones than before are added, when no other runner
 * is up; fewer are refused, because zones hold files.
 */
export const open = (
  zones: number | undefined,
  runner: string
): Effect.Effect<ClusterRecord, DatabaseError | ZonesRefused, Database> =>
  Effect.gen(function*() {
    const database = yield* Database
    if (zones !== undefined && (!Number.isInteger(zones) || zones < 1 || zones > Limits.zonesMax)) {
      return yield* new ZonesRefused({ reason: `a cluster has 1 to ${Limits.zonesMax} zones, not ${zones}` })
    }
    yield* database.query(
      "found the cluster",
      "insert into cadastre.cluster (zones) values ($1) on conflict do nothing",
      [
        zones ?? ZONES_DEFAULT
      ]
    )
    const [row] = yield* database.query("read the cluster", "select id, zones from cadastre.cluster")
    const id = String(row?.[0])
    const current = Number(row?.[1])
    if (zones === undefined || zones === current) return { id, zones: current }
    if (zones < current) {
      const reason = `the cluster has ${current} zones and they hold files: it cannot have ${zones}`
      return yield* new ZonesRefused({ reason })
    }
    const others = yield* database.query(
      "look for other runners",
      "select address from cadastre.runner where expires > now() and address <> $1",
      [runner]
    )
    if (others.length > 0) {
      const reason = `the cluster has ${current} zones; stop its other runners (${others.join(", ")}) to add some`
      return yield* new ZonesRefused({ reason })
    }
    const add = "update cadastre.cluster set zones = $1 where zones = $2 returning 1"
    const added = yield* database.query("add zones", add, [zones, current])
    // None when another runner was first: look again.
    return added.length > 0 ? { id, zones } : yield* open(zones, runner)
  })
