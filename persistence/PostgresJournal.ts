/**
 * The journal in Postgres. One row a batch; claim, append and the record of a snapshot are fenced by the zone's epoch
 * inside the very statement that writes, so a stale owner cannot append, whenever its statement arrives.
 */
import * as AppendQueue from "#persistence/AppendQueue.ts"
import * as Chain from "#persistence/Chain.ts"
import { Database, type DatabaseError, type DatabaseService, type Row, type Value } from "#persistence/Database.ts"
import {
  Fenced,
  Journal,
  JournalUnavailable,
  NEWEST_SNAPSHOTS,
  type SegmentRecord,
  type SnapshotRecord
} from "#persistence/Journal.ts"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Takes the zone's row lock against every append, which holds it shared until its commit. */
export const CLAIM = `
  insert into cadastre.zone as z (zone, epoch, owner, claimed) values ($1, 1, $2, now())
  on conflict (zone) do update set epoch = z.epoch + 1, owner = excluded.owner, claimed = excluded.claimed
  returning epoch`

const APPEND_TYPES = ["smallint", "bigint", "bigint", "bigint", "bigint", "int", "smallint", "bytea", "bytea", "bytea"]

/** Parameters of row `index`, with their types. */
const parameters = (index: number): string =>
  APPEND_TYPES.map((type, column) => `$${index * APPEND_TYPES.length + column + 1}::${type}`).join(", ")

/** Appends rows whose zones are still in their epochs, and tells which these are. Zones are locked in order. */
export const APPEND: ReadonlyArray<string> = Array.from({ length: AppendQueue.ROWS_MAX }, (_, more) => `
  with given (zone, first, last, epoch, seconds, nanos, codec, payload, previous, hash) as (
    values ${Array.from({ length: more + 1 }, (_, index) => `(${parameters(index)})`).join(", ")}
  ), owner as (
    select zone, epoch from cadastre.zone join given using (zone, epoch) order by zone for share of zone
  )
  insert into cadastre.journal (zone, first, last, epoch, seconds, nanos, codec, payload, previous, hash)
  select zone, first, last, epoch, seconds, nanos, codec, payload, previous, hash from given join owner using (zone, epoch)
  returning zone, epoch`)

const COLUMNS = "first, last, epoch, seconds, nanos, codec, payload, previous, hash"

/**
 * Starts at the row that holds the next event, if that is here; the running sum of bytes cuts the page, but never to
 * nothing.
 */
export const READ = `
  with candidate as (
    select ${COLUMNS} from cadastre.journal
    where zone = $1 and last > $2 and first >= (
      select max(first) from cadastre.journal where zone = $1 and first <= $2::bigint + 1
    )
    order by first limit $3
  ), measured as (
    select *, sum(length(payload)) over (order by first) as total from candidate
  )
  select ${COLUMNS} from measured where total <= $4 or total = length(payload) order by first`

export const HEAD = "select last, hash from cadastre.journal where zone = $1 order by first desc limit 1"

export const SEQUENCE_AT = `
  select coalesce(max(last), 0) from cadastre.journal where zone = $1 and (seconds, nanos) <= ($2::bigint, $3::int)`

export const SNAPSHOTS =
  "select sequence, hash, epoch, bytes, digest from cadastre.snapshot where zone = $1 order by sequence desc"

export const ADD_SNAPSHOT = `
  with owner as (select from cadastre.zone where zone = $1 and epoch = $4 for share)
  insert into cadastre.snapshot (zone, sequence, hash, epoch, bytes, digest)
  select $1, $2, $3, $4, $5, $6 from owner
  on conflict (zone, sequence) do update set
    hash = excluded.hash, epoch = excluded.epoch, bytes = excluded.bytes, digest = excluded.digest
  returning 1`

export const REMOVE_SNAPSHOT = "delete from cadastre.snapshot where zone = $1 and sequence = $2"

const SEGMENT_COLUMNS =
  "first, last, previous, hash, begins_seconds, begins_nanos, ends_seconds, ends_nanos, rows, bytes, digest"

export const SEGMENT_AT = `
  select ${SEGMENT_COLUMNS} from cadastre.segment where zone = $1 and first <= $2 order by first desc limit 1`

export const SEGMENT_AT_TIME = `
  select ${SEGMENT_COLUMNS} from cadastre.segment
  where zone = $1 and (begins_seconds, begins_nanos) <= ($2::bigint, $3::int) order by first desc limit 1`

