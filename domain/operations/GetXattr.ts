/** Reads one extended attribute. */
import * as Access from "#domain/Access.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { type Operation, readOnly, refuse, reply } from "#domain/Operation.ts"
import * as Xattr from "#domain/operations/Xattr.ts"

const request = Codec.struct({ inode: Codec.inode, name: Codec.bytes(Limits.messageBytesMax) })
const replied = Codec.struct({ value: Codec.bytes(Limits.xattrValueBytesMax) })

export const getXattr: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 10,
  name: "getxattr",
  request,
  reply: replied,
  routeOf: ({ inode }) => inode,
  plan: (state, context, request) => {
    const inode = state.inode(request.inode)
    if (inode === undefined) return refuse(Errno.ESTALE)
    if (Xattr.isAcl(request.name)) {
      if (Mode.isSymlink(inode.mode)) return refuse(Errno.EOPNOTSUPP)
    } else {
      const problem = Xattr.problemOf(inode, request.name, context.who, Access.READ)
      if (problem !== undefined) return refuse(problem)
    }
    const value = inode.xattr(request.name)
    return value === undefined ? refuse(Errno.ENODATA) : reply({ value })
  },
  answer: readOnly
}
