/**
 * Any value of the shapes that the codecs write: events, batches, requests of every operation, messages. They keep
 * to what the types and the limits promise, and need not make sense together.
 */
import type { Batch } from "#domain/Batch.ts"
import type { ByteString } from "#domain/ByteString.ts"
import type { Message } from "#domain/codec/MessageCodec.ts"
import type { Credentials } from "#domain/Credentials.ts"
import type { Event } from "#domain/Event.ts"
import type { Extent } from "#domain/Extents.ts"
import { Limits } from "#domain/Limits.ts"
import type { Lock } from "#domain/Locks.ts"
import type { CommandRecord } from "#domain/Operation.ts"
import { type OperationName, operations, type RequestOf } from "#domain/Operations.ts"
import type { SessionDescriptor } from "#domain/Session.ts"
import type * as Timestamp from "#domain/Timestamp.ts"
import * as fc from "fast-check"

const u8 = fc.integer({ min: 0, max: 0xff })
const u16 = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 0, max: 0xffff_ffff }))
/** Numbers near a power of two are where encodings change their length. */
const edge = fc.tuple(fc.integer({ min: 0, max: 53 }), fc.integer({ min: -2, max: 2 }))
  .map(([exponent, step]) => Math.min(Math.max(2 ** exponent + step, 0), Number.MAX_SAFE_INTEGER))
export const uint = fc.oneof(fc.integer({ min: 0, max: 300 }), edge, fc.maxSafeNat())

/** Inodes come in runs, now and then from far away. */
const inode = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 20 }) }, uint)

export const byteString = (bytesMax: number): fc.Arbitrary<ByteString> =>
  fc.uint8Array({ maxLength: bytesMax }).map((bytes) => String.fromCharCode(...bytes))

/** Names often share their beginnings. */
export const name: fc.Arbitrary<ByteString> = fc.oneof(
  fc.tuple(fc.constantFrom("", "file.", "file.mdtest.0."), byteString(8)).map(([head, tail]) => head + tail),
  byteString(Limits.nameBytesMax),
  fc.constant("n".repeat(Limits.nameBytesMax))
)

/** As far as the codec of batches keeps them apart; `SetAttributes.test.ts` looks beyond. */
const seconds = fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 49), max: 2 ** 49 }))
export const timestamp: fc.Arbitrary<Timestamp.Timestamp> = fc.record({
  seconds,
  nanos: fc.integer({ min: 0, max: 999_999_999 })
})

const optional = <A>(arbitrary: fc.Arbitrary<A>): fc.Arbitrary<A | undefined> =>
  fc.option(arbitrary, { nil: undefined })

const session = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 2 ** 52 }))

export const descriptor: fc.Arbitrary<SessionDescriptor> = fc.record({
  client: byteString(255),
  host: byteString(20),
  user: byteString(20),
  uid: u32,
  pid: u32
})

const lockFields = {
  family: fc.constantFrom("posix", "flock"),
  type: fc.constantFrom("read", "write"),
  owner: uint,
  pid: u32,
  start: uint,
  end: uint
}
const lock: fc.Arbitrary<Lock> = fc.record({ ...lockFields, session })

/** Small files share slices, one behind the other. */
const source = fc.oneof(
  fc.record({ slice: fc.integer({ min: 1, max: 3 }), sliceOffset: fc.integer({ min: 0, max: 9 }), sliceBytes: uint }),
  fc.record({ slice: fc.integer({ min: 1, max: 2 ** 53 - 1 }), sliceOffset: uint, sliceBytes: uint })
)
const runs = fc.array(
  fc.tuple(fc.nat({ max: 10 }), fc.integer({ min: 1, max: 10 }), source),
  { maxLength: 5 }
)

/** A range and extents in it, ordered, without overlap. */
const content = fc.tuple(fc.oneof(fc.constant(0), fc.nat({ max: 2 ** 45 })), runs, fc.nat({ max: 5 })).map(
  ([offset, runs, rest]) => {
    const extents: Array<Extent> = []
    let at = offset
    for (const [gap, length, source] of runs) {
      extents.push({ offset: at + gap, length, ...source })
      at += gap + length
    }
    return { offset, length: at + rest - offset, extents }
  }
)

const tagged = <Tag extends Event["_tag"]>(
  tag: Tag,
  fields: { [Field in Exclude<keyof Extract<Event, { _tag: Tag }>, "_tag">]: fc.Arbitrary<unknown> }
): fc.Arbitrary<Event> => fc.record({ _tag: fc.constant(tag), ...fields }) as unknown as fc.Arbitrary<Event>

