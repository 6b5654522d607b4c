/**
 * A directory with all below it at one point of its zone's history, by a name. It holds no data: whoever reads it
 * reads the history at its sequence.
 */
import * as Codec from "#domain/codec/Codec.ts"
import type { InodeNumber } from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import type { Name } from "#domain/Name.ts"

export const codec = Codec.struct({
  directory: Codec.inode,
  name: Codec.bytes(Limits.nameBytesMax),
  /** The event that took it: the zone right after that event is what it shows. */
  sequence: Codec.uint,
  time: Codec.timestamp,
  /** Who took it. */
  uid: Codec.uint,
  /** Where the directory stood, as its client told; for people. */
  path: Codec.bytes(Limits.pathBytesMax)
})

export type NamedSnapshot = Codec.Type<typeof codec>

export const find = (
  snapshots: ReadonlyArray<NamedSnapshot>,
  directory: InodeNumber,
  name: Name
): NamedSnapshot | undefined => snapshots.find((snapshot) => snapshot.directory === directory && snapshot.name === name)
