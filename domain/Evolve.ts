/**
 * What each event does to a zone's state. Never refuses, never asks which operation the event came from.
 */
import type { ByteString } from "#domain/ByteString.ts"
import type { BatchReader } from "#domain/codec/BatchCodec.ts"
import type * as Event from "#domain/Event.ts"
import * as Extents from "#domain/Extents.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Locks from "#domain/Locks.ts"
import * as Mode from "#domain/Mode.ts"
import * as NamedSnapshot from "#domain/NamedSnapshot.ts"
import { Session } from "#domain/Session.ts"
import type { Entries } from "#domain/state/Entries.ts"
import type { Inode } from "#domain/state/Inode.ts"
import { Column } from "#domain/state/pages/InodeColumns.ts"
import { Contradiction, type ZoneState } from "#domain/state/ZoneState.ts"

/** Applies one event at `state.time`. */
export const evolve = (state: ZoneState, event: Event.Event): void => {
  state.sequence++
  switch (event._tag) {
    case "InodeCreated":
      return inodeCreated(state, event)
    case "ContentReplaced":
      return contentReplaced(state, event)
    case "AttributesSet":
      return attributesSet(state, event)
    case "EntryRemoved":
      return entryRemoved(state, event)
    case "EntryMoved":
      return entryMoved(state, event)
    case "EntryLinked":
      return entryLinked(state, event)
    case "EntriesExchanged":
      return entriesExchanged(state, event)
    case "SizeSet":
      return sizeSet(state, event)
    case "RangeShifted":
      return rangeShifted(state, event)
    case "XattrSet":
      return xattrChanged(state, event.inode, event.name, event.value)
    case "XattrRemoved":
      return xattrChanged(state, event.inode, event.name, undefined)
    case "FileOpened":
      return fileOpened(state, event)
    case "FileReleased":
      return fileReleased(state, event)
    case "LockAcquired":
      return setLocks(state, event.inode, (locks) => Locks.add(locks, event.lock))
    case "LockReleased":
      return setLocks(state, event.inode, (locks) => Locks.remove(locks, event.lock))
    case "LockAwaited":
      return setWaiters(state, event.inode, (waiters) => [...waiters, event.waiter])
    case "LockGranted":
      return lockGranted(state, event)
    case "LockAbandoned":
      return setWaiters(state, event.inode, (waiters) => waiters.filter((waiter) => !isWaiter(waiter, event)))
    case "SlicesReserved":
      state.nextSlice += event.count
      return
    case "SessionOpened":
      state.sessions.set(event.session, new Session(event.session, event.descriptor, state.time))
      return
    case "SessionEnded":
      return sessionEnded(state, event)
    case "SnapshotTaken":
      return snapshotTaken(state, event)
    case "SnapshotRemoved":
      return snapshotRemoved(state, event)
    case "ZoneFounded":
      return zoneFounded(state, event)
  }
}

const zoneFounded = (state: ZoneState, event: Event.ZoneFounded): void => {
  const number = InodeNumber.rootOf(event.zone)
  add(state, { ...event, inode: number, parent: number, rdev: 0, target: "" })
}

const inodeCreated = (state: ZoneState, event: Event.InodeCreated): void => {
  state.entries.aim(event.parent, event.name)
  create(state, event)
}

/** What an `InodeCreated` says, but for its name. */
type Creation = Omit<Event.InodeCreated, "_tag" | "name">

/** Applies an `InodeCreated` as the journal's reader tells it: there are most of them, so no object is made of one. */
export const evolveCreation = (state: ZoneState, { created, name, nameLength }: BatchReader): void => {
  state.sequence++
  state.entries.aimBytes(created.parent, name, nameLength)
  create(state, created)
}

/**
 * The same of a creation right behind another one in its batch, from which it differs in its name and its number alone:
 * its directory is known then, and the time noted there.
 */
export const evolveNext = (state: ZoneState, { created, name, nameLength }: BatchReader): void => {
  const { inode, parent } = created
  state.sequence++
  state.entries.aimBytes(parent, name, nameLength)
  state.entries.put(inode)
  if (state.table.createNext(inode)) state.nextInode = InodeNumber.localOf(inode) + 1
  else add(state, created)
}

/** A new inode under the name that `entries` is aimed at. No views. */
const create = (state: ZoneState, creation: Creation): void => {
  const { parent } = creation
  const { entries, table, time: { nanos, seconds } } = state
  if (!table.isStamped(parent, seconds, nanos)) {
    if (!table.locate(parent)) state.expect(parent)
    if (!Mode.isDirectory(table.value(Column.mode))) throw notDirectory(state, parent)
    table.stamp(parent, seconds, nanos)
  }
  if (Mode.isDirectory(creation.mode)) state.expect(parent).nlink++
  entries.put(creation.inode)
  add(state, creation)
}

