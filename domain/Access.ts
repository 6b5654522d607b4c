/**
 * Who may do what to an inode: mode bits, access control lists, ownership, sticky directories.
 * Follows generic_permission, may_delete and check_sticky of Linux (fs/namei.c).
 */
import * as Acl from "#domain/Acl.ts"
import * as Credentials from "#domain/Credentials.ts"
import { Errno } from "#domain/Errno.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import type { Inode } from "#domain/state/Inode.ts"

export const READ = 4
export const WRITE = 2
export const EXECUTE = 1

/** Whether all wanted bits (read 4, write 2, execute 1) are granted. */
export const permits = (inode: Inode, who: Credentials.Credentials, wanted: number): boolean => {
  if (Credentials.isRoot(who)) {
    return (wanted & EXECUTE) === 0 || inode.entries !== undefined || (inode.mode & 0o111) !== 0
  }
  if (inode.uid === who.uid) return ((inode.mode >> 6) & wanted) === wanted
  const acl = (inode.mode & Mode.S_IRWXG) === 0 ? undefined : inode.xattr(Acl.ACCESS)
  if (acl !== undefined) {
    const parsed = Acl.parse(acl)
    return parsed !== undefined && Acl.allows(parsed, who, inode.uid, inode.gid, wanted)
  }
  const bits = Credentials.inGroup(who, inode.gid) ? inode.mode >> 3 : inode.mode
  return (bits & wanted) === wanted
}

/** Whether the caller owns the inode or is root. */
export const owns = (inode: Inode, who: Credentials.Credentials): boolean =>
  who.uid === inode.uid || Credentials.isRoot(who)

/** Why nothing may be created in the directory; its name is known to be free. */
export const createProblem = (parent: Inode, who: Credentials.Credentials): Errno | undefined => {
  if (parent.nlink === 0) return Errno.ENOENT
  return permits(parent, who, WRITE | EXECUTE) ? undefined : Errno.EACCES
}

/** Why the entry may not be removed from its directory, as a directory or as anything else. */
export const deleteProblem = (
  parent: Inode,
  victim: Inode,
  who: Credentials.Credentials,
  asDirectory: boolean
): Errno | undefined => {
  if (!permits(parent, who, WRITE | EXECUTE)) return Errno.EACCES
  const sticky = (parent.mode & Mode.S_ISVTX) !== 0
  if (sticky && !Credentials.isRoot(who) && who.uid !== victim.uid && who.uid !== parent.uid) return Errno.EPERM
  if (asDirectory) {
    if (victim.entries === undefined) return Errno.ENOTDIR
    if (InodeNumber.localOf(victim.number) === InodeNumber.ROOT_LOCAL) return Errno.EBUSY
  } else if (victim.entries !== undefined) return Errno.EISDIR
  return parent.nlink === 0 ? Errno.ENOENT : undefined
}

export const linksFull = (inode: Inode): boolean => inode.nlink >= Limits.linksMax