const events: { readonly [Tag in Event["_tag"]]: fc.Arbitrary<Event> } = {
  ZoneFounded: tagged("ZoneFounded", { zone: fc.nat({ max: 1023 }), mode: u16, uid: u32, gid: u32 }),
  InodeCreated: tagged("InodeCreated", {
    parent: inode,
    name,
    inode,
    mode: fc.oneof(fc.constant(0o100644), u16),
    uid: u32,
    gid: u32,
    rdev: fc.oneof(fc.constant(0), u32),
    target: fc.oneof(fc.constant(""), byteString(300))
  }),
  EntryLinked: tagged("EntryLinked", { parent: inode, name, inode }),
  EntryRemoved: tagged("EntryRemoved", { parent: inode, name, inode }),
  EntryMoved: tagged("EntryMoved", {
    fromParent: inode,
    fromName: name,
    toParent: inode,
    toName: name,
    inode,
    replaced: fc.oneof(fc.constant(0), inode)
  }),
  EntriesExchanged: tagged("EntriesExchanged", {
    parentA: inode,
    nameA: name,
    inodeA: inode,
    parentB: inode,
    nameB: name,
    inodeB: inode
  }),
  AttributesSet: tagged("AttributesSet", {
    inode,
    mode: optional(u16),
    uid: optional(u32),
    gid: optional(u32),
    atime: optional(timestamp),
    mtime: optional(timestamp)
  }),
  SizeSet: tagged("SizeSet", { inode, size: uint }),
  ContentReplaced: fc.record({ inode, content, extends: fc.boolean() }).map(
    ({ content, extends: grows, inode }) => ({ _tag: "ContentReplaced", inode, ...content, extends: grows })
  ),
  RangeShifted: tagged("RangeShifted", {
    inode,
    offset: uint,
    length: fc.oneof(uint, fc.integer({ min: -(2 ** 50), max: -1 }))
  }),
  XattrSet: tagged("XattrSet", { inode, name: byteString(Limits.xattrNameBytesMax), value: byteString(1000) }),
  XattrRemoved: tagged("XattrRemoved", { inode, name: byteString(Limits.xattrNameBytesMax) }),
  FileOpened: tagged("FileOpened", { session, handle: uint, inode, access: fc.integer({ min: 0, max: 127 }) }),
  FileReleased: tagged("FileReleased", { session, handle: uint }),
  LockAcquired: tagged("LockAcquired", { inode, lock }),
  LockReleased: tagged("LockReleased", { inode, lock }),
  LockAwaited: tagged("LockAwaited", { inode, waiter: fc.record({ ...lockFields, session, request: uint }) }),
  LockGranted: tagged("LockGranted", { inode, session, request: uint }),
  LockAbandoned: tagged("LockAbandoned", { inode, session, request: uint }),
  SlicesReserved: tagged("SlicesReserved", { first: uint, count: uint }),
  SessionOpened: tagged("SessionOpened", { session, descriptor }),
  SessionEnded: tagged("SessionEnded", { session, reason: fc.constantFrom("closed", "expired", "evicted") }),
  SnapshotTaken: tagged("SnapshotTaken", { directory: inode, name, uid: u32, path: byteString(300) }),
  SnapshotRemoved: tagged("SnapshotRemoved", { directory: inode, name })
}

export const event: fc.Arbitrary<Event> = fc.oneof(...Object.values(events))
/** One event of every kind there is. */
export const everyEvent: fc.Arbitrary<ReadonlyArray<Event>> = fc.tuple(...Object.values(events))

const record: fc.Arbitrary<CommandRecord> = fc.record({
  session: fc.oneof(fc.constant(0), session),
  request: fc.oneof(fc.nat({ max: 5 }), uint.filter((number) => number < Number.MAX_SAFE_INTEGER)),
  uid: u32,
  operation: u8,
  events: fc.oneof(fc.array(event, { maxLength: 3 }), fc.tuple(events.InodeCreated), everyEvent)
})

export const batch: fc.Arbitrary<Batch> = fc.record({
  time: timestamp,
  records: fc.array(record, { maxLength: 12 }),
  floors: fc.uniqueArray(
    fc.record({ session, floor: uint.filter((floor) => floor < Number.MAX_SAFE_INTEGER) }),
    { selector: ({ session }) => session, maxLength: 4 }
  )
})

export const credentials: fc.Arbitrary<Credentials> = fc.record({
  uid: u32,
  gid: u32,
  groups: fc.array(u32, { maxLength: 5 })
})

/** An inode's number, or a reference to a command before. */
const referred = fc.oneof({ weight: 3, arbitrary: uint }, fc.integer({ min: -255, max: -1 }))
const path = byteString(300)
const moment = fc.record({ now: fc.boolean(), time: timestamp })
const opening = { access: u8, truncate: fc.boolean() }
const making = { parent: referred, name: path, mode: u16, umask: u16 }
const range = { inode: referred, handle: uint, offset: uint, length: uint }
const { pid, session: _, type, ...span } = { ...lockFields, session }

