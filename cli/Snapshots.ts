/** What commands say of snapshots. */
import { text } from "#cli/Output.ts"
import type { NamedSnapshot } from "#domain/NamedSnapshot.ts"
import * as Timestamp from "#domain/Timestamp.ts"

/** A snapshot with the names that `--json` promises. */
export const snapshotJson = (
  { directory, name, path, sequence, time, uid }: NamedSnapshot
): { readonly [name: string]: unknown } => ({
  name: text(name),
  path: text(path),
  directory,
  time: Timestamp.format(time),
  uid,
  sequence
})
