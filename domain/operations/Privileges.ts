/**
 * Set-user-id and set-group-id bits that a change of contents or owner takes away. Not an operation.
 * Follows setattr_should_drop_suidgid and setattr_should_drop_sgid of Linux (fs/attr.c).
 */
import * as Credentials from "#domain/Credentials.ts"
import type { Event } from "#domain/Event.ts"
import * as Mode from "#domain/Mode.ts"
import type { Inode } from "#domain/state/Inode.ts"

/** What a write or truncation by this caller takes away first. */
export const privilegesLost = (inode: Inode, who: Credentials.Credentials): ReadonlyArray<Event> => {
  const events = capabilitiesLost(inode)
  if (Credentials.isRoot(who) || !Mode.isRegular(inode.mode)) return events
  const mode = withoutSetGroupId(inode, who, inode.mode & ~Mode.S_ISUID)
  if (mode === inode.mode) return events
  const kept = { uid: undefined, gid: undefined, atime: undefined, mtime: undefined }
  return [...events, { _tag: "AttributesSet", inode: inode.number, mode: mode & Mode.PERMISSIONS, ...kept }]
}

/** File capabilities go with any change of contents or owner, whoever makes it. */
export const capabilitiesLost = ({ number, xattrs }: Inode): ReadonlyArray<Event> =>
  xattrs?.has(CAPABILITY) === true ? [{ _tag: "XattrRemoved", inode: number, name: CAPABILITY }] : []

const CAPABILITY = "security.capability"

/** The mode without set-group-id, where Linux would drop it. */
export const withoutSetGroupId = (inode: Inode, who: Credentials.Credentials, mode: number): number => {
  if ((mode & Mode.S_ISGID) === 0) return mode
  const executable = (mode & Mode.S_IXGRP) !== 0
  return executable || !keepsSetGroupId(inode.gid, who) ? mode & ~Mode.S_ISGID : mode
}

/** Whether the caller may keep set-group-id for this group. */
export const keepsSetGroupId = (gid: number, who: Credentials.Credentials): boolean =>
  Credentials.isRoot(who) || Credentials.inGroup(who, gid)
