/**
 * The bytes of a batch in the journal: dense, because they are kept for ever. Each event is written against
 * the ones before it in its batch: names share their beginnings, numbers are differences, what repeats is a
 * bit. Nothing reaches across batches, so any one can be read alone.
 *
 * Layout, version 1: version u8; sessions (id u56, floor+1 or 0); records (flags u8, then what differs from
 * the record before); events (tag u8, fields).
 */
import type { Batch, Floor } from "#domain/Batch.ts"
import type { ByteString } from "#domain/ByteString.ts"
import { Reader } from "#domain/codec/Reader.ts"
import type { Writer } from "#domain/codec/Writer.ts"
import type * as Event from "#domain/Event.ts"
import type { Extent } from "#domain/Extents.ts"
import { Limits } from "#domain/Limits.ts"
import type { Lock, LockFamily, LockType, Waiter } from "#domain/Locks.ts"
import * as Mode from "#domain/Mode.ts"
import type { CommandRecord } from "#domain/Operation.ts"
import { descriptorCodec } from "#domain/Session.ts"
import * as Timestamp from "#domain/Timestamp.ts"

export const VERSION = 1

export const encode = (writer: Writer, batch: Batch): void => new Encoder(writer).batch(batch)

/** The batch, or `Malformed`. */
export const decode = (payload: Uint8Array, time: Timestamp.Timestamp): Batch => {
  const reader = new BatchReader(payload)
  const records: Array<CommandRecord> = []
  while (reader.next()) records.push(reader.record())
  return { time, floors: reader.floors, records }
}

/** The floors that a payload tells, without its records. `Malformed` like `decode`. */
export const floors = (payload: Uint8Array): ReadonlyArray<Floor> => new BatchReader(payload).floors

const Tag = {
  InodeCreated: 1,
  EntryLinked: 2,
  EntryRemoved: 3,
  EntryMoved: 4,
  EntriesExchanged: 5,
  AttributesSet: 6,
  SizeSet: 7,
  ContentReplaced: 8,
  RangeShifted: 9,
  XattrSet: 10,
  XattrRemoved: 11,
  FileOpened: 12,
  FileReleased: 13,
  LockAcquired: 14,
  LockReleased: 15,
  LockAwaited: 16,
  LockGranted: 17,
  LockAbandoned: 18,
  SlicesReserved: 19,
  SessionOpened: 20,
  SessionEnded: 21,
  ZoneFounded: 22,
  SnapshotTaken: 23,
  SnapshotRemoved: 24
} as const satisfies { readonly [Name in Event.Event["_tag"]]: number }

/** Differences up to this are written as such; more, as between zones, in seven bytes. */
const NEAR = 2 ** 50
const RECORDS_MAX = Limits.batchCommandsMax * 8
/** Those that have floors, all that the zone keeps, and those of the records. */
const SESSIONS_MAX = Limits.sessionsPerZoneMax + RECORDS_MAX
const EVENTS_MAX = 1_000_000

const families: ReadonlyArray<LockFamily> = ["posix", "flock"]
const types: ReadonlyArray<LockType> = ["read", "write"]
/** Flags of a creation with the parent, the mode and the owner of the one before, and the number that follows. */
const LIKE_BEFORE = 0b1111

const reasons: ReadonlyArray<Event.SessionEnded["reason"]> = ["closed", "expired", "evicted"]

/** What the next event is written against. Both directions move it the same way; each keeps the last name its own way. */
class Before {
  parent = 0
  inode = 0
  mode = 0
  uid = 0
  gid = 0
  seconds = 0
  slice = 0
  sliceEnd = 0
  sliceBytes = 0
}

const sharedPrefix = (a: ByteString, b: ByteString): number => {
  const limit = Math.min(a.length, b.length)
  let at = 0
  while (at < limit && a.charCodeAt(at) === b.charCodeAt(at)) at++
  return at
}

const bit = (set: boolean, at: number): number => (set ? 1 << at : 0)
const has = (flags: number, at: number): boolean => (flags & (1 << at)) !== 0

class Encoder {
  private readonly w: Writer
  private readonly before = new Before()
  private lastName: ByteString = ""
  private readonly sessions = new Map<number, number>([[0, 0]])

  constructor(writer: Writer) {
    this.w = writer
  }

