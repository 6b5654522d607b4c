/** What would keep a lock from being granted now (F_GETLK). */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import * as Locks from "#domain/Locks.ts"
import { type Operation, readOnly, refuse, reply } from "#domain/Operation.ts"
import { fields } from "#domain/operations/Lock.ts"

const type = Codec.literal("read", "write")
const request = Codec.struct({ ...fields, type })
const replied = Codec.struct({
  conflict: Codec.optional(Codec.struct({ type, start: Codec.uint, end: Codec.uint, pid: Codec.u32 }))
})

export const testLock: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 12,
  name: "getlk",
  request,
  reply: replied,
  routeOf: ({ inode }) => inode,
  plan: (state, context, { inode: number, ...rest }) => {
    const inode = state.inode(number)
    if (inode === undefined) return refuse(Errno.ESTALE)
    if (rest.end < rest.start) return refuse(Errno.EINVAL)
    const conflict = Locks.firstConflict(inode.locks, { ...rest, session: context.session, pid: 0 })
    return reply({ conflict })
  },
  answer: readOnly
}
