/**
 * The bytes of a whole zone state: what a digest is taken over; and of its head, all but the pages, which a snapshot
 * keeps. A pure function of what the state says, whatever its pages look like, so two replays of one journal agree to
 * the last byte.
 *
 * It is written in runs, so that a large zone is never one buffer: a header, runs of inodes, and a trailer.
 */
import { Reader } from "#domain/codec/Reader.ts"
import { Writer } from "#domain/codec/Writer.ts"
import * as Extents from "#domain/Extents.ts"
import { Limits } from "#domain/Limits.ts"
import type { Lock, LockFamily, LockType, Waiter } from "#domain/Locks.ts"
import * as Mode from "#domain/Mode.ts"
import * as NamedSnapshot from "#domain/NamedSnapshot.ts"
import { descriptorCodec, Session } from "#domain/Session.ts"
import { ZoneState } from "#domain/state/ZoneState.ts"
import * as Timestamp from "#domain/Timestamp.ts"

export const VERSION = 3

const RUN_BYTES = 64 * 1024
/** Entries of a directory that are written before a run may end. */
const ENTRIES_AT_ONCE = 1024
const COUNT_MAX = 2 ** 40
const families: ReadonlyArray<LockFamily> = ["posix", "flock"]
const types: ReadonlyArray<LockType> = ["read", "write"]

/**
 * The state in runs of about 64 KiB, each valid until the next is asked for. The state must not change
 * meanwhile.
 */
export function* encode(state: ZoneState): Generator<Uint8Array, void, void> {
  const w = new Writer(RUN_BYTES * 2)
  writeCounters(w, state)
  w.varint(state.inodeCount)
  for (const number of state.inodeNumbers()) {
    writeAttributes(w, state, number)
    const { mode, size } = state.table.row
    if (Mode.isDirectory(mode)) yield* writeEntries(w, state, number)
    writeExtras(w, state, number, size)
    if (w.length > RUN_BYTES) {
      yield w.view()
      w.reset()
    }
  }
  writeLocked(w, state)
  w.varint(state.sessions.size)
  for (const session of state.sessions.values()) {
    writeSession(w, session)
    if (w.length > RUN_BYTES) {
      yield w.view()
      w.reset()
    }
  }
  writeEnded(w, state)
  yield w.view()
}

/** All but what is in pages. */
export const encodeHead = (w: Writer, state: ZoneState): void => {
  writeCounters(w, state)
  w.varint(state.dataBytes)
  writeLocked(w, state)
  w.varint(state.sessions.size)
  for (const session of state.sessions.values()) writeSession(w, session)
  writeEnded(w, state)
}

/** A state whose pages are still to be opened, or `Malformed`. */
export const decodeHead = (r: Reader): ZoneState => {
  const state = readCounters(r)
  state.dataBytes = r.varint()
  readTrailer(r, state)
  return state
}

/** The state, or `Malformed`. */
export const decode = (bytes: Uint8Array): ZoneState => {
  const r = new Reader(bytes)
  const state = readCounters(r)
  let before = 0
  for (let i = r.count(COUNT_MAX); i > 0; i--) {
    before = readInode(r, state, before)
  }
  readTrailer(r, state)
  r.end()
  return state
}

const writeCounters = (w: Writer, state: ZoneState): void => {
  w.u8(VERSION)
  w.varint(state.zone)
  w.varint(state.sequence)
  writeTime(w, state.time)
  w.varint(state.nextInode)
  w.varint(state.nextSlice)
  w.varint(state.snapshots.length)
  for (const snapshot of state.snapshots) NamedSnapshot.codec.write(w, snapshot)
}

const readCounters = (r: Reader): ZoneState => {
  const version = r.u8()
  if (version !== VERSION) r.fail(`snapshot codec ${version} is not known here (this program knows ${VERSION})`)
  const state = new ZoneState(r.varint())
  state.sequence = r.varint()
  state.time = readTime(r)
  state.nextInode = r.varint()
  state.nextSlice = r.varint()
  for (let i = r.count(Limits.snapshotsPerZoneMax); i > 0; i--) state.snapshots.push(readSnapshot(r, state))
  return state
}

