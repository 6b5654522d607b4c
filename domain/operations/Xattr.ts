/**
 * The rules that operations on extended attributes share: name spaces, rights, sizes. Not an operation.
 * Follows xattr_permission of Linux (fs/xattr.c).
 */
import * as Access from "#domain/Access.ts"
import * as Acl from "#domain/Acl.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as Credentials from "#domain/Credentials.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import type { Inode } from "#domain/state/Inode.ts"

export const isAcl = (name: ByteString): boolean => name === Acl.ACCESS || name === Acl.DEFAULT

/** Whether a listing shows the attribute to the caller. */
export const isListed = (name: ByteString, who: Credentials.Credentials): boolean =>
  !name.startsWith("trusted.") || Credentials.isRoot(who)

/** Why the attribute may not be read (`Access.READ`) or changed (`Access.WRITE`). */
export const problemOf = (
  inode: Inode,
  name: ByteString,
  who: Credentials.Credentials,
  wanted: number
): Errno | undefined => {
  if (name.length === 0 || name.length > Limits.xattrNameBytesMax) return Errno.ERANGE
  const writes = wanted === Access.WRITE
  if (name.startsWith("security.")) return writes && !Credentials.isRoot(who) ? Errno.EPERM : suffixProblem(name)
  if (name.startsWith("system.")) return Errno.EOPNOTSUPP
  if (name.startsWith("trusted.")) {
    if (Credentials.isRoot(who)) return suffixProblem(name)
    return writes ? Errno.EPERM : Errno.ENODATA
  }
  const user = name.startsWith("user.")
  if (user) {
    if (!Mode.isRegular(inode.mode) && inode.entries === undefined) return writes ? Errno.EPERM : Errno.ENODATA
    const sticky = inode.entries !== undefined && (inode.mode & Mode.S_ISVTX) !== 0
    if (sticky && writes && !Access.owns(inode, who)) return Errno.EPERM
  }
  if (!Access.permits(inode, who, wanted)) return Errno.EACCES
  return user ? suffixProblem(name) : Errno.EOPNOTSUPP
}

const suffixProblem = (name: ByteString): Errno | undefined => (name.endsWith(".") ? Errno.EINVAL : undefined)
