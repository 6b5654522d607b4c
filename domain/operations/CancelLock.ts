/**
 * Gives up waiting for a lock: the waiting request is answered with EINTR. If it was granted already, nothing
 * happens and its owner holds the lock.
 */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { change, type Operation, refuse, reply } from "#domain/Operation.ts"
import { grants } from "#domain/operations/Lock.ts"

const request = Codec.struct({
  inode: Codec.inode,
  /** Number of the request that waits, of the same session. */
  waiting: Codec.uint
})

export const cancelLock: Operation<Codec.Type<typeof request>, void> = {
  code: 51,
  name: "cancel-lock",
  request,
  reply: Codec.nothing,
  routeOf: ({ inode }) => inode,
  plan: (state, { session }, { inode: number, waiting }) => {
    const inode = state.inode(number)
    if (inode === undefined) return refuse(Errno.ESTALE)
    const isIt = (waiter: { readonly session: number; readonly request: number }): boolean =>
      waiter.session === session && waiter.request === waiting
    if (!inode.waiters.some(isIt)) return reply(undefined)
    const others = inode.waiters.filter((waiter) => !isIt(waiter))
    return change(
      { _tag: "LockAbandoned", inode: number, session, request: waiting },
      ...grants(inode, inode.locks, others)
    )
  },
  answer: () => undefined
}
