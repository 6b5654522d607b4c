/** Names that operations on an entry must refuse, and the longest one that none may. */
import type { ErrnoName } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import { SNAPSHOTS } from "#domain/Name.ts"

export const LONGEST = "n".repeat(Limits.nameBytesMax)

export const impossible: ReadonlyArray<readonly [name: string, errno: ErrnoName]> = [
  ["", "ENOENT"],
  [`${LONGEST}n`, "ENAMETOOLONG"],
  [".", "EINVAL"],
  ["..", "EINVAL"],
  ["a/b", "EINVAL"],
  ["a\0b", "EINVAL"]
]

/** Those that no new entry may have. */
export const unmakeable: typeof impossible = [...impossible, [SNAPSHOTS, "EINVAL"]]
