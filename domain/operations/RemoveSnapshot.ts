/**
 * Takes a snapshot's name away. The history that it showed stays for as long as the retention says.
 */
import * as Access from "#domain/Access.ts"
import * as Codec from "#domain/codec/Codec.ts"
import * as Credentials from "#domain/Credentials.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import * as NamedSnapshot from "#domain/NamedSnapshot.ts"
import { change, type Operation, refuse } from "#domain/Operation.ts"

const request = Codec.struct({
  /** The directory that it was taken of, which may be gone. */
  directory: Codec.inode,
  name: Codec.bytes(Limits.pathBytesMax)
})

export const removeSnapshot: Operation<Codec.Type<typeof request>, void> = {
  code: 56,
  name: "remove-snapshot",
  request,
  reply: Codec.nothing,
  routeOf: ({ directory }) => directory,
  plan: (state, { who }, { directory: number, name }) => {
    const snapshot = NamedSnapshot.find(state.snapshots, number, name)
    if (snapshot === undefined) return refuse(Errno.ENOENT)
    const directory = state.inode(number)
    // Of a directory that is gone, whoever took it is its owner.
    const isOwn = directory === undefined
      ? Credentials.isRoot(who) || who.uid === snapshot.uid
      : Access.owns(directory, who)
    return isOwn ? change({ _tag: "SnapshotRemoved", directory: number, name }) : refuse(Errno.EPERM)
  },
  answer: () => undefined
}