const writeLocked = (w: Writer, { locked }: ZoneState): void => {
  w.varint(locked.size)
  for (const [number, { locks, waiters }] of locked) {
    w.u56(number)
    w.varint(locks.length)
    for (const lock of locks) writeLock(w, lock)
    w.varint(waiters.length)
    for (const waiter of waiters) {
      writeLock(w, waiter)
      w.varint(waiter.request)
    }
  }
}

const writeEnded = (w: Writer, { ended }: ZoneState): void => {
  w.varint(ended.size)
  for (const session of ended) w.u56(session)
}

/** Locks, sessions, and sessions that ended. */
const readTrailer = (r: Reader, state: ZoneState): void => {
  for (let i = r.count(COUNT_MAX); i > 0; i--) readHeld(r, state)
  for (let i = r.count(Limits.sessionsPerZoneMax); i > 0; i--) {
    const session = readSession(r)
    state.sessions.set(session.id, session)
  }
  for (let i = r.count(Limits.endedSessionsMax); i > 0; i--) state.ended.add(r.u56())
}

/** A snapshot after those that the state has. */
const readSnapshot = (r: Reader, { sequence, snapshots }: ZoneState): NamedSnapshot.NamedSnapshot => {
  const snapshot = NamedSnapshot.codec.read(r)
  const before = snapshots.at(-1)?.sequence ?? 0
  const isInOrder = snapshot.sequence > before && snapshot.sequence <= sequence
  return isInOrder ? snapshot : r.fail(`a snapshot at ${snapshot.sequence} comes after ${before}`)
}

/** Without a view: a snapshot and a digest come by here once for every inode. */
const writeAttributes = (w: Writer, state: ZoneState, number: number): void => {
  const { extras, table } = state
  if (!table.read(number)) throw new Error(`inode ${number} is gone`)
  const { row } = table
  w.u56(number)
  w.u16(row.mode)
  w.varint(row.uid)
  w.varint(row.gid)
  w.varint(row.nlink)
  w.varint(row.size)
  w.varint(row.rdev)
  w.zigzag(row.atime)
  w.varint(row.atimeNanos)
  w.zigzag(row.mtime)
  w.varint(row.mtimeNanos)
  w.zigzag(row.ctime)
  w.varint(row.ctimeNanos)
  w.u56(row.parent)
  w.string(Mode.isSymlink(row.mode) ? extras.target(number) : "")
  w.varint(row.opens)
}

/** The entries of a directory, in runs too. */
function* writeEntries(w: Writer, { entries }: ZoneState, directory: number): Generator<Uint8Array, void, void> {
  let after = ""
  let some: number
  do {
    some = 0
    entries.walk(directory, after, (name, inode) => {
      w.string(name)
      w.u56(inode)
      after = name
      return ++some < ENTRIES_AT_ONCE
    })
    if (w.length > RUN_BYTES) {
      yield w.view()
      w.reset()
    }
  } while (some === ENTRIES_AT_ONCE)
  w.string("")
}

const writeExtras = (w: Writer, { extras }: ZoneState, number: number, size: number): void => {
  const extents = size === 0 ? Extents.empty : extras.extents(number)
  w.varint(extents.length)
  for (const extent of extents) Extents.codec.write(w, extent)
  const xattrs = extras.xattrs(number)
  w.varint(xattrs?.size ?? 0)
  for (const [name, value] of xattrs ?? []) {
    w.string(name)
    w.string(value)
  }
}

/** Adds the inode to the state; gives its number, which is above the one before. */
const readInode = (r: Reader, state: ZoneState, before: number): number => {
  const { row } = state.table
  const number = r.u56()
  if (number <= before || !Number.isSafeInteger(number)) r.fail(`inode ${number} comes after ${before}`)
  row.mode = r.u16()
  row.uid = r.varint()
  row.gid = r.varint()
  row.nlink = r.varint()
  row.size = r.varint()
  row.rdev = r.varint()
  const atime = readTime(r)
  const mtime = readTime(r)
  const ctime = readTime(r)
  row.parent = r.u56()
  const target = r.string(Limits.symlinkBytesMax)
  row.opens = r.varint()
  row.atime = atime.seconds
  row.atimeNanos = atime.nanos
  row.mtime = mtime.seconds
  row.mtimeNanos = mtime.nanos
  row.ctime = ctime.seconds
  row.ctimeNanos = ctime.nanos
  if (!row.isValid) r.fail(`inode ${number} has an attribute out of bounds`)
  state.table.add(number)
  if (target !== "") state.extras.setTarget(number, target)
  if (Mode.isDirectory(row.mode)) readEntries(r, state, number)
  const extents: Array<Extents.Extent> = []
  for (let i = r.count(COUNT_MAX), end = 0; i > 0; i--) {
    const extent = readExtent(r, end)
    extents.push(extent)
    end = Extents.end(extent)
  }
  if (extents.length > 0) state.extras.setExtents(number, extents)
  state.dataBytes += Extents.dataBytes(extents)
  for (let i = r.count(Limits.xattrListBytesMax); i > 0; i--) {
    const name = r.string(Limits.xattrNameBytesMax)
    if (name === "") r.fail("an attribute without a name")
    state.extras.setXattr(number, name, r.string(Limits.xattrValueBytesMax))
  }
  return number
}

