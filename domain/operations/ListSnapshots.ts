/** Lists the snapshots of one directory, or of a whole zone, oldest first. */
import * as Access from "#domain/Access.ts"
import * as Codec from "#domain/codec/Codec.ts"
import * as Credentials from "#domain/Credentials.ts"
import { Limits } from "#domain/Limits.ts"
import * as NamedSnapshot from "#domain/NamedSnapshot.ts"
import { type Operation, readOnly, refuse, reply } from "#domain/Operation.ts"
import { searchable } from "#domain/operations/Directory.ts"

const request = Codec.struct({
  directory: Codec.inode,
  /** Those of the directory's whole zone, of directories that are gone, too. */
  all: Codec.boolean
})
const replied = Codec.struct({ snapshots: Codec.array(NamedSnapshot.codec, Limits.snapshotsPerZoneMax) })

export const listSnapshots: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 13,
  name: "list-snapshots",
  request,
  reply: replied,
  routeOf: ({ directory }) => directory,
  plan: (state, context, { all, directory }) => {
    const { who } = context
    if (!all) {
      // As a name in it would be found: whoever may search the directory may know its snapshots.
      const found = searchable(state, context, directory)
      if (typeof found === "number") return refuse(found)
      return reply({ snapshots: state.snapshots.filter((snapshot) => snapshot.directory === directory) })
    }
    const isOwn = (snapshot: NamedSnapshot.NamedSnapshot): boolean => {
      const inode = state.inode(snapshot.directory)
      return Credentials.isRoot(who) || who.uid === snapshot.uid || (inode !== undefined && Access.owns(inode, who))
    }
    return reply({ snapshots: state.snapshots.filter(isOwn) })
  },
  answer: readOnly
}
