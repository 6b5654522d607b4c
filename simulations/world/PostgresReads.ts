/**
 * What the product's reading statements mean to the simulated Postgres. Each sees what is committed when it runs,
 * and waits for nobody.
 */
import * as Timestamp from "#domain/Timestamp.ts"
import type { Row, Value } from "#persistence/Database.ts"
import type { SegmentRecord } from "#persistence/Journal.ts"
import * as Journal from "#persistence/PostgresJournal.ts"
import * as Leases from "#persistence/RunnerLeases.ts"
import { indexAfter, type PostgresTables } from "#simulations/world/PostgresTables.ts"
import { bigint, bigintColumn, byteaColumn, int, smallint } from "#simulations/world/PostgresTypes.ts"

/** `now` is the server's time in microseconds since 1970. */
export type PostgresRead = (
  tables: PostgresTables,
  values: ReadonlyArray<Value>,
  now: number
) => ReadonlyArray<Row>

const head: PostgresRead = (tables, [zone]) => {
  const row = tables.journal(smallint(zone)).at(-1)
  return row === undefined ? [] : [[bigintColumn(row.last), byteaColumn(row.hash)]]
}

const read: PostgresRead = (tables, values) => {
  const [sequence, rowsMax, bytesMax] = [bigint(values[1]), bigint(values[2]), bigint(values[3])]
  const rows = tables.journal(smallint(values[0]))
  const page: Array<Row> = []
  let total = 0
  // No row begins at or before the next event: no page begins there.
  if ((rows[0]?.first ?? Infinity) > sequence + 1) return page
  for (let index = Math.max(0, indexAfter(rows, sequence + 1) - 1); index < rows.length; index++) {
    const row = rows[index]
    if (row === undefined || page.length === rowsMax) break
    if (row.last <= sequence) continue
    total += row.payload.length
    if (total > bytesMax && total !== row.payload.length) break
    page.push([
      bigintColumn(row.first),
      bigintColumn(row.last),
      bigintColumn(row.epoch),
      bigintColumn(row.time.seconds),
      row.time.nanos,
      row.codec,
      byteaColumn(row.payload),
      byteaColumn(row.previous),
      byteaColumn(row.hash)
    ])
  }
  return page
}

const sequenceAt: PostgresRead = (tables, values) => {
  const [seconds, nanos] = [bigint(values[1]), int(values[2])]
  let found = 0
  for (const { last, time } of tables.journal(smallint(values[0]))) {
    if (time.seconds < seconds || (time.seconds === seconds && time.nanos <= nanos)) found = Math.max(found, last)
  }
  return [[bigintColumn(found)]]
}

const snapshots: PostgresRead = (tables, [zone]) =>
  [...tables.snapshot(smallint(zone)).values()]
    .sort((a, b) => b.head.sequence - a.head.sequence)
    .map(({ bytes, digest, epoch, head }) => [
      bigintColumn(head.sequence),
      byteaColumn(head.hash),
      bigintColumn(epoch),
      bigintColumn(bytes),
      byteaColumn(digest)
    ])

const segmentAt: PostgresRead = (tables, [zone, sequence]) => {
  const record = tables.segment(smallint(zone)).findLast(({ first }) => first <= bigint(sequence))
  return record === undefined ? [] : [segmentRow(record)]
}

const segmentAtTime: PostgresRead = (tables, values) => {
  const time = { seconds: bigint(values[1]), nanos: int(values[2]) }
  const record = tables.segment(smallint(values[0])).findLast(({ begins }) => Timestamp.compare(begins, time) <= 0)
  return record === undefined ? [] : [segmentRow(record)]
}

const segmentRow = ({ begins, bytes, digest, ends, first, head, previous, rows }: SegmentRecord): Row => [
  bigintColumn(first),
  bigintColumn(head.sequence),
  byteaColumn(previous),
  byteaColumn(head.hash),
  bigintColumn(begins.seconds),
  begins.nanos,
  bigintColumn(ends.seconds),
  ends.nanos,
  rows,
  bigintColumn(bytes),
  byteaColumn(digest)
]

const measure: PostgresRead = (tables, values) => {
  const [sequence, rowsMax] = [bigint(values[1]), bigint(values[2])]
  const rows = tables.journal(smallint(values[0])).filter(({ first }) => first > sequence).slice(0, rowsMax)
  const bytes = rows.reduce((sum, { payload }) => sum + payload.length, 0)
  return [[bigintColumn(rows.length), bigintColumn(bytes)]]
}

const listRunners: PostgresRead = (tables, _values, now) =>
  [...tables.runner.values()]
    .sort((a, b) => a.machine - b.machine)
    .map(({ expires, healthy, runner }) => [runner, healthy && expires > now])

export const postgresReads: ReadonlyMap<string, PostgresRead> = new Map([
  [Journal.HEAD, head],
  [Journal.READ, read],
  [Journal.SEQUENCE_AT, sequenceAt],
  [Journal.SNAPSHOTS, snapshots],
  [Journal.SEGMENT_AT, segmentAt],
  [Journal.SEGMENT_AT_TIME, segmentAtTime],
  [Journal.MEASURE, measure],
  [Leases.LIST, listRunners]
])
