/**
 * One inode of a zone, as operations see it: a view of what the zone's pages say now, not a copy. Only evolve changes
 * it. A view of an inode that is gone must not be read.
 */
import type { Attributes } from "#domain/Attributes.ts"
import type { ByteString } from "#domain/ByteString.ts"
import type * as Extents from "#domain/Extents.ts"
import type { InodeNumber } from "#domain/InodeNumber.ts"
import type { Lock, Waiter } from "#domain/Locks.ts"
import * as Mode from "#domain/Mode.ts"
import { Entries } from "#domain/state/Entries.ts"
import { Column } from "#domain/state/pages/InodeColumns.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import * as Timestamp from "#domain/Timestamp.ts"

const DIRECTORY_BYTES = 4096

type TimeColumn = typeof Column.atime | typeof Column.ctime | typeof Column.mtime

export class Inode {
  readonly number: InodeNumber
  private readonly state: ZoneState
  /** Once asked for; null if it is no directory, which never changes. */
  private known: Entries | null | undefined

  constructor(state: ZoneState, number: InodeNumber) {
    this.state = state
    this.number = number
  }

  get mode(): number {
    return this.get(Column.mode)
  }
  set mode(mode: number) {
    this.set(Column.mode, mode)
  }

  get uid(): number {
    return this.get(Column.uid)
  }
  set uid(uid: number) {
    this.set(Column.uid, uid)
  }

  get gid(): number {
    return this.get(Column.gid)
  }
  set gid(gid: number) {
    this.set(Column.gid, gid)
  }

  get nlink(): number {
    return this.get(Column.nlink)
  }
  set nlink(nlink: number) {
    this.set(Column.nlink, nlink)
  }

  /** Bytes of a regular file; 0 for the rest. */
  get size(): number {
    return this.get(Column.size)
  }
  set size(size: number) {
    this.set(Column.size, size)
  }

  get rdev(): number {
    return this.get(Column.rdev)
  }

  /** Opens that keep the inode alive without a name. */
  get opens(): number {
    return this.get(Column.opens)
  }
  set opens(opens: number) {
    this.set(Column.opens, opens)
  }

  /** Of a directory: the directory that holds it, itself for a root; 0 for the rest. */
  get parent(): InodeNumber {
    return this.get(Column.parent)
  }
  set parent(parent: InodeNumber) {
    this.set(Column.parent, parent)
  }

  get atime(): Timestamp.Timestamp {
    return this.time(Column.atime)
  }
  set atime(time: Timestamp.Timestamp) {
    this.setTime(Column.atime, time)
  }

  get mtime(): Timestamp.Timestamp {
    return this.time(Column.mtime)
  }
  set mtime(time: Timestamp.Timestamp) {
    this.setTime(Column.mtime, time)
  }

  get ctime(): Timestamp.Timestamp {
    return this.time(Column.ctime)
  }
  set ctime(time: Timestamp.Timestamp) {
    this.setTime(Column.ctime, time)
  }

  /** Of a directory: its entries. */
  get entries(): Entries | undefined {
    if (this.known === undefined) {
      this.known = Mode.isDirectory(this.mode) ? new Entries(this.state.entries, this.number) : null
    }
    return this.known ?? undefined
  }

  /** Of a symbolic link. */
  get target(): ByteString {
    return this.state.extras.target(this.number)
  }

  /** Of a regular file. */
  get extents(): Extents.Extents {
    return this.state.extras.extents(this.number)
  }
  set extents(extents: Extents.Extents) {
    this.state.extras.setExtents(this.number, extents)
  }

  /** Extended attributes by name, access control lists among them; undefined if there are none. */
  get xattrs(): ReadonlyMap<ByteString, ByteString> | undefined {
    return this.state.extras.xattrs(this.number)
  }

  xattr(name: ByteString): ByteString | undefined {
    return this.state.extras.xattr(this.number, name)
  }

  /** Sets an extended attribute, or removes it. */
  setXattr(name: ByteString, value: ByteString | undefined): void {
    this.state.extras.setXattr(this.number, name, value)
  }

  get locks(): ReadonlyArray<Lock> {
    return this.state.locked.get(this.number)?.locks ?? []
  }

  get waiters(): ReadonlyArray<Waiter> {
    return this.state.locked.get(this.number)?.waiters ?? []
  }

  attributes(): Attributes {
    const { table } = this.state
    if (!table.read(this.number)) throw this.gone()
    const { atime, atimeNanos, ctime, ctimeNanos, gid, mode, mtime, mtimeNanos, nlink, rdev, size, uid } = table.row
    const isRegular = Mode.isRegular(mode)
    const bytes = isRegular
      ? size
      : Mode.isDirectory(mode)
      ? DIRECTORY_BYTES
      : Mode.isSymlink(mode)
      ? this.target.length
      : 0
    return {
      inode: this.number,
      mode,
      uid,
      gid,
      nlink,
      size: bytes,
      dataBytes: Mode.isDirectory(mode) ? DIRECTORY_BYTES : size === 0 ? 0 : this.state.extras.dataBytes(this.number),
      rdev,
      atime: Timestamp.make(atime, atimeNanos),
      mtime: Timestamp.make(mtime, mtimeNanos),
      ctime: Timestamp.make(ctime, ctimeNanos)
    }
  }

  private get(column: number): number {
    const { table } = this.state
    if (!table.locate(this.number)) throw this.gone()
    return table.value(column)
  }

  private set(column: number, value: number): void {
    this.state.table.set(this.number, column, value)
  }

  private time(column: TimeColumn): Timestamp.Timestamp {
    const { table } = this.state
    if (!table.locate(this.number)) throw this.gone()
    return Timestamp.make(table.value(column), table.value(column + 1))
  }

  private setTime(column: TimeColumn, { nanos, seconds }: Timestamp.Timestamp): void {
    this.state.table.setTime(this.number, column, seconds, nanos)
  }

  private gone(): Error {
    return new Error(`inode ${this.number} is gone`)
  }
}
