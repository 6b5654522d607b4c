/**
 * What the database must never be told, looked at in the moment in which it is: an append of an epoch that is over, a
 * shard of a runner that believes in its lease, a snapshot that is not all there, a segment whose object does
 * not hold the rows, rows that leave and are not archived or are the last.
 */
import * as Archive from "#persistence/Archive.ts"
import * as SealedObject from "#persistence/blocks/SealedObject.ts"
import type { JournalRow } from "#persistence/Chain.ts"
import type { SegmentRecord, SnapshotRecord } from "#persistence/Journal.ts"
import * as SegmentCodec from "#persistence/SegmentCodec.ts"
import { leaseWatch } from "#simulations/checks/LeaseWatch.ts"
import { contentIn } from "#simulations/checks/SnapshotContent.ts"
import type { SimulatedCluster } from "#simulations/cluster/SimulatedCluster.ts"
import type { TablesWatch } from "#simulations/world/PostgresTables.ts"
import * as Either from "effect/Either"

export const databaseWatch = (cluster: SimulatedCluster): TablesWatch => {
  const { tables } = cluster.storage.postgres
  /** Whom each shard was taken from that nobody gave back. */
  const takenFrom = new Map<string, string>()
  return {
    onCommit: leaseWatch(cluster),

    onAppend: ({ epoch, first, zone }) => {
      const now = tables.zone.get(zone)?.epoch
      if (now === epoch) return
      cluster.violate(
        "who is fenced writes nothing",
        `zone ${zone}: event ${first} is of epoch ${epoch}, now it is ${now}`
      )
    },

    onShardTaken: (shard, from, by) => {
      if (from === undefined) return void takenFrom.delete(shard)
      takenFrom.set(shard, from)
      const runner = cluster.runners.get(hostOf(from))
      // One that has just come up holds nothing yet of what it held in its last life.
      if (
        runner === undefined || runner.leaseTerm() === undefined ||
        cluster.ageOf(runner) < cluster.scenario.leaseSeconds
      ) return
      cluster.violate(
        "a lease ends before another begins",
        `shard ${shard} goes to ${by}, ${from} believes in its lease`
      )
    },

    onShardsKept: (shards, by) => {
      for (const shard of shards) {
        const owner = tables.shard.get(shard)?.address
        if (owner === undefined || owner === by || takenFrom.get(shard) !== by) continue
        cluster.violate("no two hold one shard", `${by} is told that it has shard ${shard}, which ${owner} has taken`)
      }
    },

    onSegment: (record) => {
      const problem = segmentProblemOf(cluster, record)
      if (problem === undefined) return
      const { first, zone } = record
      cluster.violate("segments are whole", `zone ${zone}, event ${first}, when it is recorded: ${problem}`)
    },

    onRemoved: (zone, rows) => {
      const segments = tables.segment(zone)
      for (const { first, last } of rows) {
        const isLast = first === tables.journal(zone).at(-1)?.first
        const isArchived = segments.some((segment) => segment.first <= first && last <= segment.head.sequence)
        if (!isLast && isArchived) continue
        const why = isLast ? "and is the zone's last" : "and is not archived"
        cluster.violate("nothing acknowledged is dropped", `zone ${zone}: the row of event ${first} leaves ${why}`)
      }
    },

    onSnapshot: (record) => {
      const problem = problemOf(cluster, record)
      if (problem === undefined) return
      const { head, zone } = record
      cluster.violate("snapshots are whole", `zone ${zone}, event ${head.sequence}, when it is recorded: ${problem}`)
    }
  }
}

/** Why a segment that is recorded is not the rows of the journal, in order and in the object store. */
const segmentProblemOf = ({ storage: { objects, postgres } }: SimulatedCluster, record: SegmentRecord) => {
  const { first, head, zone } = record
  const end = postgres.tables.segment(zone).at(-1)?.head.sequence ?? 0
  if (first !== end + 1) return `the one before ends at ${end}`
  if (objects === undefined) return undefined
  const stored = objects.objects.get(Archive.keyOf(record))
  if (stored === undefined) return `${Archive.keyOf(record)} is not there`
  const segment = Either.flatMap(SealedObject.open(stored), SegmentCodec.decode)
  if (Either.isLeft(segment)) return segment.left
  const rows = postgres.tables.journal(zone).filter((row) => row.first >= first && row.last <= head.sequence)
  const hashes = (all: ReadonlyArray<JournalRow>): string =>
    all.map(({ hash }) => Buffer.from(hash).toString("hex")).join()
  return hashes(rows) === hashes(segment.right.rows) ? undefined : "it holds other rows"
}

const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(":"))

/** Why the snapshot cannot be read; what it holds is for `HistoryWalk` to compare. */
const problemOf = (cluster: SimulatedCluster, record: SnapshotRecord): string | undefined => {
  const { contents, storage: { objects } } = cluster
  if (objects === undefined) return undefined
  const content = contentIn(objects.objects, record)
  if (Either.isLeft(content)) return content.left
  contents.set(Buffer.from(record.digest).toString("hex"), content.right)
  return undefined
}
