/**
 * The first steps that operations on a directory share: find it, search it, find the entry.
 * It is not an operation.
 */
import * as Access from "#domain/Access.ts"
import * as Acl from "#domain/Acl.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as Credentials from "#domain/Credentials.ts"
import { Errno } from "#domain/Errno.ts"
import type * as Event from "#domain/Event.ts"
import type { InodeNumber } from "#domain/InodeNumber.ts"
import * as InodeNumbers from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import * as Name from "#domain/Name.ts"
import type { Context } from "#domain/Operation.ts"
import type { Inode } from "#domain/state/Inode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"

/** A directory that the caller may search, or why not. */
export const searchable = (state: ZoneState, context: Context, directory: InodeNumber): Inode | Errno => {
  const inode = state.inode(directory)
  if (inode === undefined) return Errno.ESTALE
  if (inode.entries === undefined) return Errno.ENOTDIR
  return Access.permits(inode, context.who, Access.EXECUTE) ? inode : Errno.EACCES
}

/** Where a name stands or would stand: its directory, and its inode if there is one. */
export interface Place {
  readonly parent: Inode
  readonly inode: Inode | undefined
}

export const find = (state: ZoneState, context: Context, directory: InodeNumber, name: Name.Name): Place | Errno => {
  const parent = searchable(state, context, directory)
  if (typeof parent === "number") return parent
  const problem = Name.problemOf(name)
  if (problem !== undefined) return problem
  const number = parent.entries?.get(name)
  return { parent, inode: number === undefined ? undefined : state.expect(number) }
}

/** An entry that is there, or why not. */
export const findExisting = (
  state: ZoneState,
  context: Context,
  directory: InodeNumber,
  name: Name.Name
): { readonly parent: Inode; readonly inode: Inode } | Errno => {
  const place = find(state, context, directory, name)
  if (typeof place === "number") return place
  return place.inode === undefined ? Errno.ENOENT : { parent: place.parent, inode: place.inode }
}

/** A directory in which the caller may create the name, which is free, or why not. */
export const findFree = (
  state: ZoneState,
  context: Context,
  directory: InodeNumber,
  name: Name.Name
): Inode | Errno => {
  const place = find(state, context, directory, name)
  if (typeof place === "number") return place
  if (place.inode !== undefined) return Errno.EEXIST
  return createProblem(state, context, place.parent, name) ?? place.parent
}

/** Why no new inode may come into the directory under the name. */
export const createProblem = (
  state: ZoneState,
  context: Context,
  parent: Inode,
  name: Name.Name
): Errno | undefined =>
  entryProblem(context, parent, name) ?? (state.nextInode > Limits.localNumberMax ? Errno.ENOSPC : undefined)

/** Why the name, which is free, may not come into the directory. */
export const entryProblem = (context: Context, parent: Inode, name: Name.Name): Errno | undefined =>
  name === Name.SNAPSHOTS ? Errno.EINVAL : Access.createProblem(parent, context.who)

/** What a new inode shall be, before its directory has a say. */
export interface NewInode {
  readonly name: Name.Name
  /** Type and permission bits as asked for. */
  readonly mode: number
  readonly umask: number
  readonly rdev: number
  readonly target: ByteString
}

/**
 * The events that make a new inode in `parent`: group and set-group-id from a set-group-id directory,
 * permissions by the umask or by the directory's default access control list.
 */
export const createIn = (state: ZoneState, context: Context, parent: Inode, wanted: NewInode): Array<Event.Event> => {
  const { who } = context
  const isDirectory = Mode.isDirectory(wanted.mode)
  const inode = InodeNumbers.make(state.zone, state.nextInode)
  let mode = wanted.mode
  let gid = who.gid
  if ((parent.mode & Mode.S_ISGID) !== 0) {
    gid = parent.gid
    if (isDirectory) mode |= Mode.S_ISGID
    else if ((mode & (Mode.S_ISGID | Mode.S_IXGRP)) === (Mode.S_ISGID | Mode.S_IXGRP)) {
      if (!Credentials.isRoot(who) && !Credentials.inGroup(who, gid)) mode &= ~Mode.S_ISGID
    }
  }
  const events: Array<Event.Event> = []
  const setAcl = (name: ByteString, acl: Acl.Acl): void => {
    events.push({ _tag: "XattrSet", inode, name, value: Acl.format(acl) })
  }
  const stored = Mode.isSymlink(mode) ? undefined : parent.xattr(Acl.DEFAULT)
  const defaults = stored === undefined ? undefined : Acl.parse(stored)
  if (defaults === undefined) {
    if (!Mode.isSymlink(mode)) mode &= ~(wanted.umask & Mode.RWX)
  } else {
    const inherited = Acl.inherit(defaults, mode)
    mode = inherited.mode
    if (inherited.access !== undefined) setAcl(Acl.ACCESS, inherited.access)
    if (isDirectory) setAcl(Acl.DEFAULT, defaults)
  }
  const { name, rdev, target } = wanted
  return [
    { _tag: "InodeCreated", parent: parent.number, name, inode, mode, uid: who.uid, gid, rdev, target },
    ...events
  ]
}
