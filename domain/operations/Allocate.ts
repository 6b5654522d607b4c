/**
 * Reserves, zeroes, cuts out or inserts a range of a file (fallocate). Space needs no reservation here, so
 * reserving only moves the end. Refusals in the order of vfs_fallocate of Linux (fs/open.c).
 */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import type { Event } from "#domain/Event.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { change, type Operation, refuse } from "#domain/Operation.ts"
import { regular } from "#domain/operations/File.ts"
import { privilegesLost } from "#domain/operations/Privileges.ts"
import type { Inode } from "#domain/state/Inode.ts"

/** Bits of fallocate's mode, Linux numbering. */
export const KEEP_SIZE = 0x01
export const PUNCH_HOLE = 0x02
export const COLLAPSE_RANGE = 0x08
export const ZERO_RANGE = 0x10
export const INSERT_RANGE = 0x20

const request = Codec.struct({
  inode: Codec.inode,
  handle: Codec.uint,
  mode: Codec.u32,
  offset: Codec.uint,
  length: Codec.uint
})
type Request = Codec.Type<typeof request>

export const allocate: Operation<Request, void> = {
  code: 44,
  name: "fallocate",
  request,
  reply: Codec.nothing,
  routeOf: ({ inode }) => inode,
  plan: (state, context, request) => {
    if (request.length === 0) return refuse(Errno.EINVAL)
    if (!modes.has(request.mode)) return refuse(Errno.EOPNOTSUPP)
    const inode = regular(state, context, request.inode, request.handle, "write")
    if (typeof inode === "number") {
      return refuse(inode === Errno.EINVAL ? typeProblem(state.inode(request.inode)) : inode)
    }
    if (request.offset + request.length > Limits.fileBytesMax) return refuse(Errno.EFBIG)
    const problem = rangeProblem(inode, request)
    if (problem !== undefined) return refuse(problem)
    return change(...privilegesLost(inode, context.who), eventOf(inode, request))
  },
  answer: () => undefined
}

const modes: ReadonlySet<number> = new Set([
  0,
  KEEP_SIZE,
  PUNCH_HOLE | KEEP_SIZE,
  COLLAPSE_RANGE,
  ZERO_RANGE,
  ZERO_RANGE | KEEP_SIZE,
  INSERT_RANGE
])

const typeProblem = (inode: Inode | undefined): Errno =>
  inode !== undefined && (inode.mode & Mode.S_IFMT) === Mode.S_IFIFO ? Errno.ESPIPE : Errno.ENODEV

const rangeProblem = (inode: Inode, { length, mode, offset }: Request): Errno | undefined => {
  if (mode !== COLLAPSE_RANGE && mode !== INSERT_RANGE) return undefined
  if (offset % Limits.rangeAlignmentBytes !== 0 || length % Limits.rangeAlignmentBytes !== 0) return Errno.EINVAL
  if (mode === COLLAPSE_RANGE) return offset + length >= inode.size ? Errno.EINVAL : undefined
  if (inode.size + length > Limits.fileBytesMax) return Errno.EFBIG
  return offset >= inode.size ? Errno.EINVAL : undefined
}

/** What changes; when nothing does, the file's times still move, as after any fallocate of Linux. */
const eventOf = (inode: Inode, { length, mode, offset }: Request): Event => {
  const { number, size } = inode
  const sized = (bytes: number): Event => ({ _tag: "SizeSet", inode: number, size: bytes })
  const zeroed = (bytes: number, grows: boolean): Event =>
    bytes <= 0
      ? sized(size)
      : { _tag: "ContentReplaced", inode: number, offset, length: bytes, extents: [], extends: grows }
  switch (mode) {
    case 0:
      return sized(Math.max(size, offset + length))
    case ZERO_RANGE:
      return zeroed(length, true)
    case PUNCH_HOLE | KEEP_SIZE:
    case ZERO_RANGE | KEEP_SIZE:
      return zeroed(Math.min(length, size - offset), false)
    case COLLAPSE_RANGE:
      return { _tag: "RangeShifted", inode: number, offset, length: -length }
    case INSERT_RANGE:
      return { _tag: "RangeShifted", inode: number, offset, length }
    default:
      return sized(size)
  }
}