const add = (state: ZoneState, { gid, inode, mode, parent, rdev, target, uid }: Creation): void => {
  const { extras, table, time: { nanos, seconds } } = state
  const isDirectory = Mode.isDirectory(mode)
  const added = table.create(inode, mode, uid, gid, isDirectory ? 2 : 1, rdev, isDirectory ? parent : 0, seconds, nanos)
  if (!added) throw new Contradiction(`inode ${inode} is there already`, state.sequence)
  if (target !== "") extras.setTarget(inode, target)
  state.nextInode = InodeNumber.localOf(inode) + 1
}

const entryLinked = (state: ZoneState, event: Event.EntryLinked): void => {
  const parent = state.expect(event.parent)
  const inode = state.expect(event.inode)
  entriesOf(parent, state).set(event.name, event.inode)
  touch(state, parent)
  inode.nlink++
  inode.ctime = state.time
}

const entryRemoved = (state: ZoneState, event: Event.EntryRemoved): void => {
  const parent = state.expect(event.parent)
  const inode = state.expect(event.inode)
  entriesOf(parent, state).delete(event.name)
  touch(state, parent)
  unlinked(state, parent, inode)
}

const entryMoved = (state: ZoneState, event: Event.EntryMoved): void => {
  const from = state.expect(event.fromParent)
  const to = state.expect(event.toParent)
  const inode = state.expect(event.inode)
  if (event.replaced !== 0) unlinked(state, to, state.expect(event.replaced))
  entriesOf(from, state).delete(event.fromName)
  entriesOf(to, state).set(event.toName, event.inode)
  rehome(inode, from, to)
  touch(state, from)
  touch(state, to)
  inode.ctime = state.time
}

const entriesExchanged = (state: ZoneState, event: Event.EntriesExchanged): void => {
  const parentA = state.expect(event.parentA)
  const parentB = state.expect(event.parentB)
  const inodeA = state.expect(event.inodeA)
  const inodeB = state.expect(event.inodeB)
  entriesOf(parentA, state).set(event.nameA, event.inodeB)
  entriesOf(parentB, state).set(event.nameB, event.inodeA)
  rehome(inodeA, parentA, parentB)
  rehome(inodeB, parentB, parentA)
  touch(state, parentA)
  touch(state, parentB)
  inodeA.ctime = state.time
  inodeB.ctime = state.time
}

/** A directory in a new parent: its `..` and both parents' link counts follow. */
const rehome = (inode: Inode, from: Inode, to: Inode): void => {
  if (inode.entries === undefined) return
  from.nlink--
  to.nlink++
  inode.parent = to.number
}

/** The inode lost a name in `parent`. */
const unlinked = (state: ZoneState, parent: Inode, inode: Inode): void => {
  inode.ctime = state.time
  if (inode.entries === undefined) inode.nlink--
  else {
    inode.nlink = 0
    parent.nlink--
  }
  dropIfUnused(state, inode)
}

/** An inode lives as long as it has a name, or somebody has it open, locked, or waits to lock it. */
const dropIfUnused = (state: ZoneState, inode: Inode): void => {
  if (inode.nlink > 0 || inode.opens > 0 || inode.locks.length > 0 || inode.waiters.length > 0) return
  setExtents(state, inode, Extents.empty)
  state.extras.drop(inode.number)
  state.table.remove(inode.number)
}

const attributesSet = (state: ZoneState, event: Event.AttributesSet): void => {
  const inode = state.expect(event.inode)
  if (event.mode !== undefined) inode.mode = (inode.mode & Mode.S_IFMT) | event.mode
  if (event.uid !== undefined) inode.uid = event.uid
  if (event.gid !== undefined) inode.gid = event.gid
  if (event.atime !== undefined) inode.atime = event.atime
  if (event.mtime !== undefined) inode.mtime = event.mtime
  inode.ctime = state.time
}

const sizeSet = (state: ZoneState, event: Event.SizeSet): void => {
  const inode = state.expect(event.inode)
  if (event.size < inode.size) {
    setExtents(state, inode, Extents.replace(inode.extents, event.size, inode.size - event.size, Extents.empty))
  }
  inode.size = event.size
  touch(state, inode)
}

const contentReplaced = (state: ZoneState, event: Event.ContentReplaced): void => {
  const inode = state.expect(event.inode)
  setExtents(state, inode, Extents.replace(inode.extents, event.offset, event.length, event.extents))
  if (event.extends) inode.size = Math.max(inode.size, event.offset + event.length)
  touch(state, inode)
}

const rangeShifted = (state: ZoneState, event: Event.RangeShifted): void => {
  const inode = state.expect(event.inode)
  const cut = Math.max(0, -event.length)
  const keptFrom = event.offset + cut
  const head = Extents.within(inode.extents, 0, event.offset)
  const tail = Extents.within(inode.extents, keptFrom, Math.max(0, inode.size - keptFrom))
  const moved = Extents.shifted(tail, event.length)
  inode.size += event.length
  setExtents(state, inode, Extents.replace(head, event.offset, Math.max(0, inode.size - event.offset), moved))
  touch(state, inode)
}

