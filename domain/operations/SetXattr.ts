/**
 * Sets an extended attribute. An access control list is one: it changes the mode, and one that says no more
 * than mode bits do is not kept. Follows do_set_acl and posix_acl_update_mode of Linux (fs/posix_acl.c).
 */
import * as Access from "#domain/Access.ts"
import * as Acl from "#domain/Acl.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import type { Event } from "#domain/Event.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { change, type Context, type Operation, type Plan, refuse, reply } from "#domain/Operation.ts"
import { keepsSetGroupId } from "#domain/operations/Privileges.ts"
import * as Xattr from "#domain/operations/Xattr.ts"
import type { Inode } from "#domain/state/Inode.ts"

const request = Codec.struct({
  inode: Codec.inode,
  name: Codec.bytes(Limits.messageBytesMax),
  value: Codec.bytes(Limits.messageBytesMax),
  /** `create` refuses an existing attribute (XATTR_CREATE), `replace` a missing one (XATTR_REPLACE). */
  mode: Codec.literal("either", "create", "replace")
})
type Request = Codec.Type<typeof request>

export const setXattr: Operation<Request, void> = {
  code: 47,
  name: "setxattr",
  request,
  reply: Codec.nothing,
  routeOf: ({ inode }) => inode,
  plan: (state, context, request) => {
    const { mode, name, value } = request
    if (name.length === 0 || name.length > Limits.xattrNameBytesMax) return refuse(Errno.ERANGE)
    if (value.length > Limits.xattrValueBytesMax) return refuse(Errno.E2BIG)
    const inode = state.inode(request.inode)
    if (inode === undefined) return refuse(Errno.ESTALE)
    if (Xattr.isAcl(name)) return planAcl(context, inode, request)
    const problem = Xattr.problemOf(inode, name, context.who, Access.WRITE)
    if (problem !== undefined) return refuse(problem)
    const exists = inode.xattr(name) !== undefined
    if (mode === "create" && exists) return refuse(Errno.EEXIST)
    if (mode === "replace" && !exists) return refuse(Errno.ENODATA)
    if (!exists && listBytes(inode) + name.length + 1 > Limits.xattrListBytesMax) return refuse(Errno.ENOSPC)
    return change({ _tag: "XattrSet", inode: inode.number, name, value })
  },
  answer: () => undefined
}

const listBytes = (inode: Inode): number => {
  let sum = 0
  for (const name of inode.xattrs?.keys() ?? []) sum += name.length + 1
  return sum
}

const planAcl = ({ who }: Context, inode: Inode, { name, value }: Request): Plan<void> => {
  const acl = Acl.decode(value)
  if (typeof acl === "number") return refuse(acl)
  const removes = acl.length === 0
  if (Mode.isSymlink(inode.mode)) return refuse(Errno.EOPNOTSUPP)
  if (name === Acl.DEFAULT && inode.entries === undefined) return removes ? reply(undefined) : refuse(Errno.EACCES)
  if (!Access.owns(inode, who)) return refuse(Errno.EPERM)
  if (removes) return aclRemoval(inode, name)
  if (!Acl.isValid(acl)) return refuse(Errno.EINVAL)
  if (name === Acl.DEFAULT) return change({ _tag: "XattrSet", inode: inode.number, name, value: Acl.format(acl) })
  const shown = Acl.toMode(acl)
  let mode = (inode.mode & Mode.PERMISSIONS & ~Mode.RWX) | shown.mode
  if (!keepsSetGroupId(inode.gid, who)) mode &= ~Mode.S_ISGID
  const kept = { uid: undefined, gid: undefined, atime: undefined, mtime: undefined }
  const events: Array<Event> = [{ _tag: "AttributesSet", inode: inode.number, mode, ...kept }]
  if (!shown.minimal) events.push({ _tag: "XattrSet", inode: inode.number, name, value: Acl.format(acl) })
  else if (inode.xattr(name) !== undefined) events.push({ _tag: "XattrRemoved", inode: inode.number, name })
  return change(...events)
}

/** Linux answers the removal of a list that is not there with success. */
export const aclRemoval = (inode: Inode, name: string): Plan<void> =>
  inode.xattr(name) !== undefined ? change({ _tag: "XattrRemoved", inode: inode.number, name }) : reply(undefined)