/** Segments have no gaps and do not overlap, whoever adds them. */
export const ADD_SEGMENT = `
  insert into cadastre.segment (zone, ${SEGMENT_COLUMNS})
  select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
  where $2 = 1 + (select coalesce(max(last), 0) from cadastre.segment where zone = $1)
  on conflict (zone, first) do nothing
  returning 1`

export const MEASURE = `
  with unsealed as (
    select length(payload) as bytes from cadastre.journal where zone = $1 and first > $2 order by first limit $3
  )
  select count(*), coalesce(sum(bytes), 0) from unsealed`

/**
 * All conditions in the statement that deletes: what is not archived cannot leave, whoever asks and whenever the
 * statement arrives. The segment's last row must have the hash that was recorded, so that these are the rows that the
 * object holds. Older snapshots, of which the past is read, hold nothing: their rows are read from the archive.
 */
export const REMOVE_ARCHIVED = `
  with leaving as (
    select segment.first, segment.last
    from cadastre.segment, (select min(first) as first from cadastre.journal where zone = $1) as oldest
    where segment.zone = $1 and oldest.first between segment.first and segment.last
      and (ends_seconds, ends_nanos) <= ($2::bigint, $3::int)
      and segment.last <= (
        select min(sequence) from (
          select sequence from cadastre.snapshot where zone = $1 order by sequence desc limit ${NEWEST_SNAPSHOTS}
        ) as newest
      )
      and segment.last < (select max(first) from cadastre.journal where zone = $1)
      and exists (
        select from cadastre.journal as stored
        where stored.zone = $1 and stored.first between segment.first and segment.last
          and stored.last = segment.last and stored.hash = segment.hash
      )
  ), removed as (
    delete from cadastre.journal as stored using leaving
    where stored.zone = $1 and stored.first between leaving.first and leaving.last and stored.last <= leaving.last
    returning 1
  )
  select count(*) from removed`

const UNIQUE_VIOLATION = "23505"
/** A row has what its table does not take: SQLSTATE classes 22, data exception, and 23, integrity constraint. */
const UNFIT = /^2[23]/

export const layer: Layer.Layer<Journal, never, Database> = Layer.scoped(
  Journal,
  Effect.gen(function*() {
    const database = yield* Database

    const head = (zone: number) =>
      database.query("read the head", HEAD, [zone]).pipe(
        Effect.map(([row]): Chain.ChainHead =>
          row === undefined ? Chain.START : { sequence: Number(row[0]), hash: row[1] as Uint8Array }
        ),
        Effect.mapError(unavailable)
      )

    const append = yield* AppendQueue.make((rows) => write(database, rows))

    return Journal.of({
      claim: (zone, owner) =>
        Effect.gen(function*() {
          const [row] = yield* Effect.mapError(database.query("claim", CLAIM, [zone, owner]), unavailable)
          return { epoch: Number(row?.[0]), head: yield* head(zone) }
        }),

      append,

      read: (zone, sequence, rowsMax, bytesMax) =>
        database.query("read", READ, [zone, sequence, rowsMax, bytesMax]).pipe(
          Effect.map((rows) => rows.map((row) => journalRow(zone, row))),
          Effect.mapError(unavailable)
        ),

      head,

      sequenceAt: (zone, seconds, nanos) =>
        database.query("find a time", SEQUENCE_AT, [zone, seconds, nanos]).pipe(
          Effect.map(([row]) => Number(row?.[0] ?? 0)),
          Effect.mapError(unavailable)
        ),

      snapshots: (zone) =>
        database.query("list snapshots", SNAPSHOTS, [zone]).pipe(
          Effect.map((rows) => rows.map((row) => snapshotRecord(zone, row))),
          Effect.mapError(unavailable)
        ),

      addSnapshot: ({ bytes, digest, epoch, head, zone }) =>
        database.query("record a snapshot", ADD_SNAPSHOT, [zone, head.sequence, head.hash, epoch, bytes, digest]).pipe(
          Effect.mapError(unavailable),
          Effect.flatMap((rows) => rows.length === 1 ? Effect.void : Effect.fail(new Fenced({ zone, epoch })))
        ),

      removeSnapshot: (zone, sequence) =>
        database.query("forget a snapshot", REMOVE_SNAPSHOT, [zone, sequence]).pipe(
          Effect.asVoid,
          Effect.mapError(unavailable)
        ),

      segmentAt: (zone, sequence) =>
        database.query("find a segment", SEGMENT_AT, [zone, sequence]).pipe(
          Effect.map(([row]) => row === undefined ? undefined : segmentRecord(zone, row)),
          Effect.mapError(unavailable)
        ),

      segmentAtTime: (zone, seconds, nanos) =>
        database.query("find a segment by its time", SEGMENT_AT_TIME, [zone, seconds, nanos]).pipe(
          Effect.map(([row]) => row === undefined ? undefined : segmentRecord(zone, row)),
          Effect.mapError(unavailable)
        ),

      addSegment: ({ begins, bytes, digest, ends, first, head, previous, rows, zone }) =>
        database.query("record a segment", ADD_SEGMENT, [
          zone,
          first,
          head.sequence,
          previous,
          head.hash,
          begins.seconds,
          begins.nanos,
          ends.seconds,
          ends.nanos,
          rows,
          bytes,
          digest
        ]).pipe(
          Effect.map((added) => added.length === 1),
          Effect.mapError(unavailable)
        ),

      measure: (zone, sequence, rowsMax) =>
        database.query("measure what is not archived", MEASURE, [zone, sequence, rowsMax]).pipe(
          Effect.map(([row]) => ({ rows: Number(row?.[0] ?? 0), bytes: Number(row?.[1] ?? 0) })),
          Effect.mapError(unavailable)
        ),

      removeArchived: (zone, seconds, nanos) =>
        database.query("remove archived rows", REMOVE_ARCHIVED, [zone, seconds, nanos]).pipe(
          Effect.map(([row]) => Number(row?.[0] ?? 0)),
          Effect.mapError(unavailable)
        )
    })
  })
)

