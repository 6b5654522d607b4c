/** Creates a fifo, a socket, a device or a regular file (mknod). Devices are root's alone, whiteouts are not. */
import * as Attributes from "#domain/Attributes.ts"
import * as Codec from "#domain/codec/Codec.ts"
import * as Credentials from "#domain/Credentials.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { change, type CommandRecord, type Operation, refuse } from "#domain/Operation.ts"
import { createIn, findFree } from "#domain/operations/Directory.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"

const request = Codec.struct({
  parent: Codec.inode,
  name: Codec.bytes(Limits.pathBytesMax),
  /** Type and permission bits before the umask. */
  mode: Codec.u16,
  umask: Codec.u16,
  /** Device number, as Linux's makedev packs it; 0 for what is no device. */
  rdev: Codec.u32
})
const replied = Codec.struct({ attributes: Attributes.codec })

export const makeNode: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 34,
  name: "mknod",
  request,
  reply: replied,
  routeOf: ({ parent }) => parent,
  plan: (state, context, request) => {
    const type = (request.mode & Mode.S_IFMT) || Mode.S_IFREG
    if (type === Mode.S_IFDIR) return refuse(Errno.EPERM)
    if (!makable.has(type)) return refuse(Errno.EINVAL)
    const parent = findFree(state, context, request.parent, request.name)
    if (typeof parent === "number") return refuse(parent)
    const device = Mode.isDevice(type)
    const whiteout = type === Mode.S_IFCHR && request.rdev === 0
    if (device && !whiteout && !Credentials.isRoot(context.who)) return refuse(Errno.EPERM)
    const mode = type | (request.mode & Mode.PERMISSIONS)
    return change(
      ...createIn(state, context, parent, { ...request, mode, rdev: device ? request.rdev : 0, target: "" })
    )
  },
  answer: attributesOfCreated
}

const makable: ReadonlySet<number> = new Set([Mode.S_IFREG, Mode.S_IFIFO, Mode.S_IFSOCK, Mode.S_IFCHR, Mode.S_IFBLK])

/** The reply of every operation that makes one new inode. */
export function attributesOfCreated(
  state: ZoneState,
  { events }: CommandRecord
): { readonly attributes: Attributes.Attributes } {
  const created = events.find((event) => event._tag === "InodeCreated")
  if (created === undefined) throw new Error("no InodeCreated among the events")
  return { attributes: state.expect(created.inode).attributes() }
}
