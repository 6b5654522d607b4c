/**
 * Copies or clones a range of one file into another by reference: no byte of data moves.
 */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import * as Extents from "#domain/Extents.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import { change, type Operation, refuse, reply } from "#domain/Operation.ts"
import { regular } from "#domain/operations/File.ts"
import { privilegesLost } from "#domain/operations/Privileges.ts"
import { firstExtents } from "#domain/operations/ReadExtents.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"

const request = Codec.struct({
  source: Codec.inode,
  sourceHandle: Codec.uint,
  sourceOffset: Codec.uint,
  target: Codec.inode,
  targetHandle: Codec.uint,
  targetOffset: Codec.uint,
  /** Bytes wanted; fewer are copied at the source's end or at a limit, and 0 past the end. */
  length: Codec.uint
})
const replied = Codec.struct({
  /** Bytes copied. */
  copied: Codec.uint
})

export const copyRange: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 45,
  name: "copy_file_range",
  request,
  reply: replied,
  routeOf: ({ target }) => target,
  plan: (state, context, request) => {
    const { sourceOffset, targetOffset } = request
    if (InodeNumber.zoneOf(request.source) !== state.zone) return refuse(Errno.EXDEV)
    // Linux looks at the types before the handles (generic_file_rw_checks).
    if (isDirectory(state, request.source) || isDirectory(state, request.target)) return refuse(Errno.EISDIR)
    const source = regular(state, context, request.source, request.sourceHandle, "read")
    if (typeof source === "number") return refuse(source)
    const target = regular(state, context, request.target, request.targetHandle, "write")
    if (typeof target === "number") return refuse(target)
    // As generic_copy_file_checks of Linux: first to the source's end, then to the largest offset.
    if (targetOffset >= Limits.fileBytesMax) return refuse(Errno.EFBIG)
    const wanted = Math.max(0, Math.min(request.length, source.size - sourceOffset))
    const available = Math.min(wanted, Limits.fileBytesMax - targetOffset)
    if (source.number === target.number && Math.abs(sourceOffset - targetOffset) < available) {
      return refuse(Errno.EINVAL)
    }
    if (available === 0) return reply({ copied: 0 })
    const { extents, length } = firstExtents(source.extents, sourceOffset, available)
    const moved = Extents.shifted(extents, targetOffset - sourceOffset)
    return change(
      ...privilegesLost(target, context.who),
      {
        _tag: "ContentReplaced",
        inode: target.number,
        offset: targetOffset,
        length,
        extents: moved,
        extends: true
      }
    )
  },
  answer: (_state, { events }) => {
    const written = events.find((event) => event._tag === "ContentReplaced")
    if (written === undefined) throw new Error("copy_file_range: no ContentReplaced among its events")
    return { copied: written.length }
  }
}

const isDirectory = (state: ZoneState, inode: InodeNumber.InodeNumber): boolean =>
  state.inode(inode)?.entries !== undefined
