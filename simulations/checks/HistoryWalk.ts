/**
 * A zone's history walked from its first event: times only go forth, the invariants hold after every batch, locks are
 * granted first come first served, each life of the zone began where the one before ended, and each snapshot that was
 * ever taken is the state of its event, bit for bit, brings it back, and is there if it is recorded. Not `audit/Verify`, which looks at
 * the chain and at the end.
 */
import * as JournalStream from "#audit/JournalStream.ts"
import { digestOf } from "#audit/Verify.ts"
import type { ClientService } from "#client/Client.ts"
import * as Batch from "#domain/Batch.ts"
import { Malformed } from "#domain/codec/Reader.ts"
import * as StateCodec from "#domain/codec/StateCodec.ts"
import { ZoneState } from "#domain/state/ZoneState.ts"
import { problemsOf as brokenInvariantsOf } from "#domain/testing/Invariants.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import { BlockStore } from "#persistence/blocks/BlockStore.ts"
import type { SnapshotRecord } from "#persistence/Journal.ts"
import { GrantWalk } from "#simulations/checks/GrantWalk.ts"
import { contentIn, contentOf } from "#simulations/checks/SnapshotContent.ts"
import type { Violation } from "#simulations/checks/Violation.ts"
import type { SimulatedCluster } from "#simulations/cluster/SimulatedCluster.ts"
import type { Process } from "#simulations/world/Process.ts"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"

export interface Walked {
  readonly state: ZoneState
  readonly violations: ReadonlyArray<Violation>
}

export const walk = (cluster: SimulatedCluster, process: Process, client: ClientService, zone: number) =>
  Effect.gen(function*() {
    const state = new ZoneState(zone)
    const records = cluster.storage.postgres.tables.snapshot(zone)
    const taken = cluster.snapshots.filter((record) => record.zone === zone)
    const wanted = new Set(taken.map(({ head }) => head.sequence))
    const digests = new Map<number, Uint8Array>()
    const violations: Array<Violation> = []
    const claims = cluster.claims.filter((claim) => claim.zone === zone)
    const grants = new GrantWalk()
    let broken = false
    yield* Stream.runForEach(JournalStream.batches(client, zone), ({ batch, row }) =>
      Effect.sync(() => {
        if (Timestamp.compare(batch.time, state.time) < 0) {
          violations.push({
            rule: "time goes forth",
            text: `zone ${zone}: event ${row.first} is before the one before`
          })
        }
        const later = claims.find(({ epoch, head }) => epoch > row.epoch && head.sequence < row.last)
        if (later !== undefined) {
          violations.push({
            rule: "a claim ends what was before it",
            text: `zone ${zone}: epoch ${later.epoch} began after event ${later.head.sequence}, ` +
              `but event ${row.last} is of epoch ${row.epoch}`
          })
        }
        for (const { events } of batch.records) {
          const wrong = grants.walk(events)
          if (wrong !== undefined) violations.push({ rule: "first come, first served", text: `zone ${zone}: ${wrong}` })
        }
        Batch.apply(state, batch)
        const [problem] = broken ? [] : brokenInvariantsOf(state)
        if (problem !== undefined) {
          broken = true
          violations.push({ rule: "invariants hold", text: `zone ${zone}, event ${row.last}: ${problem}` })
        }
        if (!wanted.has(row.last)) return
        const digest = digestOf(state)
        digests.set(row.last, digest)
        const changed = changeOf(state, digest)
        if (changed === undefined) return
        const text = `zone ${zone}, event ${row.last}: what comes back from its bytes ${changed}`
        violations.push({ rule: "a snapshot brings everything back", text })
      }))
    for (const record of taken) {
      const { digest, head: { sequence } } = record
      const expected = digests.get(sequence)
      const held = cluster.contents.get(Buffer.from(digest).toString("hex"))
      const stays = Buffer.compare(records.get(sequence)?.digest ?? NO_DIGEST, digest) === 0
      const problem = falsehoodOf(held, expected) ??
        (stays ? yield* lossOf(cluster, process, record, expected) : undefined)
      if (problem === undefined) continue
      violations.push({ rule: "snapshots are whole", text: `zone ${zone}, event ${record.head.sequence}: ${problem}` })
    }
    return { state, violations } satisfies Walked
  })

/** What is wrong with what the state's bytes bring back. */
const changeOf = (state: ZoneState, digest: Uint8Array): string | undefined => {
  const bytes = Buffer.concat(Array.from(StateCodec.encode(state), (run) => Buffer.from(run)))
  try {
    return Buffer.compare(digestOf(StateCodec.decode(bytes)), digest) === 0 ? undefined : "is another state"
  } catch (error) {
    if (error instanceof Malformed) return `cannot be read: ${error.message}`
    throw error
  }
}

const NO_DIGEST = new Uint8Array(0)

/** Why a snapshot that held a state is not the one of its event; undefined where nobody looked into it. */
const falsehoodOf = (held: Uint8Array | undefined, expected: Uint8Array | undefined): string | undefined => {
  if (expected === undefined) return "no row ends there"
  return held === undefined || Buffer.compare(held, expected) === 0 ? undefined : "it is not the state of that event"
}

/** Why a snapshot that is recorded cannot be read as what it was, from what lies in the store. */
const lossOf = (
  { storage }: SimulatedCluster,
  process: Process,
  record: SnapshotRecord,
  expected: Uint8Array | undefined
): Effect.Effect<string | undefined> => {
  if (storage.objects !== undefined) {
    const content = contentIn(storage.objects.objects, record)
    return Effect.succeed(Either.isLeft(content) ? content.left : falsehoodOf(content.right, expected))
  }
  return Effect.flatMap(storage.store(process), (store) => Effect.provideService(contentOf(record), BlockStore, store))
    .pipe(
      Effect.map((held) => falsehoodOf(held, expected)),
      Effect.catchAll(({ message }) => Effect.succeed(message))
    )
}
