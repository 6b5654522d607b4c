/**
 * Makes a session known to a zone: who it is, for every event that it will cause. A zone does this by itself
 * before a session's first change; reads need no session.
 */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import { change, type Operation, refuse, reply } from "#domain/Operation.ts"
import { descriptorCodec } from "#domain/Session.ts"

const request = Codec.struct({
  /** Any inode of the zone. */
  inode: Codec.inode,
  descriptor: descriptorCodec
})

export const openSession: Operation<Codec.Type<typeof request>, void> = {
  code: 54,
  name: "open-session",
  request,
  reply: Codec.nothing,
  routeOf: ({ inode }) => inode,
  plan: (state, { session }, { descriptor }) => {
    if (session === 0) return refuse(Errno.EINVAL)
    if (state.sessions.has(session)) return reply(undefined)
    if (state.sessions.size >= Limits.sessionsPerZoneMax) return refuse(Errno.ENFILE)
    return change({ _tag: "SessionOpened", session, descriptor })
  },
  answer: () => undefined
}
