/**
 * Where one file system does what POSIX does not ask for and others do not do, and the domain is right not to do
 * it either. Each is a fact about that file system's code; nothing is here because the domain is wrong.
 */
import * as Acl from "#domain/Acl.ts"
import * as Mode from "#domain/Mode.ts"
import { COLLAPSE_RANGE, INSERT_RANGE, PUNCH_HOLE } from "#domain/operations/Allocate.ts"
import type { Inode } from "#domain/state/Inode.ts"
import type { Action } from "#simulations/oracle/Step.ts"
import type { Traits } from "#simulations/oracle/Traits.ts"

const shifts = (mode: number): boolean => mode === COLLAPSE_RANGE || mode === INSERT_RANGE

/** Whether mtime and ctime may move on one side alone. */
export const confusesTimes = ({ type }: Traits, action: Action): boolean => {
  switch (action.call) {
    // Both let go of preallocated blocks when the size stays, and take that for a change; XFS does not.
    case "truncate":
      return true
    // ext4_fallocate notes the change before it finds that the range is not one to shift.
    case "fallocate":
      return type === "ext4" && shifts(action.mode)
    // ext4 leaves an attribute alone that has the value already.
    case "setxattr":
      return type === "ext4" || (isAcl(action.name) && action.value.length <= EMPTY_ACL_BYTES)
    // simple_set_acl replaces nothing by nothing; ext4 looks first.
    case "removexattr":
      return type === "tmpfs" && isAcl(action.name)
    default:
      return false
  }
}

/** A list without entries stands for none. */
export const EMPTY_ACL_BYTES = 4

const isAcl = (name: string): boolean => name === Acl.ACCESS || name === Acl.DEFAULT

/** Whether a refused fallocate takes privileges away all the same: see `confusesTimes`. */
export const leavesTraces = ({ type }: Traits, mode: number, inode: Inode): boolean =>
  type === "ext4" && shifts(mode) &&
  ((inode.mode & (Mode.S_ISUID | Mode.S_ISGID)) !== 0 || inode.xattrs?.has("security.capability") === true)

/** Whether removing an access control list takes set-group-id away, as simple_set_acl does; ext4 does not. */
export const losesSetGroupId = ({ type }: Traits, inode: Inode, xattr: string): boolean =>
  type === "tmpfs" && xattr === Acl.ACCESS && (inode.mode & Mode.S_ISGID) !== 0

/**
 * Whether preallocated blocks come into play, which SEEK_DATA takes for data or for a hole by what happened to
 * them since: on ext4 once they were read, on tmpfs once they were preallocated again.
 */
export const hidesLayout = (mode: number): boolean => (mode & PUNCH_HOLE) === 0 && !shifts(mode)
