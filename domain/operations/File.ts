/**
 * The first steps that operations on a file's contents share. It is not an operation.
 */
import * as Access from "#domain/Access.ts"
import { Errno } from "#domain/Errno.ts"
import type { InodeNumber } from "#domain/InodeNumber.ts"
import * as Mode from "#domain/Mode.ts"
import type { Context } from "#domain/Operation.ts"
import { Access as Use } from "#domain/Session.ts"
import type { Inode } from "#domain/state/Inode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"

/**
 * A regular file that the caller may read or write: by a handle that was opened for it, or, with handle 0,
 * by the rights that it has now. To `find` its way in it, any handle will do.
 */
export const regular = (
  state: ZoneState,
  context: Context,
  number: InodeNumber,
  handle: number,
  use: keyof typeof Use | "find"
): Inode | Errno => {
  const inode = state.inode(number)
  if (handle !== 0) {
    const open = state.sessions.get(context.session)?.opens.get(handle)
    if (open?.inode !== number) return Errno.EBADF
    if (use !== "find" && (open.access & Use[use]) === 0) return Errno.EBADF
  }
  if (inode === undefined) return Errno.ESTALE
  if (inode.entries !== undefined) return Errno.EISDIR
  if (!Mode.isRegular(inode.mode)) return Errno.EINVAL
  const wanted = use === "write" ? Access.WRITE : Access.READ
  return handle !== 0 || Access.permits(inode, context.who, wanted) ? inode : Errno.EACCES
}
