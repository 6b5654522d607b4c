/** Brings a zone into being, with its own root directory. Only a zone asks this of itself, first of all. */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { change, type Operation, refuse, reply } from "#domain/Operation.ts"

const request = Codec.struct({
  /** The root inode of the zone to be. */
  inode: Codec.inode,
  /** Type and permission bits of the root directory. */
  mode: Codec.u16
})

export const foundZone: Operation<Codec.Type<typeof request>, void> = {
  code: 53,
  name: "found-zone",
  request,
  reply: Codec.nothing,
  routeOf: ({ inode }) => inode,
  plan: (state, context, { mode }) => {
    if (context.session !== 0) return refuse(Errno.EPERM)
    if (state.founded) return reply(undefined)
    return change({ _tag: "ZoneFounded", zone: state.zone, mode, uid: context.who.uid, gid: context.who.gid })
  },
  answer: () => undefined
}