const readEntries = (r: Reader, state: ZoneState, directory: number): void => {
  for (let before = "";;) {
    const name = r.string(Limits.nameBytesMax)
    if (name === "") return
    if (name <= before) r.fail("names are out of order")
    const inode = r.u56()
    if (inode === 0 || !Number.isSafeInteger(inode)) r.fail(`an entry points to ${inode}`)
    state.entries.set(directory, name, inode)
    before = name
  }
}

/** An extent that does not begin before the `end` of the one before. */
const readExtent = (r: Reader, end: number): Extents.Extent => {
  const extent = Extents.codec.read(r)
  return Extents.isValid(extent) && extent.offset >= end
    ? extent
    : r.fail(`an extent at ${extent.offset} is out of bounds`)
}

const readHeld = (r: Reader, state: ZoneState): void => {
  const number = r.u56()
  const locks: Array<Lock> = []
  for (let i = r.count(COUNT_MAX); i > 0; i--) locks.push(readLock(r))
  const waiters: Array<Waiter> = []
  for (let i = r.count(COUNT_MAX); i > 0; i--) {
    const lock = readLock(r)
    waiters.push({ ...lock, request: r.varint() })
  }
  state.locked.set(number, { locks, waiters })
}

const writeSession = (w: Writer, session: Session): void => {
  w.u56(session.id)
  descriptorCodec.write(w, session.descriptor)
  writeTime(w, session.since)
  w.varint(session.floor)
  w.varint(session.replies.size)
  for (const [request, reply] of session.replies) {
    w.varint(request)
    w.string(reply)
  }
  w.varint(session.opens.size)
  for (const [handle, { access, inode }] of session.opens) {
    w.varint(handle)
    w.u56(inode)
    w.u8(access)
  }
}

const readSession = (r: Reader): Session => {
  const id = r.u56()
  const descriptor = descriptorCodec.read(r)
  const session = new Session(id, descriptor, readTime(r))
  session.floor = r.varint()
  for (let i = r.count(COUNT_MAX); i > 0; i--) {
    const request = r.varint()
    session.remember(request, r.string(Limits.messageBytesMax))
  }
  for (let i = r.count(Limits.opensPerSessionMax); i > 0; i--) {
    const handle = r.varint()
    const inode = r.u56()
    session.opens.set(handle, { inode, access: r.u8() })
  }
  return session
}

const writeLock = (w: Writer, lock: Lock): void => {
  w.u8((families.indexOf(lock.family) << 1) | types.indexOf(lock.type))
  w.u56(lock.session)
  w.varint(lock.owner)
  w.varint(lock.pid)
  w.varint(lock.start)
  w.varint(lock.end)
}

const readLock = (r: Reader): Lock => {
  const kind = r.u8()
  const family = families[kind >> 1] ?? r.fail(`unknown lock ${kind}`)
  const type = types[kind & 1] as LockType
  const session = r.u56()
  const owner = r.varint()
  const pid = r.varint()
  const start = r.varint()
  return { family, type, session, owner, pid, start, end: r.varint() }
}

const writeTime = (w: Writer, time: Timestamp.Timestamp): void => {
  w.zigzag(time.seconds)
  w.varint(time.nanos)
}

const readTime = (r: Reader): Timestamp.Timestamp => {
  const time = Timestamp.make(r.zigzag(), r.varint())
  return Timestamp.isValid(time) ? time : r.fail("not a time")
}
