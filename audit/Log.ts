/**
 * The audit log of a cluster: the entries of its zones in one order of time, filtered, and on demand what comes
 * after.
 */
import * as JournalStream from "#audit/JournalStream.ts"
import * as LogEntry from "#audit/LogEntry.ts"
import { PathIndex } from "#audit/PathIndex.ts"
import type { ClientService } from "#client/Client.ts"
import type { TransportError } from "#client/ClientError.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as Chain from "#persistence/Chain.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Mailbox from "effect/Mailbox"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

export interface LogFilter {
  /** This path, and all below it. */
  readonly path?: ByteString
  readonly inode?: number
  readonly uid?: number
  readonly session?: number
  readonly since?: Timestamp.Timestamp
  readonly until?: Timestamp.Timestamp
  readonly operations?: ReadonlySet<string>
}

export type LogError = JournalStream.HistoryBroken | TransportError

export const matches = (filter: LogFilter, entry: LogEntry.LogEntry): boolean => {
  const { inode, operations, path, session, since, uid, until } = filter
  if (since !== undefined && Timestamp.compare(entry.time, since) < 0) return false
  if (until !== undefined && Timestamp.compare(entry.time, until) > 0) return false
  if (inode !== undefined && entry.inode !== inode) return false
  if (uid !== undefined && entry.uid !== uid) return false
  if (session !== undefined && entry.session !== session) return false
  if (operations !== undefined && !operations.has(entry.operation)) return false
  return path === undefined || isWithin(path, entry.path) || isWithin(path, entry.to)
}

const isWithin = (folder: ByteString, path: ByteString | undefined): boolean =>
  path !== undefined && (path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`))

/** A zone that is being read: what its past has taught, and how far. */
interface ZoneReader {
  readonly reading: LogEntry.Reading
  head: Chain.ChainHead
  /** Entries that were read, and how many of them were handed on. */
  pending: ReadonlyArray<LogEntry.LogEntry>
  at: number
}

/** All entries that are committed now, the zones' merged by time. */
export const past = (client: ClientService, zones: ReadonlyArray<number>): Stream.Stream<LogEntry.LogEntry, LogError> =>
  Stream.unwrap(Effect.map(open(client, zones), (readers) => merged(client, readers)))

/** All entries, and then each new one as it is committed. */
export const following = (
  client: ClientService,
  zones: ReadonlyArray<number>
): Stream.Stream<LogEntry.LogEntry, LogError> =>
  Stream.unwrapScoped(Effect.gen(function*() {
    const readers = yield* open(client, zones)
    const mailbox = yield* Mailbox.make<LogEntry.LogEntry, LogError>({ capacity: MAILBOX_ENTRIES })
    const live = Effect.forEach(readers, (reader) => followZone(client, reader, mailbox), {
      concurrency: "unbounded",
      discard: true
    }).pipe(Effect.catchAllCause((cause) => mailbox.failCause(cause)))
    return Stream.concat(
      merged(client, readers),
      Stream.unwrapScoped(Effect.as(Effect.forkScoped(live), Mailbox.toStream(mailbox)))
    )
  }))

const ZONES_AT_ONCE = 16
const MAILBOX_ENTRIES = 1024

const open = (client: ClientService, zones: ReadonlyArray<number>) =>
  Effect.forEach(zones, (zone) => {
    const reading = { zone, paths: new PathIndex(zone), sessions: new Map(), opens: new Map() }
    const reader: ZoneReader = { reading, head: Chain.START, pending: [], at: 0 }
    return Effect.as(refill(client, reader), reader)
  }, { concurrency: ZONES_AT_ONCE })

/** Reads the zone's next page, once the last one is handed on. Whether there was one. */
const refill = (client: ClientService, reader: ZoneReader): Effect.Effect<boolean, LogError> =>
  Effect.gen(function*() {
    const rows = yield* JournalStream.readPage(client, reader.reading.zone, reader.head.sequence)
    const entries: Array<LogEntry.LogEntry> = []
    for (const row of rows) {
      const { batch } = yield* JournalStream.check(reader.head, row)
      let sequence = row.first
      for (const record of batch.records) {
        entries.push(LogEntry.read(reader.reading, record, batch.time, sequence))
        sequence += record.events.length
      }
      reader.head = Chain.headOf(row)
    }
    reader.pending = entries
    reader.at = 0
    return rows.length > 0
  })

/** Always the earliest of what the zones have next. */
const merged = (
  client: ClientService,
  readers: ReadonlyArray<ZoneReader>
): Stream.Stream<LogEntry.LogEntry, LogError> =>
  Stream.unfoldEffect(readers.filter(({ pending }) => pending.length > 0), (live) =>
    Effect.gen(function*() {
      const earliest = live.reduce<ZoneReader | undefined>(
        (best, reader) => best === undefined || isEarlier(reader, best) ? reader : best,
        undefined
      )
      const entry = earliest?.pending[earliest.at]
      if (earliest === undefined || entry === undefined) return Option.none()
      earliest.at++
      const empty = earliest.at === earliest.pending.length && !(yield* refill(client, earliest))
      return Option.some([entry, empty ? live.filter((reader) => reader !== earliest) : live] as const)
    }))

const isEarlier = (a: ZoneReader, b: ZoneReader): boolean => {
  const first = a.pending[a.at]
  const second = b.pending[b.at]
  return first !== undefined && second !== undefined && Timestamp.compare(first.time, second.time) < 0
}

/** Reads on whenever the zone's runner tells of a commit, wherever the zone goes. */
const followZone = (
  client: ClientService,
  reader: ZoneReader,
  mailbox: Mailbox.Mailbox<LogEntry.LogEntry, LogError>
) => {
  const { zone } = reader.reading
  const drain: Effect.Effect<void, LogError> = Effect.suspend(() =>
    Effect.flatMap(refill(client, reader), (more) => {
      const offered = mailbox.offerAll(reader.pending)
      reader.at = reader.pending.length
      return more ? Effect.zipRight(offered, drain) : Effect.asVoid(offered)
    })
  )
  const onCommit = (sequence: number): Effect.Effect<void> =>
    sequence <= reader.head.sequence
      ? Effect.void
      : Effect.catchAll(drain, (error) => Effect.asVoid(mailbox.fail(error)))
  return Effect.flatMap(
    client.zone(zone),
    (link) =>
      Effect.forever(link.ask((runner) => Stream.runForEach(runner.Follow({ zone }), onCommit), Duration.infinity))
  )
}
