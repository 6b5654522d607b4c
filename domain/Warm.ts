/**
 * Looks at every page that applying an event may read or change, so that one that is absent is asked for
 * (`PageFault`) while nothing has changed yet. Once this returns, `evolve` and the command's reply find all they need.
 */
import type { ByteString } from "#domain/ByteString.ts"
import type { Event } from "#domain/Event.ts"
import { PageFault } from "#domain/state/pages/Pages.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"

export const warm = (state: ZoneState, event: Event): void => {
  switch (event._tag) {
    case "InodeCreated":
    case "EntryLinked":
    case "EntryRemoved":
      warmEntry(state, event.parent, event.name)
      return warmInode(state, event.inode)
    case "EntryMoved":
      warmEntry(state, event.fromParent, event.fromName)
      warmEntry(state, event.toParent, event.toName)
      warmInode(state, event.inode)
      if (event.replaced !== 0) warmInode(state, event.replaced)
      return
    case "EntriesExchanged":
      warmEntry(state, event.parentA, event.nameA)
      warmEntry(state, event.parentB, event.nameB)
      warmInode(state, event.inodeA)
      return warmInode(state, event.inodeB)
    case "FileReleased": {
      const open = state.sessions.get(event.session)?.opens.get(event.handle)
      return open === undefined ? undefined : warmInode(state, open.inode)
    }
    case "SessionEnded":
      for (const { inode } of state.sessions.get(event.session)?.opens.values() ?? []) warmInode(state, inode)
      for (const inode of state.locked.keys()) warmInode(state, inode)
      return
    default:
      return "inode" in event ? warmInode(state, event.inode) : undefined
  }
}

/** Of the inodes of a listing so many are looked at together: neighbours have what else they have in one page. */
const NEIGHBOURS = 16

/**
 * Asks for the absent pages that a listing of so many entries is about to meet: all leaves at once, then all pages of
 * inodes, then of what else their attributes are made of. To be called once the listing has met one.
 */
export const warmListing = (
  state: ZoneState,
  directory: number,
  after: ByteString,
  entries: number,
  plus: boolean
): void => {
  askFor(state.entries.absentAhead(directory, after, entries))
  const inodes: Array<number> = []
  state.entries.walk(directory, after, (_, inode) => inodes.push(inode) < entries)
  askFor(state.table.absentOf(inodes))
  if (!plus) return
  inodes.sort((a, b) => a - b)
  askFor([...missing(inodes.filter((_, index) => index % NEIGHBOURS === 0), (inode) => state.extras.warm(inode))])
}

const askFor = ([first, ...others]: ReadonlyArray<number>): void => {
  if (first !== undefined) throw new PageFault(first, others)
}

/** The absent pages that each of these meets first; none once all is there. What fails otherwise is not told. */
export const missing = <A>(items: Iterable<A>, meet: (item: A) => void): Set<number> => {
  const pages = new Set<number>()
  for (const item of items) {
    try {
      meet(item)
    } catch (cause) {
      if (!(cause instanceof PageFault)) continue
      pages.add(cause.page)
      for (const page of cause.others) pages.add(page)
    }
  }
  return pages
}

const warmEntry = (state: ZoneState, directory: number, name: ByteString): void => {
  state.entries.warm(directory, name)
  warmInode(state, directory)
}

const warmInode = (state: ZoneState, inode: number): void => {
  state.table.warm(inode)
  state.extras.warm(inode)
}
