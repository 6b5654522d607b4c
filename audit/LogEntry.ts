/**
 * Who did what to which path, when: a line of the audit log, made from a command's record in the journal.
 */
import type { PathIndex } from "#audit/PathIndex.ts"
import { type ByteString, toText } from "#domain/ByteString.ts"
import type { Event } from "#domain/Event.ts"
import * as Mode from "#domain/Mode.ts"
import type { CommandRecord } from "#domain/Operation.ts"
import { operationOf } from "#domain/Operations.ts"
import type { SessionDescriptor } from "#domain/Session.ts"
import * as Timestamp from "#domain/Timestamp.ts"

export interface LogEntry {
  readonly time: Timestamp.Timestamp
  readonly zone: number
  /** The command's first event. */
  readonly sequence: number
  readonly operation: string
  /** The user whose rights decided. */
  readonly uid: number
  /** 0 for what the zone did by itself. */
  readonly session: number
  readonly descriptor: SessionDescriptor | undefined
  /** What it was done to: as it was called before, for a removal or a move. */
  readonly path: ByteString | undefined
  readonly inode: number | undefined
  /** Where it was moved to. */
  readonly to: ByteString | undefined
  /** What changed, by name. */
  readonly changes: { readonly [name: string]: string | number | boolean }
}

/** What a log remembers of a zone while it reads: names, sessions, open files. */
export interface Reading {
  readonly zone: number
  readonly paths: PathIndex
  readonly sessions: Map<number, SessionDescriptor>
  /** Inode by session and handle. */
  readonly opens: Map<string, number>
}

/** The record's entry; the reading moves past it. */
export const read = (
  reading: Reading,
  record: CommandRecord,
  time: Timestamp.Timestamp,
  sequence: number
): LogEntry => {
  let subject: Subject = {}
  let changes: { [name: string]: string | number | boolean } = {}
  for (const event of record.events) {
    if (event._tag === "SessionOpened") reading.sessions.set(event.session, event.descriptor)
    subject = { ...subjectOf(reading, event), ...subject }
    changes = { ...changes, ...changesOf(event) }
    follow(reading, event)
  }
  return {
    time,
    zone: reading.zone,
    sequence,
    operation: operationOf(record.operation)?.name ?? `operation ${record.operation}`,
    uid: record.uid,
    session: record.session,
    descriptor: reading.sessions.get(record.session),
    path: subject.path,
    inode: subject.inode,
    to: subject.to,
    changes
  }
}

/** An entry as `--json` and exports promise it: names are text, what there is not is left out. */
export interface JsonEntry {
  readonly time: string
  readonly zone: number
  readonly sequence: number
  readonly operation: string
  readonly path?: string
  readonly to?: string
  readonly inode?: number
  readonly uid: number
  readonly session: number
  readonly user?: string
  readonly host?: string
  readonly client?: string
  readonly pid?: number
  readonly changes: LogEntry["changes"]
}

export const toJson = (
  { changes, descriptor, inode, operation, path, sequence, session, time, to, uid, zone }: LogEntry
): JsonEntry => ({
  time: Timestamp.format(time),
  zone,
  sequence,
  operation,
  ...path === undefined ? {} : { path: toText(path) },
  ...to === undefined ? {} : { to: toText(to) },
  ...inode === undefined ? {} : { inode },
  uid,
  session,
  ...descriptor === undefined ? {} : {
    user: toText(descriptor.user),
    host: toText(descriptor.host),
    client: toText(descriptor.client),
    pid: descriptor.pid
  },
  changes
})

interface Subject {
  readonly path?: ByteString
  readonly inode?: number
  readonly to?: ByteString
}

/** Asked before the event is applied, so a removed name is still known. */
const subjectOf = (reading: Reading, event: Event): Subject => {
  const { paths } = reading
  const named = (inode: number): Subject => {
    const path = paths.pathOf(inode)
    return path === undefined ? { inode } : { inode, path }
  }
  switch (event._tag) {
    case "InodeCreated":
    case "EntryLinked":
    case "EntryRemoved":
      return { inode: event.inode, path: paths.pathIn(event.parent, event.name) }
    case "EntryMoved":
      return {
        inode: event.inode,
        path: paths.pathIn(event.fromParent, event.fromName),
        to: paths.pathIn(event.toParent, event.toName)
      }
    case "EntriesExchanged":
      return {
        inode: event.inodeA,
        path: paths.pathIn(event.parentA, event.nameA),
        to: paths.pathIn(event.parentB, event.nameB)
      }
    case "FileReleased": {
      const inode = reading.opens.get(`${event.session}:${event.handle}`)
      return inode === undefined ? {} : named(inode)
    }
    case "SnapshotTaken":
    case "SnapshotRemoved":
      return named(event.directory)
    default:
      return "inode" in event ? named(event.inode) : {}
  }
}

const octal = (mode: number): string => (mode & Mode.PERMISSIONS).toString(8).padStart(4, "0")

const changesOf = (event: Event): { readonly [name: string]: string | number | boolean } => {
  switch (event._tag) {
    case "InodeCreated":
      return {
        kind: Mode.kindOf(event.mode),
        mode: octal(event.mode),
        uid: event.uid,
        gid: event.gid,
        ...event.target === "" ? {} : { target: event.target }
      }
    case "EntryMoved":
      return event.replaced === 0 ? {} : { replaced: event.replaced }
    case "AttributesSet":
      return {
        ...event.mode === undefined ? {} : { mode: octal(event.mode) },
        ...event.uid === undefined ? {} : { uid: event.uid },
        ...event.gid === undefined ? {} : { gid: event.gid },
        ...event.atime === undefined ? {} : { atime: Timestamp.format(event.atime) },
        ...event.mtime === undefined ? {} : { mtime: Timestamp.format(event.mtime) }
      }
    case "SizeSet":
      return { size: event.size }
    case "ContentReplaced":
      return {
        offset: event.offset,
        length: event.length,
        slices: [...new Set(event.extents.map(({ slice }) => slice))].join(",")
      }
    case "RangeShifted":
      return { offset: event.offset, shifted: event.length }
    case "XattrSet":
      return { xattr: event.name, bytes: event.value.length }
    case "XattrRemoved":
      return { xattr: event.name, removed: true }
    case "FileOpened":
      return { handle: event.handle, access: event.access }
    case "FileReleased":
      return { handle: event.handle }
    case "LockAcquired":
      return { lock: event.lock.type, start: event.lock.start, end: event.lock.end }
    case "LockAwaited":
      return { waits: event.waiter.type, start: event.waiter.start, end: event.waiter.end }
    case "LockReleased":
      return { unlocked: true, start: event.lock.start, end: event.lock.end }
    case "LockGranted":
      return { granted: `${event.session}/${event.request}` }
    case "SlicesReserved":
      return { first: event.first, count: event.count }
    case "SessionEnded":
      return { ended: event.session, reason: event.reason }
    case "SnapshotTaken":
      return { snapshot: event.name }
    case "SnapshotRemoved":
      return { snapshot: event.name, removed: true }
    default:
      return {}
  }
}

const follow = (reading: Reading, event: Event): void => {
  reading.paths.apply(event)
  if (event._tag === "FileOpened") reading.opens.set(`${event.session}:${event.handle}`, event.inode)
  if (event._tag === "FileReleased") reading.opens.delete(`${event.session}:${event.handle}`)
}