  batch(batch: Batch): void {
    const floors = new Map(batch.floors.map(({ floor, session }) => [session, floor]))
    for (const id of floors.keys()) this.sessions.set(id, this.sessions.size)
    for (const record of batch.records) {
      this.know(record.session)
      for (const event of record.events) {
        if ("session" in event) this.know(event.session)
        else if ("lock" in event) this.know(event.lock.session)
        else if ("waiter" in event) this.know(event.waiter.session)
      }
    }
    const { w } = this
    w.u8(VERSION)
    w.varint(this.sessions.size - 1)
    for (const id of this.sessions.keys()) {
      if (id === 0) continue
      const floor = floors.get(id)
      w.u56(id)
      w.varint(floor === undefined ? 0 : floor + 1)
    }
    w.varint(batch.records.length)
    let last: CommandRecord = FIRST
    for (const record of batch.records) {
      this.record(record, last)
      last = record
    }
  }

  private know(id: number): void {
    if (!this.sessions.has(id)) this.sessions.set(id, this.sessions.size)
  }

  private session(id: number): void {
    this.w.varint(this.sessions.get(id) as number)
  }

  private record(record: CommandRecord, last: CommandRecord): void {
    const { w } = this
    const sameSession = record.session === last.session
    const follows = sameSession && record.request === last.request + 1
    const sameUid = record.uid === last.uid
    const sameOperation = record.operation === last.operation
    const single = record.events.length === 1
    w.u8(bit(sameSession, 0) | bit(follows, 1) | bit(sameUid, 2) | bit(sameOperation, 3) | bit(single, 4))
    if (!sameSession) this.session(record.session)
    if (!follows) w.varint(record.request)
    if (!sameUid) w.varint(record.uid)
    if (!sameOperation) w.u8(record.operation)
    if (!single) w.varint(record.events.length)
    for (const event of record.events) this.event(event, record)
  }

  private event(event: Event.Event, record: CommandRecord): void {
    const { w } = this
    w.u8(Tag[event._tag])
    switch (event._tag) {
      case "InodeCreated":
        return this.inodeCreated(event)
      case "EntryLinked":
      case "EntryRemoved":
        this.parent(event.parent)
        this.name(event.name)
        return this.inode(event.inode)
      case "EntryMoved":
        this.parent(event.fromParent)
        this.name(event.fromName)
        this.parent(event.toParent)
        this.name(event.toName)
        this.inode(event.inode)
        w.u8(event.replaced === 0 ? 0 : 1)
        if (event.replaced !== 0) this.inode(event.replaced)
        return
      case "EntriesExchanged":
        this.parent(event.parentA)
        this.name(event.nameA)
        this.inode(event.inodeA)
        this.parent(event.parentB)
        this.name(event.nameB)
        return this.inode(event.inodeB)
      case "AttributesSet":
        return this.attributesSet(event)
      case "SizeSet":
        this.inode(event.inode)
        return w.varint(event.size)
      case "ContentReplaced":
        return this.contentReplaced(event)
      case "RangeShifted":
        this.inode(event.inode)
        w.varint(event.offset)
        w.u8(event.length < 0 ? 1 : 0)
        return w.varint(Math.abs(event.length))
      case "XattrSet":
        this.inode(event.inode)
        w.string(event.name)
        return w.string(event.value)
      case "XattrRemoved":
        this.inode(event.inode)
        return w.string(event.name)
      case "FileOpened": {
        const usual = event.session === record.session && event.handle === record.request
        w.u8((event.access << 1) | bit(usual, 0))
        if (!usual) {
          this.session(event.session)
          w.varint(event.handle)
        }
        return this.inode(event.inode)
      }
      case "FileReleased":
        this.session(event.session)
        return w.varint(event.handle)
      case "LockAcquired":
      case "LockReleased":
        this.inode(event.inode)
        return this.lock(event.lock)
      case "LockAwaited":
        this.inode(event.inode)
        this.lock(event.waiter)
        return w.varint(event.waiter.request)
      case "LockGranted":
      case "LockAbandoned":
        this.inode(event.inode)
        this.session(event.session)
        return w.varint(event.request)
      case "SlicesReserved":
        w.u56(event.first)
        return w.varint(event.count)
      case "SessionOpened":
        this.session(event.session)
        return descriptorCodec.write(w, event.descriptor)
      case "SessionEnded":
        this.session(event.session)
        return w.u8(reasons.indexOf(event.reason))
      case "ZoneFounded":
        w.varint(event.zone)
        w.u16(event.mode)
        w.varint(event.uid)
        return w.varint(event.gid)
      case "SnapshotTaken":
        this.inode(event.directory)
        this.name(event.name)
        w.varint(event.uid)
        return w.string(event.path)
      case "SnapshotRemoved":
        this.inode(event.directory)
        return this.name(event.name)
    }
  }

