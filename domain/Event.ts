/**
 * What happened in a zone: the facts that its journal keeps. Each one states its effect in full, so that
 * evolve never asks which operation it came from. The time of an event is its batch's; its author is the
 * session and the user of the command record that holds it (`Journal`).
 */
import type { ByteString } from "#domain/ByteString.ts"
import type { Extent } from "#domain/Extents.ts"
import type { InodeNumber, ZoneNumber } from "#domain/InodeNumber.ts"
import type { Lock, Waiter } from "#domain/Locks.ts"
import type { Name } from "#domain/Name.ts"
import type { SessionDescriptor } from "#domain/Session.ts"
import type { Timestamp } from "#domain/Timestamp.ts"

/** The zone exists, with its own root directory. Always its first event. */
export interface ZoneFounded {
  readonly _tag: "ZoneFounded"
  readonly zone: ZoneNumber
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** A new inode under a name. The parent's times change, and its link count if this is a directory. */
export interface InodeCreated {
  readonly _tag: "InodeCreated"
  readonly parent: InodeNumber
  readonly name: Name
  readonly inode: InodeNumber
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
  /** Of a symbolic link; else empty. */
  readonly target: ByteString
}

/** A further name for an inode that is no directory. */
export interface EntryLinked {
  readonly _tag: "EntryLinked"
  readonly parent: InodeNumber
  readonly name: Name
  readonly inode: InodeNumber
}

/** A name is gone; with the last name and the last open, so is the inode. */
export interface EntryRemoved {
  readonly _tag: "EntryRemoved"
  readonly parent: InodeNumber
  readonly name: Name
  readonly inode: InodeNumber
}

/** An entry has a new place; what stood there lost that name. */
export interface EntryMoved {
  readonly _tag: "EntryMoved"
  readonly fromParent: InodeNumber
  readonly fromName: Name
  readonly toParent: InodeNumber
  readonly toName: Name
  readonly inode: InodeNumber
  /** The inode that stood at the new place; 0 if none did. */
  readonly replaced: InodeNumber
}

/** Two entries changed places. */
export interface EntriesExchanged {
  readonly _tag: "EntriesExchanged"
  readonly parentA: InodeNumber
  readonly nameA: Name
  readonly inodeA: InodeNumber
  readonly parentB: InodeNumber
  readonly nameB: Name
  readonly inodeB: InodeNumber
}

/** Owner, mode or times changed; what is undefined stayed. Always moves ctime. */
export interface AttributesSet {
  readonly _tag: "AttributesSet"
  readonly inode: InodeNumber
  /** Permission bits; the type never changes. */
  readonly mode: number | undefined
  readonly uid: number | undefined
  readonly gid: number | undefined
  readonly atime: Timestamp | undefined
  readonly mtime: Timestamp | undefined
}

/** The file has this size; bytes beyond it are gone, new ones are a hole. */
export interface SizeSet {
  readonly _tag: "SizeSet"
  readonly inode: InodeNumber
  readonly size: number
}

/** A range of a file holds these extents and holes instead of what it held. */
export interface ContentReplaced {
  readonly _tag: "ContentReplaced"
  readonly inode: InodeNumber
  readonly offset: number
  readonly length: number
  /** Within the range, ordered, without overlap; a gap is a hole. */
  readonly extents: ReadonlyArray<Extent>
  /** Whether the file grows to the range's end if it was shorter. */
  readonly extends: boolean
}

/** Bytes were cut out of the middle of a file (negative length) or a hole was put in. */
export interface RangeShifted {
  readonly _tag: "RangeShifted"
  readonly inode: InodeNumber
  readonly offset: number
  readonly length: number
}

export interface XattrSet {
  readonly _tag: "XattrSet"
  readonly inode: InodeNumber
  readonly name: ByteString
  readonly value: ByteString
}

export interface XattrRemoved {
  readonly _tag: "XattrRemoved"
  readonly inode: InodeNumber
  readonly name: ByteString
}

/** A session may use the file by this handle, and the inode outlives its names until it is released. */
export interface FileOpened {
  readonly _tag: "FileOpened"
  readonly session: number
  readonly handle: number
  readonly inode: InodeNumber
  readonly access: number
}

export interface FileReleased {
  readonly _tag: "FileReleased"
  readonly session: number
  readonly handle: number
}

export interface LockAcquired {
  readonly _tag: "LockAcquired"
  readonly inode: InodeNumber
  readonly lock: Lock
}

/** What the lock's owner held in its range is free. */
export interface LockReleased {
  readonly _tag: "LockReleased"
  readonly inode: InodeNumber
  readonly lock: Lock
}

export interface LockAwaited {
  readonly _tag: "LockAwaited"
  readonly inode: InodeNumber
  readonly waiter: Waiter
}

/** A waiter holds its lock now; its request has its answer. */
export interface LockGranted {
  readonly _tag: "LockGranted"
  readonly inode: InodeNumber
  readonly session: number
  readonly request: number
}

/** A waiter gave up; its request is answered with EINTR. */
export interface LockAbandoned {
  readonly _tag: "LockAbandoned"
  readonly inode: InodeNumber
  readonly session: number
  readonly request: number
}

/** Slice numbers are given to a client, never to be given again. */
export interface SlicesReserved {
  readonly _tag: "SlicesReserved"
  readonly first: number
  readonly count: number
}

export interface SessionOpened {
  readonly _tag: "SessionOpened"
  readonly session: number
  readonly descriptor: SessionDescriptor
}

/** The client left or fell silent: its opens, locks and remembered replies are gone. */
export interface SessionEnded {
  readonly _tag: "SessionEnded"
  readonly session: number
  readonly reason: "closed" | "expired" | "evicted"
}

/** The zone's history up to and with this event has a name in the directory's `.snapshots`. */
export interface SnapshotTaken {
  readonly _tag: "SnapshotTaken"
  readonly directory: InodeNumber
  readonly name: Name
  readonly uid: number
  /** Where the directory stood, as its client told. */
  readonly path: ByteString
}

export interface SnapshotRemoved {
  readonly _tag: "SnapshotRemoved"
  readonly directory: InodeNumber
  readonly name: Name
}

export type Event =
  | ZoneFounded
  | InodeCreated
  | EntryLinked
  | EntryRemoved
  | EntryMoved
  | EntriesExchanged
  | AttributesSet
  | SizeSet
  | ContentReplaced
  | RangeShifted
  | XattrSet
  | XattrRemoved
  | FileOpened
  | FileReleased
  | LockAcquired
  | LockReleased
  | LockAwaited
  | LockGranted
  | LockAbandoned
  | SlicesReserved
  | SessionOpened
  | SessionEnded
  | SnapshotTaken
  | SnapshotRemoved
