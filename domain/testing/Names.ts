/** Names that every operation on an entry must refuse, and the longest one that none may. */
import type { ErrnoName } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"

export const LONGEST = "n".repeat(Limits.nameBytesMax)

export const impossible: ReadonlyArray<readonly [name: string, errno: ErrnoName]> = [
  ["", "ENOENT"],
  [`${LONGEST}n`, "ENAMETOOLONG"],
  [".", "EINVAL"],
  ["..", "EINVAL"],
  ["a/b", "EINVAL"],
  ["a\0b", "EINVAL"]
]