  private inodeCreated(event: Event.InodeCreated): void {
    const { before, w } = this
    const sameParent = event.parent === before.parent
    const next = event.inode === before.inode + 1
    const sameMode = event.mode === before.mode
    const sameOwner = event.uid === before.uid && event.gid === before.gid
    w.u8(
      bit(sameParent, 0) | bit(next, 1) | bit(sameMode, 2) | bit(sameOwner, 3) | bit(event.rdev !== 0, 4) |
        bit(event.target !== "", 5)
    )
    if (!sameParent) this.parent(event.parent)
    this.name(event.name)
    if (!next) this.inode(event.inode)
    before.inode = event.inode
    if (!sameMode) w.u16(event.mode)
    before.mode = event.mode
    if (!sameOwner) {
      w.varint(event.uid)
      w.varint(event.gid)
    }
    before.uid = event.uid
    before.gid = event.gid
    if (event.rdev !== 0) w.u32(event.rdev)
    if (event.target !== "") w.string(event.target)
  }

  private attributesSet(event: Event.AttributesSet): void {
    const { before, w } = this
    const { atime, gid, mode, mtime, uid } = event
    const sameInode = event.inode === before.inode
    w.u8(
      bit(sameInode, 0) | bit(mode !== undefined, 1) | bit(uid !== undefined, 2) | bit(gid !== undefined, 3) |
        bit(atime !== undefined, 4) | bit(mtime !== undefined, 5)
    )
    if (!sameInode) this.inode(event.inode)
    if (mode !== undefined) w.u16(mode)
    if (uid !== undefined) w.varint(uid)
    if (gid !== undefined) w.varint(gid)
    if (atime !== undefined) this.time(atime)
    if (mtime !== undefined) this.time(mtime)
  }

  private contentReplaced(event: Event.ContentReplaced): void {
    const { before, w } = this
    const { extents, length, offset } = event
    const [first] = extents
    const sameInode = event.inode === before.inode
    const whole = extents.length === 1 && first?.offset === offset && first.length === length
    w.u8(bit(sameInode, 0) | bit(offset === 0, 1) | bit(event.extends, 2) | bit(whole, 3))
    if (!sameInode) this.inode(event.inode)
    if (offset !== 0) w.varint(offset)
    w.varint(length)
    if (whole) return this.source(first)
    w.varint(extents.length)
    let at = offset
    for (const extent of extents) {
      w.varint(extent.offset - at)
      w.varint(extent.length)
      this.source(extent)
      at = extent.offset + extent.length
    }
  }

  /** Where an extent's bytes are. Small files share a slice, one behind the other. */
  private source(extent: Extent): void {
    const { before, w } = this
    const sameSlice = extent.slice === before.slice
    const follows = sameSlice && extent.sliceOffset === before.sliceEnd
    w.u8(bit(sameSlice, 0) | bit(follows, 1) | bit(extent.sliceBytes === before.sliceBytes, 2))
    if (!sameSlice) this.near(extent.slice, before.slice)
    if (!follows) w.varint(extent.sliceOffset)
    if (extent.sliceBytes !== before.sliceBytes) w.varint(extent.sliceBytes)
    before.slice = extent.slice
    before.sliceEnd = extent.sliceOffset + extent.length
    before.sliceBytes = extent.sliceBytes
  }

  private lock(lock: Lock): void {
    const { w } = this
    w.u8((families.indexOf(lock.family) << 1) | types.indexOf(lock.type))
    this.session(lock.session)
    w.varint(lock.owner)
    w.varint(lock.pid)
    w.varint(lock.start)
    w.varint(lock.end)
  }

  private time(time: Timestamp.Timestamp): void {
    this.w.zigzag(time.seconds - this.before.seconds)
    this.before.seconds = time.seconds
    this.w.varint(time.nanos)
  }