const requests: { readonly [Name in OperationName]: fc.Arbitrary<RequestOf<Name>> } = {
  lookup: fc.record({ parent: referred, name: path }),
  walk: fc.record({ start: referred, names: fc.array(path, { maxLength: 5 }) }),
  getAttributes: fc.record({ inode: referred }),
  readLink: fc.record({ inode: referred }),
  readDirectory: fc.record({
    inode: referred,
    handle: uint,
    after: byteString(Limits.nameBytesMax),
    count: uint,
    plus: fc.boolean()
  }),
  statFileSystem: fc.record({ inode: referred }),
  testAccess: fc.record({ inode: referred, wanted: u8 }),
  readExtents: fc.record(range),
  seek: fc.record({ inode: referred, handle: uint, offset: uint, target: fc.constantFrom("data", "hole") }),
  getXattr: fc.record({ inode: referred, name: path }),
  listXattrs: fc.record({ inode: referred }),
  testLock: fc.record({ ...span, inode: referred, type }),
  create: fc.record({ ...making, ...opening, exclusive: fc.boolean() }),
  makeDirectory: fc.record(making),
  makeNode: fc.record({ ...making, rdev: u32 }),
  makeSymlink: fc.record({ parent: referred, name: path, target: path }),
  link: fc.record({ inode: referred, parent: referred, name: path }),
  unlink: fc.record({ parent: referred, name: path }),
  removeDirectory: fc.record({ parent: referred, name: path }),
  rename: fc.record({
    fromParent: referred,
    fromName: path,
    toParent: referred,
    toName: path,
    mode: fc.constantFrom("replace", "keep", "exchange")
  }),
  setAttributes: fc.record({
    inode: referred,
    handle: uint,
    mode: optional(u16),
    uid: optional(u32),
    gid: optional(u32),
    size: optional(uint),
    atime: optional(moment),
    mtime: optional(moment)
  }),
  open: fc.record({ ...opening, inode: referred }),
  release: fc.record({ inode: referred, handle: uint }),
  write: fc.record({
    inode: referred,
    handle: uint,
    offset: uint,
    append: fc.boolean(),
    pieces: fc.array(fc.record({ length: uint, slice: uint, sliceOffset: uint, sliceBytes: uint }), { maxLength: 4 })
  }),
  allocate: fc.record({ ...range, mode: u32 }),
  copyRange: fc.record({
    source: referred,
    sourceHandle: uint,
    sourceOffset: uint,
    target: referred,
    targetHandle: uint,
    targetOffset: uint,
    length: uint
  }),
  reserveSlices: fc.record({ inode: referred, count: uint }),
  setXattr: fc.record({
    inode: referred,
    name: path,
    value: path,
    mode: fc.constantFrom("either", "create", "replace")
  }),
  removeXattr: fc.record({ inode: referred, name: path }),
  lock: fc.record({ ...span, inode: referred, type, pid, wait: fc.boolean() }),
  unlock: fc.record({ ...span, inode: referred }),
  cancelLock: fc.record({ inode: referred, waiting: uint }),
  openSession: fc.record({ inode: referred, descriptor }),
  endSession: fc.record({
    inode: referred,
    session: uint,
    reason: fc.constantFrom("closed", "expired", "evicted")
  }),
  foundZone: fc.record({ inode: referred, mode: u16 }),
  listSnapshots: fc.record({ directory: referred, all: fc.boolean() }),
  takeSnapshot: fc.record({ directory: referred, name: path, path }),
  removeSnapshot: fc.record({ directory: referred, name: path })
}

export const requestOf = <Name extends OperationName>(name: Name): fc.Arbitrary<RequestOf<Name>> => requests[name]

type AnyOperation = Message["commands"][number]["operation"]

/** Any operation with a request of its shape. */
const asked = fc.oneof(
  ...(Object.keys(requests) as ReadonlyArray<OperationName>).map((name) =>
    fc.record({
      operation: fc.constant(operations[name] as unknown as AnyOperation),
      request: requestOf(name) as fc.Arbitrary<unknown>
    })
  )
)

export const message: fc.Arbitrary<Message> = fc.tuple(
  fc.array(credentials, { minLength: 1, maxLength: 3 }),
  fc.array(fc.tuple(asked, uint.map((number) => Math.max(1, number)), fc.nat({ max: 2 })), { maxLength: 8 }),
  fc.record({
    zone: fc.nat({ max: Limits.zonesMax - 1 }),
    epoch: uint,
    session: uint,
    floor: uint,
    known: fc.boolean(),
    descriptor: optional(descriptor)
  })
).map(([callers, commands, fields]) => ({
  ...fields,
  commands: commands.map(([asked, number, caller]) => ({
    ...asked,
    number,
    who: callers[caller % callers.length] as Credentials
  }))
}))

/** A few changes to bytes: some flipped, some cut out, some doubled, some put in. */
export const damage: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc.array(
  fc.tuple(fc.constantFrom("set", "cut", "double", "insert", "high"), fc.nat(), fc.integer({ min: 0, max: 255 })),
  { minLength: 1, maxLength: 4 }
).map((changes) => (bytes) =>
  changes.reduce((bytes, [kind, place, value]) => {
    const at = place % (bytes.length + 1)
    const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)]
    switch (kind) {
      case "set":
        return Buffer.concat([head, Uint8Array.of(value), tail.subarray(1)])
      case "cut":
        return Buffer.concat([head, tail.subarray(value % 8)])
      case "double":
        return Buffer.concat([head, tail.subarray(0, value), tail])
      case "insert":
        return Buffer.concat([head, Uint8Array.of(value), tail])
      default:
        return Buffer.concat([head, new Uint8Array(value % 9).fill(0xff), tail])
    }
  }, bytes)
)
