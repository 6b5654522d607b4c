/** Events with the fields that a test does not speak of filled in. */
import type * as Event from "#domain/Event.ts"
import type { Lock } from "#domain/Locks.ts"
import * as Locks from "#domain/Locks.ts"
import type { Actor } from "#domain/testing/Actors.ts"

/** Attributes of the inode change; what is not named stays. */
export const attributesSet = (
  inode: number,
  changed: Partial<Omit<Event.AttributesSet, "_tag" | "inode">>
): Event.AttributesSet => ({
  _tag: "AttributesSet",
  inode,
  mode: undefined,
  uid: undefined,
  gid: undefined,
  atime: undefined,
  mtime: undefined,
  ...changed
})

export const created = (
  place: { readonly parent: number; readonly name: string },
  inode: number,
  mode: number,
  { who }: Actor,
  fields: Partial<Pick<Event.InodeCreated, "gid" | "rdev" | "target">> = {}
): Event.InodeCreated => ({
  _tag: "InodeCreated",
  ...place,
  inode,
  mode,
  uid: who.uid,
  gid: who.gid,
  rdev: 0,
  target: "",
  ...fields
})

/** A lock as `Steps.lockOf` asks for it. */
export const lockBy = (actor: Actor, range: Partial<Lock> = {}): Lock => ({
  family: "posix",
  type: "write",
  session: actor.session,
  owner: 7,
  pid: actor.who.uid,
  start: 0,
  end: Locks.END,
  ...range
})