  private name(name: ByteString): void {
    const shared = sharedPrefix(name, this.lastName)
    this.w.varint(shared)
    this.w.varint(name.length - shared)
    this.w.raw(name.slice(shared))
    this.lastName = name
  }

  private parent(parent: number): void {
    this.near(parent, this.before.parent)
    this.before.parent = parent
  }

  private inode(inode: number): void {
    this.near(inode, this.before.inode)
    this.before.inode = inode
  }

  private near(value: number, reference: number): void {
    const difference = value - reference
    if (Math.abs(difference) < NEAR) this.w.varint((difference < 0 ? -difference * 2 - 1 : difference * 2) + 1)
    else {
      this.w.varint(0)
      this.w.u56(value)
    }
  }
}

const FIRST: CommandRecord = { session: 0, request: -1, uid: 0, operation: 0, events: [] }

/** What an `InodeCreated` says, but for its name. */
class Created {
  parent = 0
  inode = 0
  mode = 0
  uid = 0
  gid = 0
  rdev = 0
  target: ByteString = ""
}

/**
 * Reads a payload record by record. A record that is nothing but a creation, as most are, stays numbers and bytes until
 * `record` is asked for: a replay applies it as it is. What is malformed is told when its turn comes.
 */
export class BatchReader {
  readonly floors: ReadonlyArray<Floor>
  session = FIRST.session
  request = FIRST.request
  uid = FIRST.uid
  operation = FIRST.operation
  /** Whether the record is one `InodeCreated`, which `created` and `name` tell. */
  isCreation = false
  readonly created = new Created()
  /** Whether a creation differs from what was created before it in its name and its number, one more, alone; both are files. */
  isNext = false
  /** The last name read, in its first `nameLength` bytes. */
  readonly name = Buffer.alloc(Limits.nameBytesMax)
  nameLength = 0

  private readonly r: Reader
  private readonly before = new Before()
  private readonly sessions: Array<number> = [0]
  private events: ReadonlyArray<Event.Event> = []
  /** Records that are left. */
  private rest: number

  constructor(payload: Uint8Array) {
    this.r = new Reader(payload)
    this.floors = this.readFloors()
    this.rest = this.r.count(RECORDS_MAX)
  }

  /** Reads a record; false behind the last. */
  next(): boolean {
    const { r } = this
    if (this.rest === 0) {
      r.end()
      return false
    }
    this.rest--
    const flags = r.u8()
    if (!has(flags, 0)) this.session = this.sessionRead()
    this.request = has(flags, 1) ? this.request + 1 : r.varint()
    if (!has(flags, 2)) this.uid = r.varint()
    if (!has(flags, 3)) this.operation = r.u8()
    const count = has(flags, 4) ? 1 : r.count(EVENTS_MAX)
    this.isCreation = count === 1 && r.peek() === Tag.InodeCreated
    if (this.isCreation) {
      r.u8()
      this.readCreated()
    } else {
      const events: Array<Event.Event> = []
      for (let i = 0; i < count; i++) events.push(this.event(this.session, this.request))
      this.events = events
    }
    return true
  }

  /** The record that `next` read. */
  record(): CommandRecord {
    const { operation, request, session, uid } = this
    const events = this.isCreation ? [this.inodeCreated()] : this.events
    return { session, request, uid, operation, events }
  }

  /** The payload's beginning: its sessions, with the floors that some of them have. */
  private readFloors(): Array<Floor> {
    const { r } = this
    const version = r.u8()
    if (version !== VERSION) r.fail(`journal codec ${version} is not known here (this program knows ${VERSION})`)
    const floors: Array<Floor> = []
    const sessions = r.count(SESSIONS_MAX)
    for (let i = 0; i < sessions; i++) {
      const session = r.u56()
      const floor = r.varint()
      this.sessions.push(session)
      if (floor > 0) floors.push({ session, floor: floor - 1 })
    }
    return floors
  }

  private sessionRead(): number {
    const index = this.r.varint()
    return this.sessions[index] ?? this.r.fail(`session ${index} is not in the batch`)
  }

