/** Creates a symbolic link. Its target is bytes that nobody checks. */
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
  target: Codec.bytes(Limits.messageBytesMax)
})
const replied = Codec.struct({ attributes: Attributes.codec })

export const makeSymlink: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 35,
  name: "symlink",
  request,
  reply: replied,
  routeOf: ({ parent }) => parent,
  plan: (state, context, { name, parent: directory, target }) => {
    if (target.length === 0) return refuse(Errno.ENOENT)
    if (target.length > Limits.symlinkBytesMax) return refuse(Errno.ENAMETOOLONG)
    if (target.includes("\0")) return refuse(Errno.EINVAL)
    const parent = findFree(state, context, directory, name)
    if (typeof parent === "number") return refuse(parent)
    return change(
      ...createIn(state, context, parent, { name, mode: Mode.S_IFLNK | Mode.RWX, umask: 0, rdev: 0, target })
    )
  },
  answer: attributesOfCreated
}
