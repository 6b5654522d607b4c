/**
 * Lists a directory in byte order of names, a page at a time. The cookie is the last name of the page
 * before: whatever was created, removed or moved meanwhile, each name that stayed is listed once.
 */
import * as Access from "#domain/Access.ts"
import * as Attributes from "#domain/Attributes.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import type { Name } from "#domain/Name.ts"
import { type Operation, readOnly, refuse, reply } from "#domain/Operation.ts"
import type { Inode } from "#domain/state/Inode.ts"
import { PageFault } from "#domain/state/pages/Pages.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import { warmListing } from "#domain/Warm.ts"

const request = Codec.struct({
  inode: Codec.inode,
  /** A handle that this session opened the directory with; 0 to be checked for read permission instead. */
  handle: Codec.uint,
  /** Names strictly after this one; empty for the first page. */
  after: Codec.bytes(Limits.nameBytesMax),
  /** Entries wanted at most. */
  count: Codec.uint,
  /** Whether to give each entry's attributes (readdirplus). */
  plus: Codec.boolean
})
const entry = Codec.struct({
  name: Codec.bytes(Limits.nameBytesMax),
  inode: Codec.inode,
  /** As in `d_type`: directory 4, regular file 8, symbolic link 10. */
  type: Codec.u8,
  attributes: Codec.optional(Attributes.codec)
})
const replied = Codec.struct({
  parent: Codec.inode,
  entries: Codec.array(entry, Limits.listingEntriesMax),
  /** Whether nothing follows this page. */
  end: Codec.boolean
})

export const readDirectory: Operation<Codec.Type<typeof request>, Codec.Type<typeof replied>> = {
  code: 5,
  name: "readdir",
  request,
  reply: replied,
  routeOf: ({ inode }) => inode,
  plan: (state, context, request) => {
    const directory = state.inode(request.inode)
    if (directory === undefined) return refuse(Errno.ESTALE)
    if (directory.entries === undefined) return refuse(Errno.ENOTDIR)
    const open = state.sessions.get(context.session)?.opens.get(request.handle)
    if (open?.inode !== directory.number && !Access.permits(directory, context.who, Access.READ)) {
      return refuse(Errno.EACCES)
    }
    const countMax = Math.min(request.count, request.plus ? Limits.listingPlusMax : Limits.listingEntriesMax)
    try {
      return reply(listed(state, directory, request, countMax))
    } catch (cause) {
      if (cause instanceof PageFault) warmListing(state, request.inode, request.after, countMax, request.plus)
      throw cause
    }
  },
  answer: readOnly
}

const ENTRY_BYTES = 12
const PLUS_BYTES = 80

const listed = (
  state: ZoneState,
  { entries: all, parent }: Inode,
  { after, plus }: Codec.Type<typeof request>,
  countMax: number
): Codec.Type<typeof replied> => {
  const entries: Array<Codec.Type<typeof entry>> = []
  let bytes = 0
  let end = true
  all?.walk(after, (name: Name, number) => {
    if (entries.length >= countMax || bytes > Limits.listingBytesMax) {
      end = false
      return false
    }
    const inode = state.expect(number)
    bytes += name.length + (plus ? PLUS_BYTES : ENTRY_BYTES)
    const attributes = plus ? inode.attributes() : undefined
    entries.push({ name, inode: number, type: Mode.direntType(inode.mode), attributes })
    return true
  })
  return { parent, entries, end }
}
