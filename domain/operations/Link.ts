/** Gives an inode that is no directory a further name. */
import * as Access from "#domain/Access.ts"
import * as Attributes from "#domain/Attributes.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import { change, type Operation, refuse } from "#domain/Operation.ts"
import { findFree } from "#domain/operations/Directory.ts"

const request = Codec.struct({
  inode: Codec.inode,
  parent: Codec.inode,
  name: Codec.bytes(Limits.pathBytesMax)
})
const replied = Codec.struct({ attributes: Attributes.codec })

export const link: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 36,
  name: "link",
  request,
  reply: replied,
  routeOf: ({ parent }) => parent,
  plan: (state, context, { inode: number, name, parent: directory }) => {
    const local = InodeNumber.zoneOf(number) === state.zone
    const inode = state.inode(number)
    if (local && inode === undefined) return refuse(Errno.ESTALE)
    const parent = findFree(state, context, directory, name)
    if (typeof parent === "number") return refuse(parent)
    if (inode === undefined) return refuse(Errno.EXDEV)
    if (inode.entries !== undefined) return refuse(Errno.EPERM)
    if (inode.nlink === 0) return refuse(Errno.ENOENT)
    if (Access.linksFull(inode)) return refuse(Errno.EMLINK)
    return change({ _tag: "EntryLinked", parent: parent.number, name, inode: number })
  },
  answer: (state, { events }) => {
    const linked = events.find((event) => event._tag === "EntryLinked")
    if (linked === undefined) throw new Error("link: no EntryLinked among its events")
    return { attributes: state.expect(linked.inode).attributes() }
  }
}
