/**
 * What `stat` says of an inode.
 */
import * as Codec from "#domain/codec/Codec.ts"
import type { InodeNumber } from "#domain/InodeNumber.ts"
import type { Timestamp } from "#domain/Timestamp.ts"

export interface Attributes {
  readonly inode: InodeNumber
  /** Type and permission bits, Linux numbering. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly nlink: number
  /** Bytes. Of a symbolic link: of its target. Of a directory: 4,096. */
  readonly size: number
  /** Bytes that data takes, holes left out. */
  readonly dataBytes: number
  /** Device number of a device file, as Linux's makedev packs it. */
  readonly rdev: number
  readonly atime: Timestamp
  readonly mtime: Timestamp
  readonly ctime: Timestamp
}

export const codec: Codec.Codec<Attributes> = Codec.struct({
  inode: Codec.inode,
  mode: Codec.u16,
  uid: Codec.u32,
  gid: Codec.u32,
  nlink: Codec.uint,
  size: Codec.uint,
  dataBytes: Codec.uint,
  rdev: Codec.u32,
  atime: Codec.timestamp,
  mtime: Codec.timestamp,
  ctime: Codec.timestamp
})
