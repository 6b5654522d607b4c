/**
 * Creates a regular file, or finds the one that is there, and may open it: open(2) with O_CREAT in one step.
 */
import * as Attributes from "#domain/Attributes.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import type { Event } from "#domain/Event.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { change, type Operation, refuse, reply } from "#domain/Operation.ts"
import * as Directory from "#domain/operations/Directory.ts"
import { eventsOfOpening, openProblem, opensFull } from "#domain/operations/Open.ts"
import { isAccess } from "#domain/Session.ts"

const request = Codec.struct({
  parent: Codec.inode,
  name: Codec.bytes(Limits.pathBytesMax),
  /** Permission bits before the umask. */
  mode: Codec.u16,
  umask: Codec.u16,
  /** Refuse with EEXIST if the name is there (O_EXCL). */
  exclusive: Codec.boolean,
  /** Cut an existing file to nothing (O_TRUNC). */
  truncate: Codec.boolean,
  /** Bits of `Session.Access` to open it with; 0 leaves it closed. */
  access: Codec.u8
})
const replied = Codec.struct({
  attributes: Attributes.codec,
  /** 0 if it was not opened. */
  handle: Codec.uint,
  created: Codec.boolean
})

export const create: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 32,
  name: "create",
  request,
  reply: replied,
  routeOf: ({ parent }) => parent,
  plan: (state, context, request) => {
    if (!isAccess(request.access)) return refuse(Errno.EINVAL)
    const place = Directory.find(state, context, request.parent, request.name)
    if (typeof place === "number") return refuse(place)
    if (place.inode !== undefined) {
      if (request.exclusive) return refuse(Errno.EEXIST)
      if (place.inode.entries !== undefined) return refuse(Errno.EISDIR)
      const problem = openProblem(state, context, place.inode, request)
      if (problem !== undefined) return refuse(problem)
      const events = eventsOfOpening(context, place.inode, request)
      if (events.length > 0) return change(...events)
      return reply({ attributes: place.inode.attributes(), handle: 0, created: false })
    }
    const problem = Directory.createProblem(state, context, place.parent, request.name)
    if (problem !== undefined) return refuse(problem)
    if (request.access !== 0 && opensFull(state, context)) return refuse(Errno.ENFILE)
    const { mode, name, umask } = request
    const events: Array<Event> = Directory.createIn(state, context, place.parent, {
      name,
      mode: Mode.S_IFREG | (mode & Mode.PERMISSIONS),
      umask,
      rdev: 0,
      target: ""
    })
    if (request.access !== 0) {
      const { request: handle, session } = context
      const inode = (events[0] as { readonly inode: number }).inode
      events.push({ _tag: "FileOpened", session, handle, inode, access: request.access })
    }
    return change(...events)
  },
  answer: (state, { events }) => {
    let inode = 0
    let handle = 0
    let created = false
    for (const event of events) {
      if (event._tag === "InodeCreated") {
        inode = event.inode
        created = true
      } else if (event._tag === "FileOpened") {
        inode = event.inode
        handle = event.handle
      } else if ("inode" in event) inode = event.inode
    }
    return { attributes: state.expect(inode).attributes(), handle, created }
  }
}