/** Appends rows in one transaction. One that does not fit costs the others that, and nothing else. */
const write = (
  database: DatabaseService,
  rows: ReadonlyArray<Chain.JournalRow>
): Effect.Effect<ReadonlyArray<AppendQueue.Appended>> =>
  database.query("append", APPEND[rows.length - 1] as string, rows.flatMap(valuesOf)).pipe(
    Effect.map((written) => {
      const appended = new Set(written.map(([zone, epoch]) => `${zone} ${epoch}`))
      return rows.map((row) => appended.has(`${row.zone} ${row.epoch}`) ? Effect.void : fencedOff(row))
    }),
    Effect.catchAll((error) => {
      if (rows.length > 1 && UNFIT.test(error.code ?? "")) {
        return Effect.map(Effect.forEach(rows, (row) => write(database, [row])), (outcomes) => outcomes.flat())
      }
      return Effect.succeed(
        rows.map((row) => error.code === UNIQUE_VIOLATION ? fencedOff(row) : Effect.fail(unavailable(error)))
      )
    })
  )

const fencedOff = ({ epoch, zone }: Chain.JournalRow) => Effect.fail(new Fenced({ zone, epoch }))

const valuesOf = (row: Chain.JournalRow): ReadonlyArray<Value> => [
  row.zone,
  row.first,
  row.last,
  row.epoch,
  row.time.seconds,
  row.time.nanos,
  row.codec,
  row.payload,
  row.previous,
  row.hash
]

const unavailable = ({ operation, reason, uncertain }: DatabaseError): JournalUnavailable =>
  new JournalUnavailable({ operation, reason, uncertain })

const journalRow = (zone: number, row: Row): Chain.JournalRow => ({
  zone,
  first: Number(row[0]),
  last: Number(row[1]),
  epoch: Number(row[2]),
  time: { seconds: Number(row[3]), nanos: Number(row[4]) },
  codec: Number(row[5]),
  payload: row[6] as Uint8Array,
  previous: row[7] as Uint8Array,
  hash: row[8] as Uint8Array
})

const snapshotRecord = (zone: number, row: Row): SnapshotRecord => ({
  zone,
  head: { sequence: Number(row[0]), hash: row[1] as Uint8Array },
  epoch: Number(row[2]),
  bytes: Number(row[3]),
  digest: row[4] as Uint8Array
})

const segmentRecord = (zone: number, row: Row): SegmentRecord => ({
  zone,
  first: Number(row[0]),
  head: { sequence: Number(row[1]), hash: row[3] as Uint8Array },
  previous: row[2] as Uint8Array,
  begins: { seconds: Number(row[4]), nanos: Number(row[5]) },
  ends: { seconds: Number(row[6]), nanos: Number(row[7]) },
  rows: Number(row[8]),
  bytes: Number(row[9]),
  digest: row[10] as Uint8Array
})
