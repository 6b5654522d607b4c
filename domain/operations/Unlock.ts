/** Frees what an owner holds in a range, and grants what waited for it. */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import * as Locks from "#domain/Locks.ts"
import { change, type Operation, refuse, reply } from "#domain/Operation.ts"
import { fields, grants } from "#domain/operations/Lock.ts"

const request = Codec.struct(fields)

export const unlock: Operation<Codec.Type<typeof request>, void> = {
  code: 50,
  name: "unlock",
  request,
  reply: Codec.nothing,
  routeOf: ({ inode }) => inode,
  plan: (state, context, { inode: number, ...rest }) => {
    const inode = state.inode(number)
    if (inode === undefined) return refuse(Errno.ESTALE)
    if (rest.end < rest.start) return refuse(Errno.EINVAL)
    const range: Locks.Lock = { ...rest, session: context.session, type: "read", pid: 0 }
    const touched = inode.locks.some((held) => Locks.sameOwner(held, range) && Locks.overlaps(held, range))
    if (!touched) return reply(undefined)
    const held = Locks.remove(inode.locks, range)
    return change({ _tag: "LockReleased", inode: number, lock: range }, ...grants(inode, held))
  },
  answer: () => undefined
}
