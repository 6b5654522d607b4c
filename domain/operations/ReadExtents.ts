/** Where the bytes of a range of a file are, so that the caller can fetch them. */
import * as Codec from "#domain/codec/Codec.ts"
import * as Extents from "#domain/Extents.ts"
import { Limits } from "#domain/Limits.ts"
import { type Operation, readOnly, refuse, reply } from "#domain/Operation.ts"
import { regular } from "#domain/operations/File.ts"

const request = Codec.struct({
  inode: Codec.inode,
  /** A handle opened for reading; 0 to be checked for read permission instead. */
  handle: Codec.uint,
  offset: Codec.uint,
  length: Codec.uint
})
const replied = Codec.struct({
  /** Bytes of the file now. */
  size: Codec.uint,
  /** Bytes of the range that the extents account for; less than asked at the file's end or a limit. */
  length: Codec.uint,
  /** Ordered; a gap is a hole. */
  extents: Codec.array(Extents.codec, Limits.extentsPerReadMax)
})

export const readExtents: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 8,
  name: "extents",
  request,
  reply: replied,
  routeOf: ({ inode }) => inode,
  plan: (state, context, request) => {
    const inode = regular(state, context, request.inode, request.handle, "read")
    if (typeof inode === "number") return refuse(inode)
    const { size } = inode
    const available = Math.max(0, Math.min(request.length, size - request.offset))
    const { extents, length } = firstExtents(inode.extents, request.offset, available)
    return reply({ size, length, extents })
  },
  answer: readOnly
}

/** The extents of a range, as many as one reply may carry, and the bytes that they account for. */
export const firstExtents = (
  all: Extents.Extents,
  offset: number,
  length: number
): { readonly extents: Extents.Extents; readonly length: number } => {
  const extents = Extents.within(all, offset, length)
  const next = extents[Limits.extentsPerReadMax]
  return next === undefined
    ? { extents, length }
    : { extents: extents.slice(0, Limits.extentsPerReadMax), length: next.offset - offset }
}
