/**
 * One inode as a zone holds it. Only evolve changes it.
 */
import type { Attributes } from "#domain/Attributes.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as Extents from "#domain/Extents.ts"
import type { InodeNumber } from "#domain/InodeNumber.ts"
import type { Lock, Waiter } from "#domain/Locks.ts"
import * as Mode from "#domain/Mode.ts"
import { Entries } from "#domain/state/Entries.ts"
import type { Timestamp } from "#domain/Timestamp.ts"

const DIRECTORY_BYTES = 4096

export class Inode {
  readonly number: InodeNumber
  mode: number
  uid: number
  gid: number
  nlink: number
  /** Bytes of a regular file; 0 for the rest. */
  size = 0
  readonly rdev: number
  atime: Timestamp
  mtime: Timestamp
  ctime: Timestamp

  /** Of a directory: its entries, and the directory that holds it (itself for a root). */
  readonly entries: Entries | undefined
  parent: InodeNumber
  /** Of a symbolic link. */
  readonly target: ByteString
  /** Of a regular file. */
  extents: Extents.Extents = Extents.empty
  /** Extended attributes by name, access control lists among them. */
  xattrs: Map<ByteString, ByteString> | undefined = undefined
  /** Opens that keep the inode alive without a name. */
  opens = 0
  locks: ReadonlyArray<Lock> = []
  waiters: ReadonlyArray<Waiter> = []

  constructor(fields: {
    readonly number: InodeNumber
    readonly mode: number
    readonly uid: number
    readonly gid: number
    readonly rdev: number
    readonly parent: InodeNumber
    readonly target: ByteString
    readonly time: Timestamp
  }) {
    this.number = fields.number
    this.mode = fields.mode
    this.uid = fields.uid
    this.gid = fields.gid
    this.rdev = fields.rdev
    this.parent = fields.parent
    this.target = fields.target
    this.atime = fields.time
    this.mtime = fields.time
    this.ctime = fields.time
    this.entries = Mode.isDirectory(fields.mode) ? new Entries() : undefined
    this.nlink = this.entries === undefined ? 1 : 2
  }

  get bytes(): number {
    if (this.entries !== undefined) return DIRECTORY_BYTES
    return Mode.isSymlink(this.mode) ? this.target.length : this.size
  }

  attributes(): Attributes {
    return {
      inode: this.number,
      mode: this.mode,
      uid: this.uid,
      gid: this.gid,
      nlink: this.nlink,
      size: this.bytes,
      dataBytes: this.entries === undefined ? Extents.dataBytes(this.extents) : DIRECTORY_BYTES,
      rdev: this.rdev,
      atime: this.atime,
      mtime: this.mtime,
      ctime: this.ctime
    }
  }
}
