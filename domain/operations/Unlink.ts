/** Removes a name that is no directory's. The inode goes with its last name, unless it is open. */
import * as Access from "#domain/Access.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Limits } from "#domain/Limits.ts"
import { change, type Operation, refuse } from "#domain/Operation.ts"
import { findExisting } from "#domain/operations/Directory.ts"

const request = Codec.struct({ parent: Codec.inode, name: Codec.bytes(Limits.pathBytesMax) })

export const unlink: Operation<Codec.Type<typeof request>, void> = {
  code: 37,
  name: "unlink",
  request,
  reply: Codec.nothing,
  routeOf: ({ parent }) => parent,
  plan: (state, context, { name, parent: directory }) => {
    const place = findExisting(state, context, directory, name)
    if (typeof place === "number") return refuse(place)
    const { inode, parent } = place
    const problem = Access.deleteProblem(parent, inode, context.who, false)
    if (problem !== undefined) return refuse(problem)
    return change({ _tag: "EntryRemoved", parent: parent.number, name, inode: inode.number })
  },
  answer: () => undefined
}
