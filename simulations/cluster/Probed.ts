/** The storage that a runner sees, with probes where rare paths show. It changes nothing. */
import type { BlockStoreService } from "#persistence/blocks/BlockStore.ts"
import type { Claim, JournalService, SnapshotRecord } from "#persistence/Journal.ts"
import type { World } from "#simulations/world/World.ts"
import * as Effect from "effect/Effect"

export const journal = (
  world: World,
  inner: JournalService,
  { onClaim, onClaiming, onSnapshot }: {
    readonly onClaiming: (zone: number, owner: string) => void
    readonly onClaim: (zone: number, claim: Claim) => void
    readonly onSnapshot: (record: SnapshotRecord) => void
  }
): JournalService => ({
  ...inner,
  claim: (zone, owner) =>
    Effect.suspend(() => {
      onClaiming(zone, owner)
      return Effect.tap(inner.claim(zone, owner), (claim) => Effect.sync(() => onClaim(zone, claim)))
    }),
  append: (row) =>
    Effect.tapError(inner.append(row), (error) =>
      Effect.sync(() => {
        if (error._tag === "Fenced") world.probe("append fenced")
        else world.probe(error.uncertain ? "append uncertain" : "append refused")
      })),
  addSnapshot: (record) =>
    Effect.suspend(() => {
      onSnapshot(record)
      return inner.addSnapshot(record)
    }),
  segmentAt: (zone, sequence) =>
    Effect.tap(inner.segmentAt(zone, sequence), (record) =>
      Effect.sync(() => {
        if (record !== undefined && sequence <= record.head.sequence) world.probe("rows read from the archive")
      })),
  addSegment: (record) =>
    Effect.tap(
      inner.addSegment(record),
      (added) => Effect.sync(() => world.probe(added ? "segment recorded" : "another owner was faster with a segment"))
    ),
  removeArchived: (zone, seconds, nanos) =>
    Effect.tap(inner.removeArchived(zone, seconds, nanos), (rows) =>
      Effect.sync(() => {
        if (rows > 0) world.probe("archived rows removed")
      })),
  snapshots: (zone) =>
    Effect.tap(inner.snapshots(zone), (records) =>
      Effect.sync(() => {
        if (records.length === 0) world.probe("zone recovered from rows alone")
      }))
})

export const store = (world: World, inner: BlockStoreService, onStored: () => void): BlockStoreService => ({
  ...inner,
  get: (key) =>
    Effect.tapBoth(inner.get(key), {
      onSuccess: () => Effect.sync(() => key.startsWith("manifests/") && world.probe("zone recovered from a snapshot")),
      onFailure: (error) => Effect.sync(() => world.probe(`object not read: ${error._tag}`))
    }),
  getRange: (key, objectBytes, offset, length) =>
    Effect.tap(
      inner.getRange(key, objectBytes, offset, length),
      () => Effect.sync(() => key.startsWith("pages/") && world.probe("absent pages read"))
    ),
  put: (key, bytes) =>
    Effect.tapBoth(inner.put(key, bytes), {
      onSuccess: () => Effect.sync(onStored),
      onFailure: (error) => Effect.sync(() => world.probe(`object not stored: ${error._tag}`))
    })
})
