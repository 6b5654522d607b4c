/**
 * The bytes of a whole zone state: what a snapshot stores and what a digest is taken over. A pure function of
 * the events that made the state, order included, so two replays of one journal agree to the last byte.
 *
 * It is written in runs, so that a large zone is never one buffer: a header, runs of inodes, and a trailer.
 */
import { Reader } from "#domain/codec/Reader.ts"
import { Writer } from "#domain/codec/Writer.ts"
import * as Extents from "#domain/Extents.ts"
import { Limits } from "#domain/Limits.ts"
import type { Lock, LockFamily, LockType } from "#domain/Locks.ts"
import { descriptorCodec, Session } from "#domain/Session.ts"
import { Inode } from "#domain/state/Inode.ts"
import { ZoneState } from "#domain/state/ZoneState.ts"
import * as Timestamp from "#domain/Timestamp.ts"

export const VERSION = 1

const RUN_BYTES = 256 * 1024
const COUNT_MAX = 2 ** 40
const families: ReadonlyArray<LockFamily> = ["posix", "flock"]
const types: ReadonlyArray<LockType> = ["read", "write"]

/**
 * The state in runs of about 256 KiB, each valid until the next is asked for. The state must not change
 * meanwhile.
 */
export function* encode(state: ZoneState): Generator<Uint8Array, void, void> {
  const w = new Writer(RUN_BYTES * 2)
  w.u8(VERSION)
  w.varint(state.zone)
  w.varint(state.sequence)
  writeTime(w, state.time)
  w.varint(state.nextInode)
  w.varint(state.nextSlice)
  w.varint(state.inodes.size)
  for (const inode of state.inodes.values()) {
    writeInode(w, inode)
    if (w.length > RUN_BYTES) {
      yield w.view()
      w.reset()
    }
  }
  w.varint(state.locked.size)
  for (const number of state.locked) w.u56(number)
  w.varint(state.sessions.size)
  for (const session of state.sessions.values()) {
    writeSession(w, session)
    if (w.length > RUN_BYTES) {
      yield w.view()
      w.reset()
    }
  }
  w.varint(state.ended.size)
  for (const session of state.ended) w.u56(session)
  yield w.view()
}

/** The state, or `Malformed`. */
export const decode = (bytes: Uint8Array): ZoneState => {
  const r = new Reader(bytes)
  const version = r.u8()
  if (version !== VERSION) r.fail(`snapshot codec ${version} is not known here (this program knows ${VERSION})`)
  const state = new ZoneState(r.varint())
  state.sequence = r.varint()
  state.time = readTime(r)
  state.nextInode = r.varint()
  state.nextSlice = r.varint()
  for (let i = r.count(COUNT_MAX); i > 0; i--) {
    const inode = readInode(r)
    state.inodes.set(inode.number, inode)
    state.dataBytes += Extents.dataBytes(inode.extents)
  }
  for (let i = r.count(COUNT_MAX); i > 0; i--) state.locked.add(r.u56())
  for (let i = r.count(Limits.sessionsPerZoneMax); i > 0; i--) {
    const session = readSession(r)
    state.sessions.set(session.id, session)
  }
  for (let i = r.count(Limits.endedSessionsMax); i > 0; i--) state.ended.add(r.u56())
  r.end()
  return state
}

const writeInode = (w: Writer, inode: Inode): void => {
  w.u56(inode.number)
  w.u16(inode.mode)
  w.varint(inode.uid)
  w.varint(inode.gid)
  w.varint(inode.nlink)
  w.varint(inode.size)
  w.varint(inode.rdev)
  writeTime(w, inode.atime)
  writeTime(w, inode.mtime)
  writeTime(w, inode.ctime)
  w.u56(inode.parent)
  w.string(inode.target)
  w.varint(inode.opens)
  if (inode.entries !== undefined) {
    w.varint(inode.entries.size)
    inode.entries.walk("", (name, number) => {
      w.string(name)
      w.u56(number)
      return true
    })
  }
  w.varint(inode.extents.length)
  for (const extent of inode.extents) Extents.codec.write(w, extent)
  w.varint(inode.xattrs?.size ?? 0)
  for (const [name, value] of inode.xattrs ?? []) {
    w.string(name)
    w.string(value)
  }
  w.varint(inode.locks.length)
  for (const lock of inode.locks) writeLock(w, lock)
  w.varint(inode.waiters.length)
  for (const waiter of inode.waiters) {
    writeLock(w, waiter)
    w.varint(waiter.request)
  }
}

const readInode = (r: Reader): Inode => {
  const number = r.u56()
  const mode = r.u16()
  const uid = r.varint()
  const gid = r.varint()
  const nlink = r.varint()
  const size = r.varint()
  const rdev = r.varint()
  const atime = readTime(r)
  const mtime = readTime(r)
  const ctime = readTime(r)
  const parent = r.u56()
  const target = r.string(Limits.symlinkBytesMax)
  const inode = new Inode({ number, mode, uid, gid, rdev, parent, target, time: ctime })
  inode.nlink = nlink
  inode.size = size
  inode.atime = atime
  inode.mtime = mtime
  inode.opens = r.varint()
  if (inode.entries !== undefined) {
    for (let i = r.count(COUNT_MAX); i > 0; i--) {
      const name = r.string(Limits.nameBytesMax)
      inode.entries.set(name, r.u56())
    }
  }
  const extents: Array<Extents.Extent> = []
  for (let i = r.count(COUNT_MAX); i > 0; i--) extents.push(Extents.codec.read(r))
  inode.extents = extents
  const xattrs = r.count(Limits.xattrListBytesMax)
  if (xattrs > 0) inode.xattrs = new Map()
  for (let i = xattrs; i > 0; i--) {
    const name = r.string(Limits.xattrNameBytesMax)
    inode.xattrs?.set(name, r.string(Limits.xattrValueBytesMax))
  }
  const locks: Array<Lock> = []
  for (let i = r.count(COUNT_MAX); i > 0; i--) locks.push(readLock(r))
  inode.locks = locks
  const waiters = []
  for (let i = r.count(COUNT_MAX); i > 0; i--) {
    const lock = readLock(r)
    waiters.push({ ...lock, request: r.varint() })
  }
  inode.waiters = waiters
  return inode
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
    session.replies.set(request, r.string(Limits.messageBytesMax))
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
