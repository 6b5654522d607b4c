/** Finds the next data or the next hole of a file (lseek with SEEK_DATA, SEEK_HOLE). */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import * as Extents from "#domain/Extents.ts"
import { type Operation, readOnly, refuse, reply } from "#domain/Operation.ts"
import { regular } from "#domain/operations/File.ts"

const request = Codec.struct({
  inode: Codec.inode,
  handle: Codec.uint,
  offset: Codec.uint,
  target: Codec.literal("data", "hole")
})
const replied = Codec.struct({ offset: Codec.uint })

export const seek: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 9,
  name: "seek",
  request,
  reply: replied,
  routeOf: ({ inode }) => inode,
  plan: (state, context, request) => {
    const inode = regular(state, context, request.inode, request.handle, "find")
    if (typeof inode === "number") return refuse(inode)
    if (request.offset >= inode.size) return refuse(Errno.ENXIO)
    if (request.target === "hole") {
      return reply({ offset: Math.min(Extents.nextHole(inode.extents, request.offset), inode.size) })
    }
    const offset = Extents.nextData(inode.extents, request.offset)
    return offset === undefined ? refuse(Errno.ENXIO) : reply({ offset })
  },
  answer: readOnly
}
