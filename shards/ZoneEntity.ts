/**
 * The zone as the cluster knows it: an entity that is somewhere, once, and says where. The cluster decides
 * which runner it lives on, starts it with the first message and stops it. Commands do not travel by it.
 */
import { ZoneLocation } from "#shards/Api.ts"
import { ZoneDamaged, ZoneUnavailable } from "#shards/ZoneError.ts"
import * as Entity from "@effect/cluster/Entity"
import * as Rpc from "@effect/rpc/Rpc"
import * as Schema from "effect/Schema"

export const ZoneEntity = Entity.make("Zone", [
  /** Answers when the zone is ready, with the runner that it is on. */
  Rpc.make("Locate", { success: ZoneLocation, error: Schema.Union(ZoneUnavailable, ZoneDamaged) })
])

export const GROUP = "default"

/**
 * The entity id of a zone: its number, and what it takes for it to fall on the shard of the same number. With as
 * many shards as zones, each has its own, and the runners share the zones as evenly as numbers allow.
 */
export const idOf = (zone: number, shardOf: (entityId: string) => number): string => {
  for (let suffix = 0;; suffix++) {
    const id = `${zone}.${suffix}`
    if (shardOf(id) === zone + 1) return id
  }
}

export const zoneOf = (entityId: string): number => Number.parseInt(entityId, 10)
