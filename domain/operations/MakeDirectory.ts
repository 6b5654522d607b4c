/** Creates a directory. */
import * as Access from "#domain/Access.ts"
import * as Attributes from "#domain/Attributes.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { change, type Operation, refuse } from "#domain/Operation.ts"
import { createIn, findFree } from "#domain/operations/Directory.ts"
import { attributesOfCreated } from "#domain/operations/MakeNode.ts"

const request = Codec.struct({
  parent: Codec.inode,
  name: Codec.bytes(Limits.pathBytesMax),
  /** Permission bits before the umask. */
  mode: Codec.u16,
  umask: Codec.u16
})
const replied = Codec.struct({ attributes: Attributes.codec })

export const makeDirectory: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 33,
  name: "mkdir",
  request,
  reply: replied,
  routeOf: ({ parent }) => parent,
  plan: (state, context, request) => {
    const parent = findFree(state, context, request.parent, request.name)
    if (typeof parent === "number") return refuse(parent)
    if (Access.linksFull(parent)) return refuse(Errno.EMLINK)
    const mode = Mode.S_IFDIR | (request.mode & (Mode.RWX | Mode.S_ISVTX))
    return change(...createIn(state, context, parent, { ...request, mode, rdev: 0, target: "" }))
  },
  answer: attributesOfCreated
}
