/**
 * Ends a session in this zone: its client leaves, or the zone found it silent for too long. Its open files,
 * locks and remembered replies go; locks that others waited for are granted.
 */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import type { Event } from "#domain/Event.ts"
import type { Lock } from "#domain/Locks.ts"
import { change, type Operation, refuse, reply } from "#domain/Operation.ts"
import { grants } from "#domain/operations/Lock.ts"

const request = Codec.struct({
  /** Any inode of the zone. */
  inode: Codec.inode,
  /** A client may end its own session; the zone itself any. */
  session: Codec.uint,
  reason: Codec.literal("closed", "expired", "evicted")
})

export const endSession: Operation<Codec.Type<typeof request>, void> = {
  code: 52,
  name: "end-session",
  request,
  reply: Codec.nothing,
  routeOf: ({ inode }) => inode,
  plan: (state, context, { reason, session }) => {
    if (context.session !== 0 && context.session !== session) return refuse(Errno.EPERM)
    if (!state.sessions.has(session)) return reply(undefined)
    const isOthers = (lock: Lock): boolean => lock.session !== session
    const granted: Array<Event> = []
    for (const number of state.locked.keys()) {
      const inode = state.expect(number)
      const held = inode.locks.filter(isOthers)
      granted.push(...grants(inode, held, inode.waiters.filter(isOthers)))
    }
    return change({ _tag: "SessionEnded", session, reason }, ...granted)
  },
  answer: () => undefined
}
