/**
 * Changes mode, owner, size or times, together or one at a time: chmod, chown, truncate, utimensat.
 * Follows notify_change, setattr_prepare and setattr_copy of Linux (fs/attr.c).
 */
import * as Access from "#domain/Access.ts"
import * as Acl from "#domain/Acl.ts"
import * as Attributes from "#domain/Attributes.ts"
import * as Codec from "#domain/codec/Codec.ts"
import * as Credentials from "#domain/Credentials.ts"
import { Errno } from "#domain/Errno.ts"
import type { Event } from "#domain/Event.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { change, type Context, type Operation, refuse, reply } from "#domain/Operation.ts"
import * as Privileges from "#domain/operations/Privileges.ts"
import { Access as Use } from "#domain/Session.ts"
import type { Inode } from "#domain/state/Inode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import * as Timestamp from "#domain/Timestamp.ts"

/** A time to set: the moment of the change, or a given one. */
const moment = Codec.struct({ now: Codec.boolean, time: Codec.timestamp })

const request = Codec.struct({
  inode: Codec.inode,
  /** A handle that this session opened the file with, for a size without a check (ftruncate); else 0. */
  handle: Codec.uint,
  /** Permission bits. */
  mode: Codec.optional(Codec.u16),
  uid: Codec.optional(Codec.u32),
  gid: Codec.optional(Codec.u32),
  size: Codec.optional(Codec.uint),
  atime: Codec.optional(moment),
  mtime: Codec.optional(moment)
})
type Request = Codec.Type<typeof request>
const replied = Codec.struct({ attributes: Attributes.codec })

export const setAttributes: Operation<Request, Codec.Type<typeof replied>> = {
  code: 40,
  name: "setattr",
  request,
  reply: replied,
  routeOf: ({ inode }) => inode,
  plan: (state, context, request) => {
    const inode = state.inode(request.inode)
    if (inode === undefined) return refuse(Errno.ESTALE)
    const problem = sizeProblem(state, context, inode, request) ?? ownerProblem(context, inode, request) ??
      timesProblem(context, inode, request)
    if (problem !== undefined) return refuse(problem)
    const events = [...sizeEvents(context, inode, request), ...attributeEvents(context, inode, request)]
    return events.length === 0 ? reply({ attributes: inode.attributes() }) : change(...events)
  },
  answer: (state, { events }) => {
    const [event] = events
    if (event === undefined || !("inode" in event)) throw new Error("setattr: no event of an inode")
    return { attributes: state.expect(event.inode).attributes() }
  }
}

const sizeProblem = (state: ZoneState, context: Context, inode: Inode, request: Request): Errno | undefined => {
  if (request.size === undefined) return undefined
  if (request.handle === 0) {
    if (inode.entries !== undefined) return Errno.EISDIR
    if (!Mode.isRegular(inode.mode)) return Errno.EINVAL
    if (!Access.permits(inode, context.who, Access.WRITE)) return Errno.EACCES
  } else {
    const open = state.sessions.get(context.session)?.opens.get(request.handle)
    if (open?.inode !== inode.number) return Errno.EBADF
    if (!Mode.isRegular(inode.mode) || (open.access & Use.write) === 0) return Errno.EINVAL
  }
  return request.size > Limits.fileBytesMax ? Errno.EFBIG : undefined
}

const ownerProblem = ({ who }: Context, inode: Inode, { gid, mode, uid }: Request): Errno | undefined => {
  if (Credentials.isRoot(who)) return mode !== undefined && Mode.isSymlink(inode.mode) ? Errno.EOPNOTSUPP : undefined
  if (uid !== undefined && !(who.uid === inode.uid && uid === inode.uid)) return Errno.EPERM
  const mayGive = gid === inode.gid || (gid !== undefined && Credentials.inGroup(who, gid))
  if (gid !== undefined && !(who.uid === inode.uid && mayGive)) return Errno.EPERM
  if (mode === undefined) return undefined
  if (Mode.isSymlink(inode.mode)) return Errno.EOPNOTSUPP
  return Access.owns(inode, who) ? undefined : Errno.EPERM
}

const timesProblem = ({ who }: Context, inode: Inode, { atime, mtime }: Request): Errno | undefined => {
  if ((atime === undefined && mtime === undefined) || Access.owns(inode, who)) return undefined
  const touch = atime?.now === true && mtime?.now === true
  if (!touch) return Errno.EPERM
  return Access.permits(inode, who, Access.WRITE) ? undefined : Errno.EACCES
}

/** truncate(2) to the size that the file has takes its privileges alone; ftruncate(2) still moves its times. */
const sizeEvents = (context: Context, inode: Inode, { handle, size }: Request): ReadonlyArray<Event> => {
  if (size === undefined) return []
  const lost = Privileges.privilegesLost(inode, context.who)
  return size === inode.size && handle === 0 ? lost : [...lost, { _tag: "SizeSet", inode: inode.number, size }]
}

const attributeEvents = ({ time, who }: Context, inode: Inode, request: Request): ReadonlyArray<Event> => {
  const { atime, gid, mtime, uid } = request
  const owner = uid !== undefined || gid !== undefined
  if (!owner && request.mode === undefined && atime === undefined && mtime === undefined) return []
  const events: Array<Event> = []
  let mode = inode.mode
  if (owner && inode.entries === undefined) {
    mode = Privileges.withoutSetGroupId(inode, who, mode & ~Mode.S_ISUID)
    events.push(...Privileges.capabilitiesLost(inode))
  }
  if (request.mode !== undefined) {
    mode = request.mode & Mode.PERMISSIONS
    if (!Privileges.keepsSetGroupId(gid ?? inode.gid, who)) mode &= ~Mode.S_ISGID
    events.push(...aclEvents(inode, mode))
  }
  mode &= Mode.PERMISSIONS
  events.push({
    _tag: "AttributesSet",
    inode: inode.number,
    mode: mode === (inode.mode & Mode.PERMISSIONS) ? undefined : mode,
    uid: uid === inode.uid ? undefined : uid,
    gid: gid === inode.gid ? undefined : gid,
    atime: chosen(atime, time),
    mtime: chosen(mtime, time)
  })
  return events
}

const chosen = (moment: Request["atime"], now: Timestamp.Timestamp): Timestamp.Timestamp | undefined =>
  moment === undefined ? undefined : moment.now ? now : Timestamp.clamp(moment.time)

/** An access control list shows the new mode. */
const aclEvents = (inode: Inode, mode: number): ReadonlyArray<Event> => {
  const value = inode.xattr(Acl.ACCESS)
  const acl = value === undefined ? undefined : Acl.parse(value)
  if (acl === undefined) return []
  return [{
    _tag: "XattrSet",
    inode: inode.number,
    name: Acl.ACCESS,
    value: Acl.format(Acl.withMode(acl, mode))
  }]
}
