/**
 * Zones as entities of the cluster: started here when their shard is here and somebody asks for them, ended when
 * the shard leaves.
 */
import { ARCHIVERS_AT_ONCE } from "#actors/Archiver.ts"
import { LocalZones } from "#actors/LocalZones.ts"
import * as Zone from "#actors/Zone.ts"
import type { BlockStore } from "#persistence/blocks/BlockStore.ts"
import type { Journal } from "#persistence/Journal.ts"
import type { RunnerLease } from "#persistence/RunnerLeases.ts"
import { SNAPSHOTS_AT_ONCE } from "#persistence/Snapshot.ts"
import { ZoneLocation } from "#shards/Api.ts"
import { ZoneEntity, zoneOf } from "#shards/ZoneEntity.ts"
import * as Entity from "@effect/cluster/Entity"
import type { Sharding } from "@effect/cluster/Sharding"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"

export type HostConfig = Pick<
  Zone.ZoneConfig,
  "sessionLease" | "snapshotEvents" | "memoryBytes" | "deflatesPages" | "idle" | "archive"
>

export const layer = (
  config: HostConfig
): Layer.Layer<never, never, Sharding | Journal | BlockStore | RunnerLease | LocalZones> => {
  const archivers = Effect.unsafeMakeSemaphore(ARCHIVERS_AT_ONCE)
  const snapshots = Effect.unsafeMakeSemaphore(SNAPSHOTS_AT_ONCE)
  return ZoneEntity.toLayer(
    Effect.gen(function*() {
      const { entityId } = yield* Entity.CurrentAddress
      const { host, port } = yield* Entity.CurrentRunnerAddress
      const zones = yield* LocalZones
      const number = zoneOf(entityId)
      const zone = yield* Zone.make({ ...config, archivers, snapshots, zone: number, owner: `${host}:${port}` })
      yield* Effect.acquireRelease(
        Effect.sync(() => zones.set(number, zone)),
        () =>
          Effect.sync(() => {
            if (zones.get(number) === zone) zones.delete(number)
          })
      )
      return {
        Locate: () => Effect.map(zone.ready, (epoch) => new ZoneLocation({ zone: number, host, port, epoch }))
      }
    }),
    { maxIdleTime: Duration.infinity, concurrency: "unbounded" }
  )
}
