/**
 * What the product's writing statements mean to the simulated Postgres, under READ COMMITTED: a statement finds its
 * rows as they were when it began, locks each one, and looks at it again if it had to wait.
 */
import * as Timestamp from "#domain/Timestamp.ts"
import type { JournalRow } from "#persistence/Chain.ts"
import type { Row, Value } from "#persistence/Database.ts"
import { NEWEST_SNAPSHOTS } from "#persistence/Journal.ts"
import * as Journal from "#persistence/PostgresJournal.ts"
import * as Leases from "#persistence/RunnerLeases.ts"
import { PostgresRefused, UNIQUE_VIOLATION } from "#simulations/world/PostgresMessages.ts"
import { indexAfter, type PostgresTables, type RunnerRow, type ShardRow } from "#simulations/world/PostgresTables.ts"
import type { PostgresTransaction, Work } from "#simulations/world/PostgresTransaction.ts"
import {
  bigint,
  bigintColumn,
  bool,
  bytea,
  double,
  int,
  smallint,
  text,
  texts
} from "#simulations/world/PostgresTypes.ts"

export type PostgresWrite = (
  tables: PostgresTables,
  values: ReadonlyArray<Value>,
  transaction: PostgresTransaction
) => Work<ReadonlyArray<Row>>

const SECOND_MICROS = 1_000_000
const DAY_MICROS = 86_400 * SECOND_MICROS

const zoneKey = (zone: number): string => `zone ${zone}`
const runnerKey = (address: string): string => `runner ${address}`
const shardKey = (shard: string): string => `shard ${shard}`

const claim: PostgresWrite = function*(tables, values, transaction) {
  const [zone, owner] = [smallint(values[0]), text(values[1])]
  yield* transaction.exclusive(zoneKey(zone))
  const epoch = (tables.zone.get(zone)?.epoch ?? 0) + 1
  transaction.write(() => tables.zone.set(zone, { zone, epoch, owner, claimed: transaction.now }))
  return [[bigintColumn(epoch)]]
}

const APPEND_COLUMNS = 10

/** Which zones are in their epochs is as at the beginning, and again as each is locked. */
const append: PostgresWrite = function*(tables, values, transaction) {
  const given = Array.from(
    { length: values.length / APPEND_COLUMNS },
    (_, index) => givenRow(values.slice(index * APPEND_COLUMNS, (index + 1) * APPEND_COLUMNS))
  )
  const isOwner = ({ epoch, zone }: JournalRow): boolean => tables.zone.get(zone)?.epoch === epoch
  const owned: Array<JournalRow> = []
  for (const row of given.filter(isOwner).sort((a, b) => a.zone - b.zone)) {
    yield* transaction.share(zoneKey(row.zone))
    if (isOwner(row)) owned.push(row)
  }
  for (const row of owned) {
    const { first, zone } = row
    yield* transaction.exclusive(`journal ${zone} ${first}`)
    const rows = tables.journal(zone)
    if (rows[indexAfter(rows, first) - 1]?.first === first) {
      throw new PostgresRefused(UNIQUE_VIOLATION, `duplicate key value violates unique constraint "journal_pkey"`)
    }
    transaction.write(() => tables.addJournal(row))
  }
  return owned.map(({ epoch, zone }) => [zone, bigintColumn(epoch)])
}

const givenRow = (values: ReadonlyArray<Value>): JournalRow => ({
  zone: smallint(values[0]),
  first: bigint(values[1]),
  last: bigint(values[2]),
  epoch: bigint(values[3]),
  time: { seconds: bigint(values[4]), nanos: int(values[5]) },
  codec: smallint(values[6]),
  payload: bytea(values[7]),
  previous: bytea(values[8]),
  hash: bytea(values[9])
})

const addSnapshot: PostgresWrite = function*(tables, values, transaction) {
  const record = {
    zone: smallint(values[0]),
    head: { sequence: bigint(values[1]), hash: bytea(values[2]) },
    epoch: bigint(values[3]),
    bytes: bigint(values[4]),
    digest: bytea(values[5])
  }
  const isOwner = (): boolean => tables.zone.get(record.zone)?.epoch === record.epoch
  if (!isOwner()) return []
  yield* transaction.share(zoneKey(record.zone))
  if (!isOwner()) return []
  yield* transaction.exclusive(snapshotKey(record.zone, record.head.sequence))
  transaction.write(() => tables.putSnapshot(record))
  return [[1]]
}

const removeSnapshot: PostgresWrite = function*(tables, values, transaction) {
  const [zone, sequence] = [smallint(values[0]), bigint(values[1])]
  if (!tables.snapshot(zone).has(sequence)) return []
  yield* transaction.exclusive(snapshotKey(zone, sequence))
  transaction.write(() => tables.removeSnapshot(zone, sequence))
  return []
}

