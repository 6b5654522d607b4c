/** Lists the names of an inode's extended attributes, those left out that the caller may not know of. */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import { type Operation, readOnly, refuse, reply } from "#domain/Operation.ts"
import { isListed } from "#domain/operations/Xattr.ts"

const request = Codec.struct({ inode: Codec.inode })
const replied = Codec.struct({
  names: Codec.array(Codec.bytes(Limits.xattrNameBytesMax), Limits.xattrListBytesMax)
})

export const listXattrs: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 11,
  name: "listxattr",
  request,
  reply: replied,
  routeOf: ({ inode }) => inode,
  plan: (state, context, request) => {
    const inode = state.inode(request.inode)
    if (inode === undefined) return refuse(Errno.ESTALE)
    const names = [...inode.xattrs?.keys() ?? []].filter((name) => isListed(name, context.who))
    return reply({ names })
  },
  answer: readOnly
}
