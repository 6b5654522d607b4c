/** Takes slice numbers for data to come. None is ever given twice, used or not. */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import { change, type Operation, refuse } from "#domain/Operation.ts"

const request = Codec.struct({
  /** Any inode of the zone that shall give the numbers. */
  inode: Codec.inode,
  count: Codec.uint
})
const replied = Codec.struct({ first: Codec.uint, count: Codec.uint })

export const reserveSlices: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 46,
  name: "reserve-slices",
  request,
  reply: replied,
  routeOf: ({ inode }) => inode,
  plan: (state, _context, { count }) => {
    if (count < 1 || count > Limits.slicesPerReservationMax) return refuse(Errno.EINVAL)
    if (state.nextSlice + count > Limits.localNumberMax) return refuse(Errno.ENOSPC)
    return change({ _tag: "SlicesReserved", first: InodeNumber.make(state.zone, state.nextSlice), count })
  },
  answer: (_state, { events }) => {
    const reserved = events.find((event) => event._tag === "SlicesReserved")
    if (reserved === undefined) throw new Error("reserve-slices: no SlicesReserved among its events")
    return { first: reserved.first, count: reserved.count }
  }
}