/** Two that add the same one meet at its key; where it must begin was looked up before. */
const addSegment: PostgresWrite = function*(tables, values, transaction) {
  const record = {
    zone: smallint(values[0]),
    first: bigint(values[1]),
    head: { sequence: bigint(values[2]), hash: bytea(values[4]) },
    previous: bytea(values[3]),
    begins: { seconds: bigint(values[5]), nanos: int(values[6]) },
    ends: { seconds: bigint(values[7]), nanos: int(values[8]) },
    rows: int(values[9]),
    bytes: bigint(values[10]),
    digest: bytea(values[11])
  }
  const { first, zone } = record
  if (first !== 1 + Math.max(0, ...tables.segment(zone).map(({ head }) => head.sequence))) return []
  yield* transaction.exclusive(`segment ${zone} ${first}`)
  if (tables.segment(zone).some((other) => other.first === first)) return []
  transaction.write(() => tables.addSegment(record))
  return [[1]]
}

/** Which rows leave is as at the beginning; one that another has removed meanwhile is not removed again. */
const removeArchived: PostgresWrite = function*(tables, values, transaction) {
  const zone = smallint(values[0])
  const time = { seconds: bigint(values[1]), nanos: int(values[2]) }
  const leaving = leavingRows(tables, zone, time)
  const removed = new Set<number>()
  for (const { first } of leaving) {
    yield* transaction.exclusive(`journal ${zone} ${first}`)
    const rows = tables.journal(zone)
    if (rows[indexAfter(rows, first) - 1]?.first === first) removed.add(first)
  }
  if (removed.size > 0) transaction.write(() => tables.removeJournal(zone, removed))
  return [[bigintColumn(removed.size)]]
}

const leavingRows = (tables: PostgresTables, zone: number, time: Timestamp.Timestamp): ReadonlyArray<JournalRow> => {
  const rows = tables.journal(zone)
  const oldest = rows[0]?.first ?? 0
  const segment = tables.segment(zone).find(({ first, head }) => first <= oldest && oldest <= head.sequence)
  if (segment === undefined) return []
  const last = segment.head.sequence
  const within = rows.filter((row) => row.first >= segment.first && row.first <= last)
  const end = within.find((row) => row.last === last && Buffer.compare(row.hash, segment.head.hash) === 0)
  const newest = [...tables.snapshot(zone).keys()].sort((a, b) => b - a).slice(0, NEWEST_SNAPSHOTS)
  const mayLeave = end !== undefined &&
    Timestamp.compare(segment.ends, time) <= 0 &&
    newest.length > 0 && last <= Math.min(...newest) &&
    last < (rows.at(-1)?.first ?? 0)
  return mayLeave ? within.filter((row) => row.last <= last) : []
}

const snapshotKey = (zone: number, sequence: number): string => `snapshot ${zone} ${sequence}`

/** A number is drawn before the conflict is found, and is lost then. */
const register: PostgresWrite = function*(tables, values, transaction) {
  const [address, runner, healthy] = [text(values[0]), text(values[1]), bool(values[2])]
  const drawn = ++tables.machine
  yield* transaction.exclusive(runnerKey(address))
  const expires = transaction.clock() + double(values[3]) * SECOND_MICROS
  const machine = tables.runner.get(address)?.machine ?? drawn
  transaction.write(() => tables.runner.set(address, { address, machine, runner, healthy, expires }))
  return [[machine]]
}

/** Which row a shard has, and who is a runner, is as at the beginning; whose lease is over, as its row is locked. */
const acquire: PostgresWrite = function*(tables, values, transaction) {
  const address = text(values[0])
  const wanted = [...texts(values[1])].sort()
  const seen = new Map(wanted.map((shard) => [shard, tables.shard.get(shard)]))
  const owners = new Set([...seen.values()].flatMap((row) => row === undefined ? [] : [row.address]))
  const free = new Set([...owners].filter((owner) => !tables.runner.has(owner)))
  const isOver = (runner: RunnerRow | undefined): boolean =>
    runner !== undefined && runner.expires <= transaction.clock()
  const gone = [...owners].filter((owner) => owner !== address && isOver(tables.runner.get(owner))).sort()
  for (const owner of gone) if (isOver(yield* lockRunner(tables, owner, transaction, "share"))) free.add(owner)
  const mayBeHad = (row: ShardRow | undefined): boolean =>
    row === undefined || row.address === address || free.has(row.address)
  const taken: Array<Row> = []
  for (const shard of wanted) {
    if (!mayBeHad(seen.get(shard))) continue
    yield* transaction.exclusive(shardKey(shard))
    if (taken.at(-1)?.[0] === shard) {
      throw new PostgresRefused("21000", "ON CONFLICT DO UPDATE command cannot affect row a second time")
    }
    const row = tables.shard.get(shard)
    const isFree = row === undefined || row.address === address || row === seen.get(shard)
    if (!isFree) continue
    transaction.write(() => tables.putShard(shard, address))
    taken.push([shard])
  }
  return taken
}