  private event(session: number, request: number): Event.Event {
    const { r } = this
    const tag = r.u8()
    switch (tag) {
      case Tag.InodeCreated:
        this.readCreated()
        return this.inodeCreated()
      case Tag.EntryLinked:
        return { _tag: "EntryLinked", parent: this.parent(), name: this.nameRead(), inode: this.inode() }
      case Tag.EntryRemoved:
        return { _tag: "EntryRemoved", parent: this.parent(), name: this.nameRead(), inode: this.inode() }
      case Tag.EntryMoved: {
        const fromParent = this.parent()
        const fromName = this.nameRead()
        const toParent = this.parent()
        const toName = this.nameRead()
        const inode = this.inode()
        const replaced = r.u8() === 0 ? 0 : this.inode()
        return { _tag: "EntryMoved", fromParent, fromName, toParent, toName, inode, replaced }
      }
      case Tag.EntriesExchanged: {
        const parentA = this.parent()
        const nameA = this.nameRead()
        const inodeA = this.inode()
        const parentB = this.parent()
        const nameB = this.nameRead()
        return { _tag: "EntriesExchanged", parentA, nameA, inodeA, parentB, nameB, inodeB: this.inode() }
      }
      case Tag.AttributesSet:
        return this.attributesSet()
      case Tag.SizeSet:
        return { _tag: "SizeSet", inode: this.inode(), size: r.varint() }
      case Tag.ContentReplaced:
        return this.contentReplaced()
      case Tag.RangeShifted: {
        const inode = this.inode()
        const offset = r.varint()
        const sign = r.u8() === 0 ? 1 : -1
        return { _tag: "RangeShifted", inode, offset, length: sign * r.varint() }
      }
      case Tag.XattrSet: {
        const inode = this.inode()
        const name = r.string(Limits.xattrNameBytesMax)
        return { _tag: "XattrSet", inode, name, value: r.string(Limits.xattrValueBytesMax) }
      }
      case Tag.XattrRemoved:
        return { _tag: "XattrRemoved", inode: this.inode(), name: r.string(Limits.xattrNameBytesMax) }
      case Tag.FileOpened: {
        const flags = r.u8()
        const access = flags >> 1
        if (has(flags, 0)) return { _tag: "FileOpened", session, handle: request, inode: this.inode(), access }
        const opener = this.sessionRead()
        const handle = r.varint()
        return { _tag: "FileOpened", session: opener, handle, inode: this.inode(), access }
      }
      case Tag.FileReleased:
        return { _tag: "FileReleased", session: this.sessionRead(), handle: r.varint() }
      case Tag.LockAcquired:
        return { _tag: "LockAcquired", inode: this.inode(), lock: this.lock() }
      case Tag.LockReleased:
        return { _tag: "LockReleased", inode: this.inode(), lock: this.lock() }
      case Tag.LockAwaited: {
        const inode = this.inode()
        const lock = this.lock()
        const waiter: Waiter = { ...lock, request: r.varint() }
        return { _tag: "LockAwaited", inode, waiter }
      }
      case Tag.LockGranted:
        return { _tag: "LockGranted", inode: this.inode(), session: this.sessionRead(), request: r.varint() }
      case Tag.LockAbandoned:
        return { _tag: "LockAbandoned", inode: this.inode(), session: this.sessionRead(), request: r.varint() }
      case Tag.SlicesReserved:
        return { _tag: "SlicesReserved", first: r.u56(), count: r.varint() }
      case Tag.SessionOpened:
        return { _tag: "SessionOpened", session: this.sessionRead(), descriptor: descriptorCodec.read(r) }
      case Tag.SessionEnded: {
        const ended = this.sessionRead()
        const reason = r.u8()
        return { _tag: "SessionEnded", session: ended, reason: reasons[reason] ?? r.fail(`unknown reason ${reason}`) }
      }
      case Tag.ZoneFounded:
        return { _tag: "ZoneFounded", zone: r.varint(), mode: r.u16(), uid: r.varint(), gid: r.varint() }
      case Tag.SnapshotTaken: {
        const directory = this.inode()
        const name = this.nameRead()
        const uid = r.varint()
        return { _tag: "SnapshotTaken", directory, name, uid, path: r.string(Limits.pathBytesMax) }
      }
      case Tag.SnapshotRemoved:
        return { _tag: "SnapshotRemoved", directory: this.inode(), name: this.nameRead() }
      default:
        return r.fail(`unknown event ${tag}`)
    }
  }

