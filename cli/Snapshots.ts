/** What commands say of snapshots. */
import type { SnapshotCost } from "#audit/HistoryCost.ts"
import { text } from "#cli/Output.ts"
import { join } from "#client/FileSystem.ts"
import { SNAPSHOTS } from "#domain/Name.ts"
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

/** What is in a snapshot, and the bytes that go with it alone, with the names that `--json` promises. */
export const contentsJson = (
  { bytes, cost, files }: SnapshotCost
): { readonly [name: string]: unknown } => ({ files, bytes, cost })

/** Where a snapshot is, as far as its directory is still where it was. */
export const snapshotPath = ({ name, path }: NamedSnapshot): string => text(join(join(path, SNAPSHOTS), name))