/** The shards are those at the beginning, however long it waits for the lease. */
const refresh: PostgresWrite = function*(tables, values, transaction) {
  const address = text(values[0])
  const shards = shardsOf(tables, address)
  const seen = tables.runner.get(address)
  const row = yield* lockRunner(tables, address, transaction)
  if (row === undefined) return []
  const lasted = row.expires > transaction.clock() && row === seen
  const expires = transaction.clock() + double(values[1]) * SECOND_MICROS
  const kept = lasted ? shards.map(({ shard }) => shard) : []
  transaction.write(() => {
    tables.runner.set(address, { ...row, expires })
    tables.watch?.onShardsKept(kept, address)
  })
  if (!lasted) yield* dropAll(tables, shards, transaction)
  return kept.length === 0 ? [[null, lasted]] : kept.map((shard) => [shard, lasted])
}

const judge: PostgresWrite = function*(tables, values, transaction) {
  const [address, healthy] = [text(values[0]), bool(values[1])]
  const row = yield* lockRunner(tables, address, transaction)
  if (row !== undefined) transaction.write(() => tables.runner.set(address, { ...row, healthy }))
  return []
}

const unregister: PostgresWrite = function*(tables, values, transaction) {
  const address = text(values[0])
  const row = yield* lockRunner(tables, address, transaction)
  if (row !== undefined) transaction.write(() => tables.runner.delete(address))
  return []
}

const forget: PostgresWrite = function*(tables, _values, transaction) {
  const isGone = (row: RunnerRow): boolean => row.expires < transaction.now - DAY_MICROS
  const gone = [...tables.runner.values()].filter(isGone).map(({ address }) => address).sort()
  for (const address of gone) {
    const row = yield* lockRunner(tables, address, transaction)
    if (row !== undefined && isGone(row)) transaction.write(() => tables.runner.delete(address))
  }
  return []
}

const release: PostgresWrite = function*(tables, values, transaction) {
  const [address, shard] = [text(values[0]), text(values[1])]
  const row = tables.shard.get(shard)
  if (row?.address === address) yield* drop(tables, row, transaction)
  return []
}

const releaseAll: PostgresWrite = function*(tables, values, transaction) {
  yield* dropAll(tables, shardsOf(tables, text(values[0])), transaction)
  return []
}

/** In the order in which others acquire them. */
function* dropAll(
  tables: PostgresTables,
  rows: ReadonlyArray<ShardRow>,
  transaction: PostgresTransaction
): Work<void> {
  for (const row of rows.toSorted((a, b) => (a.shard < b.shard ? -1 : 1))) yield* drop(tables, row, transaction)
}

/** Deletes a shard's row if it is still the same runner's. */
function* drop(
  tables: PostgresTables,
  { address, id, shard }: ShardRow,
  transaction: PostgresTransaction
): Work<void> {
  yield* transaction.exclusive(shardKey(shard))
  const row = tables.shard.get(shard)
  if (row?.id === id && row.address === address) transaction.write(() => tables.shard.delete(shard))
}

/** A runner's row as it is once it is locked; not one that has come in its place. */
function* lockRunner(
  tables: PostgresTables,
  address: string,
  transaction: PostgresTransaction,
  mode: "exclusive" | "share" = "exclusive"
): Work<RunnerRow | undefined> {
  const before = tables.runner.get(address)
  if (before === undefined) return undefined
  yield* transaction[mode](runnerKey(address))
  const row = tables.runner.get(address)
  return row?.machine === before.machine ? row : undefined
}

const shardsOf = (tables: PostgresTables, address: string): Array<ShardRow> => {
  const rows: Array<ShardRow> = []
  for (const row of tables.shard.values()) if (row.address === address) rows.push(row)
  return rows
}

export const postgresWrites: ReadonlyMap<string, PostgresWrite> = new Map([
  [Journal.CLAIM, claim],
  ...Journal.APPEND.map((text): readonly [string, PostgresWrite] => [text, append]),
  [Journal.ADD_SNAPSHOT, addSnapshot],
  [Journal.REMOVE_SNAPSHOT, removeSnapshot],
  [Journal.ADD_SEGMENT, addSegment],
  [Journal.REMOVE_ARCHIVED, removeArchived],
  [Leases.REGISTER, register],
  [Leases.ACQUIRE, acquire],
  [Leases.REFRESH, refresh],
  [Leases.JUDGE, judge],
  [Leases.UNREGISTER, unregister],
  [Leases.FORGET, forget],
  [Leases.RELEASE, release],
  [Leases.RELEASE_ALL, releaseAll]
])
