/**
 * One name in a directory, as bytes. It is not a path and never `.` or `..`.
 */
import type { ByteString } from "#domain/ByteString.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"

export type Name = ByteString

/** The hidden directory of a directory's snapshots. Whoever resolves paths finds it; no entry has this name. */
export const SNAPSHOTS: Name = ".snapshots"

/** Why a name cannot be looked up, in the order in which Linux finds it; undefined when it can. */
export const problemOf = (name: Name): Errno | undefined => {
  if (name.length === 0) return Errno.ENOENT
  if (name.length > Limits.nameBytesMax) return Errno.ENAMETOOLONG
  if (name === "." || name === "..") return Errno.EINVAL
  for (let i = 0; i < name.length; i++) {
    const byte = name.charCodeAt(i)
    if (byte === 0x2f || byte === 0 || byte > 0xff) return Errno.EINVAL
  }
  return undefined
}
