/**
 * Puts bytes that are already in the block store into a file, by reference: at an offset, or at the end,
 * wherever that is when the zone decides (O_APPEND).
 */
import * as Attributes from "#domain/Attributes.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import * as Extents from "#domain/Extents.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import { change, type Operation, refuse, reply } from "#domain/Operation.ts"
import { regular } from "#domain/operations/File.ts"
import { privilegesLost } from "#domain/operations/Privileges.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"

const piece = Codec.struct({
  /** Bytes. */
  length: Codec.uint,
  /** Slice that holds them; 0 for a hole. */
  slice: Codec.uint,
  sliceOffset: Codec.uint,
  /** Bytes of the whole slice. */
  sliceBytes: Codec.uint
})
const request = Codec.struct({
  inode: Codec.inode,
  /** A handle opened for writing; 0 to be checked for write permission instead. */
  handle: Codec.uint,
  /** First byte in the file; not looked at when appending. */
  offset: Codec.uint,
  append: Codec.boolean,
  /** Pieces that follow each other in the file. */
  pieces: Codec.array(piece, Limits.extentsPerWriteMax)
})
const replied = Codec.struct({ attributes: Attributes.codec })

export const write: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 43,
  name: "write",
  request,
  reply: replied,
  routeOf: ({ inode }) => inode,
  plan: (state, context, request) => {
    const inode = regular(state, context, request.inode, request.handle, "write")
    if (typeof inode === "number") return refuse(inode)
    const offset = request.append ? inode.size : request.offset
    const extents: Array<Extents.Extent> = []
    let length = 0
    for (const { slice, ...rest } of request.pieces) {
      const extent = { ...rest, slice, offset: offset + length }
      length += rest.length
      if (offset + length > Limits.fileBytesMax) return refuse(Errno.EFBIG)
      if (slice === 0) continue
      if (!Extents.isValid(extent) || !isReserved(state, slice)) return refuse(Errno.EINVAL)
      extents.push(extent)
    }
    if (length === 0) return reply({ attributes: inode.attributes() })
    return change(
      ...privilegesLost(inode, context.who),
      { _tag: "ContentReplaced", inode: inode.number, offset, length, extents, extends: true }
    )
  },
  answer: (state, { events }) => {
    const written = events.find((event) => event._tag === "ContentReplaced")
    if (written === undefined) throw new Error("write: no ContentReplaced among its events")
    return { attributes: state.expect(written.inode).attributes() }
  }
}

/** Whether the slice was given out, as far as this zone can tell. */
const isReserved = (state: ZoneState, slice: number): boolean =>
  InodeNumber.localOf(slice) >= 1 &&
  (InodeNumber.zoneOf(slice) !== state.zone || InodeNumber.localOf(slice) < state.nextSlice)
