/** Whether the caller may read, write or execute an inode (access(2)). */
import * as Access from "#domain/Access.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { type Operation, readOnly, refuse, reply } from "#domain/Operation.ts"

const request = Codec.struct({
  inode: Codec.inode,
  /** Read 4, write 2, execute 1; 0 asks whether the inode exists. */
  wanted: Codec.u8
})

export const testAccess: Operation<Codec.Type<typeof request>, void> = {
  code: 7,
  name: "access",
  request,
  reply: Codec.nothing,
  routeOf: ({ inode }) => inode,
  plan: (state, context, { inode: number, wanted }) => {
    const inode = state.inode(number)
    if (inode === undefined) return refuse(Errno.ESTALE)
    if ((wanted & ~7) !== 0) return refuse(Errno.EINVAL)
    return Access.permits(inode, context.who, wanted) ? reply(undefined) : refuse(Errno.EACCES)
  },
  answer: readOnly
}