  private readCreated(): void {
    const { before, created, r } = this
    const flags = r.u8()
    this.isNext = flags === LIKE_BEFORE && created.parent === before.parent && !Mode.isDirectory(created.mode) &&
      created.rdev === 0 && created.target === ""
    if (this.isNext) {
      this.readName()
      created.inode = ++before.inode
      return
    }
    created.parent = has(flags, 0) ? before.parent : this.parent()
    this.readName()
    created.inode = has(flags, 1) ? before.inode + 1 : this.inode()
    before.inode = created.inode
    created.mode = has(flags, 2) ? before.mode : r.u16()
    before.mode = created.mode
    if (!has(flags, 3)) {
      before.uid = r.varint()
      before.gid = r.varint()
    }
    created.uid = before.uid
    created.gid = before.gid
    created.rdev = has(flags, 4) ? r.u32() : 0
    created.target = has(flags, 5) ? r.string(Limits.symlinkBytesMax) : ""
  }

  private inodeCreated(): Event.InodeCreated {
    const { gid, inode, mode, parent, rdev, target, uid } = this.created
    return { _tag: "InodeCreated", parent, name: this.nameText(), inode, mode, uid, gid, rdev, target }
  }

  private attributesSet(): Event.AttributesSet {
    const { before, r } = this
    const flags = r.u8()
    const inode = has(flags, 0) ? before.inode : this.inode()
    const mode = has(flags, 1) ? r.u16() : undefined
    const uid = has(flags, 2) ? r.varint() : undefined
    const gid = has(flags, 3) ? r.varint() : undefined
    const atime = has(flags, 4) ? this.time() : undefined
    const mtime = has(flags, 5) ? this.time() : undefined
    return { _tag: "AttributesSet", inode, mode, uid, gid, atime, mtime }
  }

  private contentReplaced(): Event.ContentReplaced {
    const { before, r } = this
    const flags = r.u8()
    const inode = has(flags, 0) ? before.inode : this.inode()
    const offset = has(flags, 1) ? 0 : r.varint()
    const length = r.varint()
    const extents: Array<Extent> = []
    if (has(flags, 3)) extents.push(this.source(offset, length))
    else {
      const count = r.count(EVENTS_MAX)
      let at = offset
      for (let i = 0; i < count; i++) {
        const start = at + r.varint()
        const bytes = r.varint()
        extents.push(this.source(start, bytes))
        at = start + bytes
      }
    }
    return { _tag: "ContentReplaced", inode, offset, length, extents, extends: has(flags, 2) }
  }

  private source(offset: number, length: number): Extent {
    const { before, r } = this
    const flags = r.u8()
    if (!has(flags, 0)) before.slice = this.near(before.slice)
    const sliceOffset = has(flags, 1) ? before.sliceEnd : r.varint()
    if (!has(flags, 2)) before.sliceBytes = r.varint()
    before.sliceEnd = sliceOffset + length
    return { offset, length, slice: before.slice, sliceOffset, sliceBytes: before.sliceBytes }
  }

  private lock(): Lock {
    const { r } = this
    const kind = r.u8()
    const family = families[kind >> 1] ?? r.fail(`unknown lock ${kind}`)
    const type = types[kind & 1] as LockType
    const session = this.sessionRead()
    const owner = r.varint()
    const pid = r.varint()
    const start = r.varint()
    return { family, type, session, owner, pid, start, end: r.varint() }
  }

  private time(): Timestamp.Timestamp {
    const { before, r } = this
    before.seconds += r.zigzag()
    const time = Timestamp.make(before.seconds, r.varint())
    return Timestamp.isValid(time) ? time : r.fail("not a time")
  }

  private readName(): void {
    const { r } = this
    const shared = r.varint()
    const added = r.varint()
    if (shared > this.nameLength || shared + added > Limits.nameBytesMax) r.fail("name out of bounds")
    r.copy(this.name, shared, added)
    this.nameLength = shared + added
  }

  private nameRead(): ByteString {
    this.readName()
    return this.nameText()
  }

  private nameText(): ByteString {
    return this.name.latin1Slice(0, this.nameLength)
  }

  private parent(): number {
    this.before.parent = this.near(this.before.parent)
    return this.before.parent
  }

  private inode(): number {
    this.before.inode = this.near(this.before.inode)
    return this.before.inode
  }

  private near(reference: number): number {
    const { r } = this
    const code = r.varint()
    if (code === 0) return r.u56()
    const zigzag = code - 1
    const value = reference + (zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2)
    return Number.isSafeInteger(value) && value >= 0 ? value : r.fail("number out of range")
  }
}
