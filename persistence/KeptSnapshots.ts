/**
 * Which of a zone's snapshots are kept, so that the past is near one: the newest, from which the zone comes back; for
 * each point that has a name the last one at or before it; of all others a ladder, the further apart the older. It
 * reads and removes nothing. A snapshot that goes costs whoever looks at what it served a longer replay, never more.
 */
import { NEWEST_SNAPSHOTS } from "#persistence/Journal.ts"

/** Snapshots that are kept for points with a name, and of all others. */
const NAMED_MAX = 48
const LADDER_MAX = 14
/** Snapshots of one zone. */
export const KEPT_MAX = NEWEST_SNAPSHOTS + NAMED_MAX + LADDER_MAX

/** Of snapshots at these events, the newest first, those to keep. `named` are the events of points with a name. */
export const keptOf = (sequences: ReadonlyArray<number>, named: Iterable<number>): ReadonlySet<number> => {
  const newest = sequences.slice(0, NEWEST_SNAPSHOTS)
  const pinned = new Set<number>()
  for (const point of named) {
    const last = sequences.find((sequence) => sequence <= point)
    if (last !== undefined && !newest.includes(last)) pinned.add(last)
  }
  const older = sequences.slice(NEWEST_SNAPSHOTS)
  const forNames = thinned(older.filter((sequence) => pinned.has(sequence)), NAMED_MAX, () => 1)
  // Of a moment twice as old, twice as long a replay is as good.
  const head = sequences[0] ?? 0
  const ladder = thinned(older.filter((sequence) => !pinned.has(sequence)), LADDER_MAX, (sequence) => head - sequence)
  return new Set([...newest, ...forNames, ...ladder])
}

/** Takes out one after the other whose moments are replayed from the one before it at the least cost for its scale. */
const thinned = (
  sequences: ReadonlyArray<number>,
  most: number,
  scale: (sequence: number) => number
): ReadonlyArray<number> => {
  const kept = [...sequences]
  while (kept.length > most) {
    let least = 0
    let cost = Infinity
    for (const [index, sequence] of kept.entries()) {
      const longer = (sequence - (kept[index + 1] ?? 0)) / scale(sequence)
      if (longer < cost) {
        cost = longer
        least = index
      }
    }
    kept.splice(least, 1)
  }
  return kept
}
