/** Planted bugs of the archive: what is recorded, what may leave, and how it is read again. */
import type { Mutant } from "#simulations/mutants/Mutant.ts"

const archive = "persistence/Archive.ts"
const archivedJournal = "persistence/ArchivedJournal.ts"
const statements = "simulations/world/PostgresWrites.ts"
const scenario = "archive"

export const archiving: ReadonlyArray<Mutant> = [
  {
    name: "segment-removed-with-its-copies",
    about: "A segment that is recorded is removed with those that begin where it does.",
    file: "persistence/Archive.ts",
    find: "      Stream.filter(({ key }) => key !== own),\n",
    replace: "",
    scenario: "archive"
  },
  {
    name: "segment-recorded-before-it-is-stored",
    about: "A segment is recorded before its object is put: a crash in between leaves rows that may leave for nowhere.",
    file: archive,
    find: "    yield* store.put(keyOf(record), bytes)\n",
    replace: "    if (yield* journal.addSegment(record)) yield* store.put(keyOf(record), bytes)\n",
    scenario
  },
  {
    name: "segment-recorded-though-it-is-not-stored",
    about: "A store that is full or away counts as one that has taken the segment, and nobody reads it back.",
    file: archive,
    find: "    yield* store.put(keyOf(record), bytes)\n    const stored = yield* load(record)\n",
    replace: "    yield* Effect.ignore(store.put(keyOf(record), bytes))\n    const stored = rows\n",
    scenario
  },
  {
    name: "rows-removed-before-the-segment-is-recorded",
    about: "Rows leave because they are old and there is a snapshot behind them, archived or not.",
    file: statements,
    find: "  if (segment === undefined) return []\n",
    replace:
      "  if (segment === undefined) return rows.filter((row) => row.last < Math.min(...tables.snapshot(zone).keys()))\n",
    scenario
  },
  {
    name: "last-row-removed",
    about: "Rows leave with their segment, snapshot or not, and the zone's last one with them.",
    file: statements,
    find: "    newest.length > 0 && last <= Math.min(...newest) &&\n" +
      "    last < (rows.at(-1)?.first ?? 0)\n",
    replace: "    last <= (rows.at(-1)?.last ?? 0)\n",
    scenario
  },
  {
    name: "reader-takes-a-gap-for-the-end",
    about: "Whoever reads where rows have left is told that the journal ends there.",
    file: archivedJournal,
    find: "page.length > 0 ? Effect.succeed(page) : beyond(",
    replace: "page.length >= 0 ? Effect.succeed(page) : beyond(",
    scenario
  },
  {
    name: "reader-skips-the-end-of-a-segment",
    about: "The last row of a segment is not shown when the page before ended with the one before it.",
    file: archivedJournal,
    find: "if (first?.zone === zone && first.first <= sequence && sequence <= (rows.at(-1)?.last ?? 0)) return rows",
    replace: "if (first?.zone === zone && first.first <= sequence && sequence <= (rows.at(-1)?.last ?? 0)) " +
      "return rows.slice(0, -1)",
    scenario: "archived"
  },
  {
    name: "reader-mixes-zones",
    about: "A page of an archived segment is shown to whoever reads the same events of another zone.",
    file: archivedJournal,
    find: "first?.zone === zone && first.first",
    replace: "first !== undefined && first.first",
    scenario: "archived"
  },
  {
    name: "reader-skips-what-it-cannot-read",
    about: "A segment that the store does not give just now is passed over as if nothing were there.",
    file: archivedJournal,
    find: "return pageOf(yield* load(record), sequence, rowsMax, bytesMax)",
    replace: "return pageOf(yield* Effect.orElseSucceed(load(record), () => []), sequence, rowsMax, bytesMax)",
    scenario
  }
]
