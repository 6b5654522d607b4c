/**
 * The product's tables in the simulated Postgres, as plain data: what is committed, and nothing else. A row is
 * replaced, never changed, so whoever holds one holds it as it was.
 */
import type { JournalRow } from "#persistence/Chain.ts"
import type { SegmentRecord, SnapshotRecord } from "#persistence/Journal.ts"

export interface ZoneRow {
  readonly zone: number
  readonly epoch: number
  readonly owner: string
  /** Microseconds since 1970, by the server's clock. */
  readonly claimed: number
}

export interface RunnerRow {
  readonly address: string
  readonly machine: number
  readonly runner: string
  readonly healthy: boolean
  /** Microseconds since 1970, by the server's clock. */
  readonly expires: number
}

export interface ShardRow {
  /** Another one for each insertion: who waits for a row to change does not mistake a new one for it. */
  readonly id: number
  readonly shard: string
  readonly address: string
}

/** Told of what is about to be committed, and that something was. */
export interface TablesWatch {
  readonly onCommit: () => void
  readonly onAppend: (row: JournalRow) => void
  readonly onSnapshot: (record: SnapshotRecord) => void
  readonly onSegment: (record: SegmentRecord) => void
  /** Rows that are about to leave. */
  readonly onRemoved: (zone: number, rows: ReadonlyArray<JournalRow>) => void
  /** A shard that was another runner's, or nobody's. */
  readonly onShardTaken: (shard: string, from: string | undefined, by: string) => void
  /** Shards that a runner is told are still its own. */
  readonly onShardsKept: (shards: ReadonlyArray<string>, by: string) => void
}

export class PostgresTables {
  watch: TablesWatch | undefined
  readonly zone = new Map<number, ZoneRow>()
  readonly runner = new Map<string, RunnerRow>()
  /** Whose each shard is, in the order in which the rows lie on disk: a row that changes goes to the end. */
  readonly shard = new Map<string, ShardRow>()
  /** The last number given to a runner; numbers are never given back. */
  machine = 0
  private shardsInserted = 0
  private readonly journals = new Map<number, Array<JournalRow>>()
  private readonly snapshots = new Map<number, Map<number, SnapshotRecord>>()
  private readonly segments = new Map<number, Array<SegmentRecord>>()

  /** A zone's rows by their first event. */
  journal(zone: number): ReadonlyArray<JournalRow> {
    return this.journals.get(zone) ?? NONE
  }

  addJournal(row: JournalRow): void {
    this.watch?.onAppend(row)
    const rows = this.journals.get(row.zone)
    if (rows === undefined) this.journals.set(row.zone, [row])
    else rows.splice(indexAfter(rows, row.first), 0, row)
  }

  /** Another row in the place of one, as whoever gets at the files can have it. */
  forgeJournal(row: JournalRow): void {
    const rows = this.journals.get(row.zone)
    const index = rows?.findIndex(({ first }) => first === row.first) ?? -1
    if (rows !== undefined && index >= 0) rows[index] = row
  }

  /** A zone's snapshots by their last event. */
  snapshot(zone: number): ReadonlyMap<number, SnapshotRecord> {
    return this.snapshots.get(zone) ?? NO_SNAPSHOTS
  }

  putSnapshot(record: SnapshotRecord): void {
    this.watch?.onSnapshot(record)
    let records = this.snapshots.get(record.zone)
    if (records === undefined) this.snapshots.set(record.zone, records = new Map())
    records.set(record.head.sequence, record)
  }

  removeSnapshot(zone: number, sequence: number): void {
    this.snapshots.get(zone)?.delete(sequence)
  }

  /** A zone's segments, the oldest first. */
  segment(zone: number): ReadonlyArray<SegmentRecord> {
    return this.segments.get(zone) ?? NO_SEGMENTS
  }

  addSegment(record: SegmentRecord): void {
    this.watch?.onSegment(record)
    const records = this.segments.get(record.zone)
    if (records === undefined) this.segments.set(record.zone, [record])
    else records.push(record)
  }

  /** Removes the rows that begin with one of these events. */
  removeJournal(zone: number, leaving: ReadonlySet<number>): void {
    const rows = this.journal(zone)
    this.watch?.onRemoved(zone, rows.filter(({ first }) => leaving.has(first)))
    this.journals.set(zone, rows.filter(({ first }) => !leaving.has(first)))
  }

  putShard(shard: string, address: string): void {
    const before = this.shard.get(shard)
    if (before?.address !== address) this.watch?.onShardTaken(shard, before?.address, address)
    const id = before?.id ?? this.shardsInserted++
    this.shard.delete(shard)
    this.shard.set(shard, { id, shard, address })
  }

  clear(): void {
    for (const table of [this.zone, this.runner, this.shard, this.journals, this.snapshots, this.segments]) {
      table.clear()
    }
  }
}

const NONE: ReadonlyArray<JournalRow> = []
const NO_SEGMENTS: ReadonlyArray<SegmentRecord> = []
const NO_SNAPSHOTS: ReadonlyMap<number, SnapshotRecord> = new Map()

/** Index of the first row that begins after the event. */
export const indexAfter = (rows: ReadonlyArray<JournalRow>, sequence: number): number => {
  let low = 0
  let high = rows.length
  if (high > 0 && (rows[high - 1] as JournalRow).first <= sequence) return high
  while (low < high) {
    const middle = (low + high) >> 1
    if ((rows[middle] as JournalRow).first <= sequence) low = middle + 1
    else high = middle
  }
  return low
}