const setExtents = (state: ZoneState, inode: Inode, extents: Extents.Extents): void => {
  state.dataBytes += Extents.dataBytes(extents) - Extents.dataBytes(inode.extents)
  inode.extents = extents
}

const xattrChanged = (
  state: ZoneState,
  number: InodeNumber.InodeNumber,
  name: ByteString,
  value: ByteString | undefined
): void => {
  const inode = state.expect(number)
  inode.setXattr(name, value)
  inode.ctime = state.time
}

const fileOpened = (state: ZoneState, event: Event.FileOpened): void => {
  state.expectSession(event.session).opens.set(event.handle, { inode: event.inode, access: event.access })
  state.expect(event.inode).opens++
}

const fileReleased = (state: ZoneState, event: Event.FileReleased): void => {
  const { opens } = state.expectSession(event.session)
  const open = opens.get(event.handle)
  if (open === undefined) throw new Contradiction(`handle ${event.handle} is not open`, state.sequence)
  opens.delete(event.handle)
  const inode = state.expect(open.inode)
  inode.opens--
  dropIfUnused(state, inode)
}

const lockGranted = (state: ZoneState, event: Event.LockGranted): void => {
  const inode = state.expect(event.inode)
  const waiter = inode.waiters.find((candidate) => isWaiter(candidate, event))
  if (waiter === undefined) throw new Contradiction(`request ${event.request} waits for no lock`, state.sequence)
  const { request: _, ...lock } = waiter
  setLocks(state, event.inode, (locks) => Locks.add(locks, lock))
  setWaiters(state, event.inode, (waiters) => waiters.filter((candidate) => candidate !== waiter))
}

const isWaiter = (waiter: Locks.Waiter, event: { readonly session: number; readonly request: number }): boolean =>
  waiter.session === event.session && waiter.request === event.request

const setLocks = (
  state: ZoneState,
  number: InodeNumber.InodeNumber,
  change: (locks: ReadonlyArray<Locks.Lock>) => ReadonlyArray<Locks.Lock>
): void => {
  const inode = state.expect(number)
  hold(state, inode, change(inode.locks), inode.waiters)
}

const setWaiters = (
  state: ZoneState,
  number: InodeNumber.InodeNumber,
  change: (waiters: ReadonlyArray<Locks.Waiter>) => ReadonlyArray<Locks.Waiter>
): void => {
  const inode = state.expect(number)
  hold(state, inode, inode.locks, change(inode.waiters))
}

const hold = (
  state: ZoneState,
  inode: Inode,
  locks: ReadonlyArray<Locks.Lock>,
  waiters: ReadonlyArray<Locks.Waiter>
): void => {
  if (locks.length + waiters.length > 0) state.locked.set(inode.number, { locks, waiters })
  else {
    state.locked.delete(inode.number)
    dropIfUnused(state, inode)
  }
}

const sessionEnded = (state: ZoneState, event: Event.SessionEnded): void => {
  const session = state.expectSession(event.session)
  const isOthers = (lock: Locks.Lock): boolean => lock.session !== session.id
  for (const [number, held] of state.locked) {
    hold(state, state.expect(number), held.locks.filter(isOthers), held.waiters.filter(isOthers))
  }
  for (const { inode: number } of session.opens.values()) {
    const inode = state.expect(number)
    inode.opens--
    dropIfUnused(state, inode)
  }
  state.sessions.delete(session.id)
  state.rememberEnded(session.id)
}

const snapshotTaken = (state: ZoneState, { directory, name, path, uid }: Event.SnapshotTaken): void => {
  state.snapshots.push({ directory, name, sequence: state.sequence, time: state.time, uid, path })
}

const snapshotRemoved = (state: ZoneState, { directory, name }: Event.SnapshotRemoved): void => {
  const snapshot = NamedSnapshot.find(state.snapshots, directory, name)
  if (snapshot === undefined) throw new Contradiction(`directory ${directory} has no such snapshot`, state.sequence)
  state.snapshots.splice(state.snapshots.indexOf(snapshot), 1)
}

const entriesOf = (directory: Inode, state: ZoneState): Entries => {
  const { entries } = directory
  if (entries === undefined) throw notDirectory(state, directory.number)
  return entries
}

const notDirectory = (state: ZoneState, number: InodeNumber.InodeNumber): Contradiction =>
  new Contradiction(`inode ${number} is no directory`, state.sequence)

/** The inode's contents changed now. */
const touch = (state: ZoneState, inode: Inode): void => {
  inode.mtime = state.time
  inode.ctime = state.time
}
