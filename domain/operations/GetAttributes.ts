/** What `stat` says of an inode. Needs no permission on the inode itself, as on Linux. */
import * as Attributes from "#domain/Attributes.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { type Operation, readOnly, refuse, reply } from "#domain/Operation.ts"

const request = Codec.struct({ inode: Codec.inode })
const replied = Codec.struct({ attributes: Attributes.codec })

export const getAttributes: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 3,
  name: "getattr",
  request,
  reply: replied,
  routeOf: ({ inode }) => inode,
  plan: (state, _context, request) => {
    const inode = state.inode(request.inode)
    return inode === undefined ? refuse(Errno.ESTALE) : reply({ attributes: inode.attributes() })
  },
  answer: readOnly
}
