/** Removes an empty directory. */
import * as Access from "#domain/Access.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import { change, type Operation, refuse } from "#domain/Operation.ts"
import { findExisting } from "#domain/operations/Directory.ts"

const request = Codec.struct({ parent: Codec.inode, name: Codec.bytes(Limits.pathBytesMax) })

export const removeDirectory: Operation<Codec.Type<typeof request>, void> = {
  code: 38,
  name: "rmdir",
  request,
  reply: Codec.nothing,
  routeOf: ({ parent }) => parent,
  plan: (state, context, { name, parent: directory }) => {
    const place = findExisting(state, context, directory, name)
    if (typeof place === "number") return refuse(place)
    const { inode, parent } = place
    const problem = Access.deleteProblem(parent, inode, context.who, true)
    if (problem !== undefined) return refuse(problem)
    if (inode.entries?.isEmpty === false) return refuse(Errno.ENOTEMPTY)
    return change({ _tag: "EntryRemoved", parent: parent.number, name, inode: inode.number })
  },
  answer: () => undefined
}
