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

/** The first absent page that each of these meets; none once all is there. What fails otherwise is not told. */
export const missing = <A>(items: Iterable<A>, meet: (item: A) => void): Set<number> => {
  const pages = new Set<number>()
  for (const item of items) {
    try {
      meet(item)
    } catch (cause) {
      if (cause instanceof PageFault) pages.add(cause.page)
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
