/**
 * A zone's history walked from its first event: times only go forth, the invariants hold after every batch, and each
 * snapshot that is recorded is there and is the state of its event, bit for bit. Not `audit/Verify`, which looks at the chain and at the end.
 */
import * as JournalStream from "#audit/JournalStream.ts"
import { digestOf } from "#audit/Verify.ts"
import type { ClientService } from "#client/Client.ts"
import * as Batch from "#domain/Batch.ts"
import { ZoneState } from "#domain/state/ZoneState.ts"
import { problemsOf as brokenInvariantsOf } from "#domain/testing/Invariants.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import { BlockStore } from "#persistence/blocks/BlockStore.ts"
import type { SnapshotRecord } from "#persistence/Journal.ts"
import * as Snapshot from "#persistence/Snapshot.ts"
import type { Violation } from "#simulations/checks/Violation.ts"
import type { SimulatedCluster } from "#simulations/cluster/SimulatedCluster.ts"
import type { Process } from "#simulations/world/Process.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export interface Walked {
  readonly state: ZoneState
  readonly violations: ReadonlyArray<Violation>
}

export const walk = (cluster: SimulatedCluster, process: Process, client: ClientService, zone: number) =>
  Effect.gen(function*() {
    const state = new ZoneState(zone)
    const records = cluster.storage.postgres.tables.snapshot(zone)
    const digests = new Map<number, Uint8Array>()
    const violations: Array<Violation> = []
    let broken = false
    yield* Stream.runForEach(JournalStream.batches(client, zone), ({ batch, row }) =>
      Effect.sync(() => {
        if (Timestamp.compare(batch.time, state.time) < 0) {
          violations.push({
            rule: "time goes forth",
            text: `zone ${zone}: event ${row.first} is before the one before`
          })
        }
        Batch.apply(state, batch)
        const [problem] = broken ? [] : brokenInvariantsOf(state)
        if (problem !== undefined) {
          broken = true
          violations.push({ rule: "invariants hold", text: `zone ${zone}, event ${row.last}: ${problem}` })
        }
        if (records.has(row.last)) digests.set(row.last, digestOf(state))
      }))
    for (const record of records.values()) {
      const problem = yield* problemOf(cluster, process, record, digests.get(record.head.sequence))
      if (problem === undefined) continue
      violations.push({ rule: "snapshots are whole", text: `zone ${zone}, event ${record.head.sequence}: ${problem}` })
    }
    return { state, violations } satisfies Walked
  })

/** What is wrong with a snapshot whose state had this digest. */
const problemOf = (
  { storage }: SimulatedCluster,
  process: Process,
  record: SnapshotRecord,
  digest: Uint8Array | undefined
): Effect.Effect<string | undefined> => {
  if (digest === undefined) return Effect.succeed("no row ends there")
  if (Buffer.compare(digest, record.digest) !== 0) return Effect.succeed("it is not the state of that event")
  return Effect.flatMap(
    storage.store(process),
    (store) => Effect.provideService(Snapshot.load(record), BlockStore, store)
  ).pipe(
    Effect.as(undefined),
    Effect.catchAll(({ message }) => Effect.succeed(message))
  )
}
