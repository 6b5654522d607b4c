/** Removes an extended attribute, or an access control list. */
import * as Access from "#domain/Access.ts"
import * as Acl from "#domain/Acl.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { change, type Operation, refuse, reply } from "#domain/Operation.ts"
import { aclRemoval } from "#domain/operations/SetXattr.ts"
import * as Xattr from "#domain/operations/Xattr.ts"

const request = Codec.struct({ inode: Codec.inode, name: Codec.bytes(Limits.messageBytesMax) })

export const removeXattr: Operation<Codec.Type<typeof request>, void> = {
  code: 48,
  name: "removexattr",
  request,
  reply: Codec.nothing,
  routeOf: ({ inode }) => inode,
  plan: (state, context, { inode: number, name }) => {
    const inode = state.inode(number)
    if (inode === undefined) return refuse(Errno.ESTALE)
    if (Xattr.isAcl(name)) {
      if (Mode.isSymlink(inode.mode)) return refuse(Errno.EOPNOTSUPP)
      if (name === Acl.DEFAULT && inode.entries === undefined) return reply(undefined)
      return Access.owns(inode, context.who) ? aclRemoval(inode, name) : refuse(Errno.EPERM)
    }
    const problem = Xattr.problemOf(inode, name, context.who, Access.WRITE)
    if (problem !== undefined) return refuse(problem)
    if (inode.xattr(name) === undefined) return refuse(Errno.ENODATA)
    return change({ _tag: "XattrRemoved", inode: inode.number, name })
  },
  answer: () => undefined
}
