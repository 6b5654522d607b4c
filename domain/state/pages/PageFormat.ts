/**
 * How many bytes of its slot a page uses, by its kind: what a snapshot has to keep of it.
 */
import * as EntryBranches from "#domain/state/pages/EntryBranches.ts"
import * as EntryLeaf from "#domain/state/pages/EntryLeaf.ts"
import * as InodePage from "#domain/state/pages/InodePage.ts"
import * as PageOrder from "#domain/state/pages/PageOrder.ts"
import { PageKind } from "#domain/state/pages/Pages.ts"
import * as RangeIndex from "#domain/state/pages/RangeIndex.ts"
import * as RecordPages from "#domain/state/pages/RecordPages.ts"

/** Bytes of a page that is not unpacked; 0 for a kind that there is not. */
export const lengthOf = (kind: number, bytes: Uint8Array, at: number): number => {
  switch (kind) {
    case PageKind.entryLeaf:
      return EntryLeaf.lengthOf(bytes, at)
    case PageKind.entryBranch:
      return EntryBranches.lengthOf(bytes, at)
    case PageKind.inodes:
      return InodePage.storedLengthOf(bytes, at)
    case PageKind.inodeRanges:
      return RangeIndex.lengthOf(bytes, at)
    case PageKind.extents:
    case PageKind.texts:
      return RecordPages.lengthOf(bytes, at)
    case PageKind.recordOrder:
      return PageOrder.lengthOf(bytes, at)
    default:
      return 0
  }
}
