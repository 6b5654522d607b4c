/** The target of a symbolic link. */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { type Operation, readOnly, refuse, reply } from "#domain/Operation.ts"

const request = Codec.struct({ inode: Codec.inode })
const replied = Codec.struct({ target: Codec.bytes(Limits.symlinkBytesMax) })

export const readLink: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 4,
  name: "readlink",
  request,
  reply: replied,
  routeOf: ({ inode }) => inode,
  plan: (state, _context, request) => {
    const inode = state.inode(request.inode)
    if (inode === undefined) return refuse(Errno.ESTALE)
    return Mode.isSymlink(inode.mode) ? reply({ target: inode.target }) : refuse(Errno.EINVAL)
  },
  answer: readOnly
}
