/**
 * Gives the present of a directory, and of all below it, a name. One event, however much is below: the history
 * holds the rest.
 */
import * as Access from "#domain/Access.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import * as Name from "#domain/Name.ts"
import * as NamedSnapshot from "#domain/NamedSnapshot.ts"
import { change, type Operation, refuse } from "#domain/Operation.ts"

const request = Codec.struct({
  directory: Codec.inode,
  name: Codec.bytes(Limits.pathBytesMax),
  /** Where the directory stands, as the caller knows it; for people. */
  path: Codec.bytes(Limits.pathBytesMax)
})
const replied = Codec.struct({ snapshot: NamedSnapshot.codec })

export const takeSnapshot: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 55,
  name: "take-snapshot",
  request,
  reply: replied,
  routeOf: ({ directory }) => directory,
  plan: (state, { who }, { directory: number, name, path }) => {
    const directory = state.inode(number)
    if (directory === undefined) return refuse(Errno.ESTALE)
    if (directory.entries === undefined) return refuse(Errno.ENOTDIR)
    if (directory.nlink === 0) return refuse(Errno.ENOENT)
    const problem = Name.problemOf(name)
    if (problem !== undefined) return refuse(problem)
    if (!Access.owns(directory, who)) return refuse(Errno.EPERM)
    if (NamedSnapshot.find(state.snapshots, number, name) !== undefined) return refuse(Errno.EEXIST)
    if (state.snapshots.length >= Limits.snapshotsPerZoneMax) return refuse(Errno.ENOSPC)
    return change({ _tag: "SnapshotTaken", directory: number, name, uid: who.uid, path })
  },
  answer: (state, { events }) => {
    const taken = events.find((event) => event._tag === "SnapshotTaken")
    const snapshot = taken && NamedSnapshot.find(state.snapshots, taken.directory, taken.name)
    if (snapshot === undefined) throw new Error("take-snapshot: no SnapshotTaken among its events")
    return { snapshot }
  }
}
