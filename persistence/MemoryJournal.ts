/**
 * The journal in memory, for tests and simulations: the same meaning as Postgres's, and faults on demand.
 */
import * as Timestamp from "#domain/Timestamp.ts"
import * as Chain from "#persistence/Chain.ts"
import {
  type Claim,
  Fenced,
  Journal,
  type JournalService,
  JournalUnavailable,
  NEWEST_SNAPSHOTS,
  type SegmentRecord,
  type SnapshotRecord
} from "#persistence/Journal.ts"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** What the next appends shall suffer. */
export type AppendFault = "refuse" | "lose-reply"

export interface MemoryJournal {
  readonly service: JournalService
  /** Rows of a zone, to look at and to tamper with. */
  readonly rows: (zone: number) => Array<Chain.JournalRow>
  /** Faults of the appends to come, one each, oldest first. */
  readonly faults: Array<AppendFault>
}

interface ZoneRecord {
  epoch: number
  readonly rows: Array<Chain.JournalRow>
  snapshots: ReadonlyArray<SnapshotRecord>
  /** Oldest first. */
  readonly segments: Array<SegmentRecord>
}

export const make = (): MemoryJournal => {
  const zones = new Map<number, ZoneRecord>()
  const faults: Array<AppendFault> = []
  const of = (zone: number): ZoneRecord => {
    let record = zones.get(zone)
    if (record === undefined) zones.set(zone, record = { epoch: 0, rows: [], snapshots: [], segments: [] })
    return record
  }
  const headOf = ({ rows }: ZoneRecord): Chain.ChainHead => {
    const last = rows[rows.length - 1]
    return last === undefined ? Chain.START : Chain.headOf(last)
  }
  const broken = (uncertain: boolean): JournalUnavailable =>
    new JournalUnavailable({ operation: "append", reason: "a fault was injected", uncertain })

  const service: JournalService = {
    claim: (zone) =>
      Effect.sync((): Claim => {
        const record = of(zone)
        record.epoch++
        return { epoch: record.epoch, head: headOf(record) }
      }),
    append: (row) =>
      Effect.suspend((): Effect.Effect<void, Fenced | JournalUnavailable> => {
        const record = of(row.zone)
        const fault = faults.shift()
        if (fault === "refuse") return Effect.fail(broken(false))
        if (record.epoch !== row.epoch || row.first !== headOf(record).sequence + 1) {
          return Effect.fail(new Fenced({ zone: row.zone, epoch: row.epoch }))
        }
        record.rows.push(row)
        return fault === "lose-reply" ? Effect.fail(broken(true)) : Effect.void
      }),
    read: (zone, sequence, rowsMax, bytesMax) =>
      Effect.sync(() => {
        const page: Array<Chain.JournalRow> = []
        let bytes = 0
        const { rows } = of(zone)
        // The next event's row has left.
        if ((rows[0]?.first ?? 0) > sequence + 1) return page
        for (const row of rows) {
          if (row.last <= sequence) continue
          if (page.length >= rowsMax || (bytes > 0 && bytes + row.payload.length > bytesMax)) break
          page.push(row)
          bytes += row.payload.length
        }
        return page
      }),
    head: (zone) => Effect.sync(() => headOf(of(zone))),
    sequenceAt: (zone, seconds, nanos) =>
      Effect.sync(() => {
        let sequence = 0
        for (const { last, time } of of(zone).rows) {
          if (Timestamp.compare(time, { seconds, nanos }) > 0) break
          sequence = last
        }
        return sequence
      }),
    snapshots: (zone) => Effect.sync(() => of(zone).snapshots),
    addSnapshot: (snapshot) =>
      Effect.suspend(() => {
        const { epoch, zone } = snapshot
        const record = of(zone)
        if (record.epoch !== epoch) return Effect.fail(new Fenced({ zone, epoch }))
        const others = record.snapshots.filter(({ head }) => head.sequence !== snapshot.head.sequence)
        record.snapshots = [...others, snapshot].sort((a, b) => b.head.sequence - a.head.sequence)
        return Effect.void
      }),
    removeSnapshot: (zone, sequence) =>
      Effect.sync(() => {
        const record = of(zone)
        record.snapshots = record.snapshots.filter(({ head }) => head.sequence !== sequence)
      }),
    segmentAt: (zone, sequence) => Effect.sync(() => of(zone).segments.findLast(({ first }) => first <= sequence)),
    segmentAtTime: (zone, seconds, nanos) =>
      Effect.sync(() => of(zone).segments.findLast(({ begins }) => Timestamp.compare(begins, { seconds, nanos }) <= 0)),
    addSegment: (segment) =>
      Effect.sync(() => {
        const { segments } = of(segment.zone)
        if (segment.first !== 1 + (segments.at(-1)?.head.sequence ?? 0)) return false
        segments.push(segment)
        return true
      }),
    measure: (zone, sequence, rowsMax) =>
      Effect.sync(() => {
        const rows = of(zone).rows.filter(({ first }) => first > sequence).slice(0, rowsMax)
        return { rows: rows.length, bytes: rows.reduce((sum, { payload }) => sum + payload.length, 0) }
      }),
    removeArchived: (zone, seconds, nanos) =>
      Effect.sync(() => {
        const { rows, segments, snapshots } = of(zone)
        const oldest = rows[0]?.first ?? 0
        const segment = segments.find(({ first, head }) => first <= oldest && oldest <= head.sequence)
        if (segment === undefined) return 0
        const { ends, head } = segment
        const end = rows.findIndex(({ last }) => last === head.sequence)
        const mayLeave = Timestamp.compare(ends, { seconds, nanos }) <= 0 &&
          head.sequence <= (snapshots.slice(0, NEWEST_SNAPSHOTS).at(-1)?.head.sequence ?? 0) &&
          end >= 0 && end < rows.length - 1 &&
          Buffer.compare(rows[end]?.hash ?? Chain.GENESIS, head.hash) === 0
        return mayLeave ? rows.splice(0, end + 1).length : 0
      })
  }
  return { service, rows: (zone) => of(zone).rows, faults }
}

export const layer: Layer.Layer<Journal> = Layer.sync(Journal, () => make().service)
