/**
 * One journal over several: each keeps every so manieth zone. Which is which must never change; the clusters' records
 * see to that (`ClusterRecord`).
 */
import type { JournalService } from "#persistence/Journal.ts"

/** The place of a zone's journal among so many. */
export const placeOf = (zone: number, journals: number): number => zone % journals

export const make = (journals: ReadonlyArray<JournalService>): JournalService => {
  const of = (zone: number): JournalService => journals[placeOf(zone, journals.length)] as JournalService
  return {
    claim: (zone, owner) => of(zone).claim(zone, owner),
    append: (row) => of(row.zone).append(row),
    read: (zone, ...rest) => of(zone).read(zone, ...rest),
    head: (zone) => of(zone).head(zone),
    sequenceAt: (zone, ...rest) => of(zone).sequenceAt(zone, ...rest),
    snapshots: (zone) => of(zone).snapshots(zone),
    addSnapshot: (record) => of(record.zone).addSnapshot(record),
    removeSnapshot: (zone, sequence) => of(zone).removeSnapshot(zone, sequence),
    segmentAt: (zone, sequence) => of(zone).segmentAt(zone, sequence),
    segmentAtTime: (zone, ...rest) => of(zone).segmentAtTime(zone, ...rest),
    addSegment: (record) => of(record.zone).addSegment(record),
    measure: (zone, ...rest) => of(zone).measure(zone, ...rest),
    removeArchived: (zone, ...rest) => of(zone).removeArchived(zone, ...rest)
  }
}
