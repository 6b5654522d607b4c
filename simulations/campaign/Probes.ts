/**
 * Rare paths that a long campaign must have reached, or its green says little. They are what the world and the
 * product's own words show; production carries none of them.
 */
const expected: ReadonlyArray<string> = [
  "client: ClusterUnreachable",
  "client: RequestRefused",
  "append fenced",
  "segment recorded",
  "archived rows removed",
  "rows read from the archive",
  "append uncertain",
  "zone recovered from a snapshot",
  "absent pages read",
  "zone recovered from rows alone"
]

/** Those that nobody reached. */
export const missing = (reached: ReadonlyMap<string, number>): ReadonlyArray<string> =>
  expected.filter((name) => !reached.has(name))
