/**
 * Opens an inode: checks the rights once, and keeps the inode alive until it is released, names or not.
 */
import * as Access from "#domain/Access.ts"
import * as Attributes from "#domain/Attributes.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import type { Event } from "#domain/Event.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { change, type Context, type Operation, refuse } from "#domain/Operation.ts"
import { privilegesLost } from "#domain/operations/Privileges.ts"
import { Access as Use, isAccess } from "#domain/Session.ts"
import type { Inode } from "#domain/state/Inode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"

const request = Codec.struct({
  inode: Codec.inode,
  /** Bits of `Session.Access`. */
  access: Codec.u8,
  /** Cut the file to nothing (O_TRUNC). */
  truncate: Codec.boolean
})
const replied = Codec.struct({ attributes: Attributes.codec, handle: Codec.uint })

export const open: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 41,
  name: "open",
  request,
  reply: replied,
  routeOf: ({ inode }) => inode,
  plan: (state, context, request) => {
    const inode = state.inode(request.inode)
    if (inode === undefined) return refuse(Errno.ESTALE)
    if (request.access === 0 || !isAccess(request.access)) return refuse(Errno.EINVAL)
    const problem = openProblem(state, context, inode, request)
    return problem === undefined ? change(...eventsOfOpening(context, inode, request)) : refuse(problem)
  },
  answer: (state, { events }) => {
    const opened = events.find((event) => event._tag === "FileOpened")
    if (opened === undefined) throw new Error("open: no FileOpened among its events")
    return { attributes: state.expect(opened.inode).attributes(), handle: opened.handle }
  }
}

interface Opening {
  readonly access: number
  readonly truncate: boolean
}

/** Why the inode may not be opened so, in the order of may_open of Linux. */
export const openProblem = (
  state: ZoneState,
  context: Context,
  inode: Inode,
  { access, truncate }: Opening
): Errno | undefined => {
  const writes = (access & Use.write) !== 0 || truncate
  if (Mode.isSymlink(inode.mode)) return Errno.ELOOP
  if (inode.entries !== undefined && writes) return Errno.EISDIR
  const wanted = ((access & Use.read) !== 0 ? Access.READ : 0) | (writes ? Access.WRITE : 0)
  if (!Access.permits(inode, context.who, wanted)) return Errno.EACCES
  return access !== 0 && opensFull(state, context) ? Errno.ENFILE : undefined
}

/** Whether the session holds as many files open as it may. */
export const opensFull = (state: ZoneState, { session }: Context): boolean =>
  (state.sessions.get(session)?.opens.size ?? 0) >= Limits.opensPerSessionMax

export const eventsOfOpening = (context: Context, inode: Inode, { access, truncate }: Opening): Array<Event> => {
  const { request: handle, session } = context
  const events: Array<Event> = []
  if (truncate && Mode.isRegular(inode.mode)) {
    events.push(...privilegesLost(inode, context.who))
    events.push({ _tag: "SizeSet", inode: inode.number, size: 0 })
  }
  if (access !== 0) events.push({ _tag: "FileOpened", session, handle, inode: inode.number, access })
  return events
}
