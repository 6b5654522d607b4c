/**
 * Once all is over and looked at: somebody changes one row of a journal, in one place, and whoever reads it must see
 * that. An auditor always does; a zone that comes back does if the row is one that it reads.
 */
import { verify } from "#audit/Verify.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { JournalRow } from "#persistence/Chain.ts"
import type { SimulatedCluster } from "#simulations/cluster/SimulatedCluster.ts"
import type { Process } from "#simulations/world/Process.ts"
import * as Effect from "effect/Effect"

const ZONE = 0

export const tamper = (cluster: SimulatedCluster): Process => {
  const { storage: { postgres: { tables } }, world: { dice } } = cluster
  const rows = tables.journal(ZONE)
  // What lies before a snapshot, nobody reads but auditors.
  const read = Math.max(0, ...tables.snapshot(ZONE).keys())
  const tail = rows.filter(({ last }) => last > read)
  const row = dice.of(dice.chance(70) && tail.length > 0 ? tail : rows)
  cluster.tampered = true
  for (const { process } of cluster.runners.values()) process.kill()
  tables.forgeJournal(forged(row, dice.below(5), dice.below(row.payload.length)))
  cluster.heal()
  return cluster.runClient("auditor", ({ ask, client }) =>
    Effect.gen(function*() {
      const answer = yield* ask("getAttributes", { inode: InodeNumber.rootOf(ZONE) })
      if (answer !== undefined && row.last > read) {
        cluster.violate("tampering is seen", `the zone came back with event ${row.first} changed`)
      }
      const verdict = yield* Effect.either(verify(client, ZONE, () => undefined))
      if (verdict._tag === "Left") return cluster.violate("tampering is seen", verdict.left.message)
      if (verdict.right.problem?.reason.includes("lives with") !== false) {
        cluster.violate("tampering is seen", `no auditor sees that event ${row.first} was changed`)
      }
    }))
}

const forged = (row: JournalRow, what: number, at: number): JournalRow => {
  const { epoch, hash, payload, previous, time } = row
  switch (what) {
    case 0:
      return { ...row, time: { ...time, seconds: time.seconds + 1 } }
    case 1:
      return { ...row, epoch: epoch + 1 }
    case 2:
      return { ...row, hash: turned(hash, at % hash.length) }
    case 3:
      return { ...row, previous: turned(previous, at % previous.length) }
    default:
      return { ...row, payload: turned(payload, at) }
  }
}

const turned = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, index) => index === at ? byte ^ 1 : byte)
