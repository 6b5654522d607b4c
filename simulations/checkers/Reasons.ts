/**
 * Why an operation may be refused in a state: a set of POSIX errors, one bit each. When several apply, a file system
 * may name any of them; none means that it must succeed. The order in which Linux looks is not checked here.
 */
import { Errno, type ErrnoName } from "#domain/Errno.ts"
import { isDecided, type Observation } from "#simulations/history/History.ts"

export const NONE = 0

export const Reason = {
  ENOENT: 1,
  EEXIST: 1 << 1,
  ENOTEMPTY: 1 << 2,
  ENOTDIR: 1 << 3,
  EISDIR: 1 << 4,
  EINVAL: 1 << 5,
  ESTALE: 1 << 6,
  ENAMETOOLONG: 1 << 7,
  EPERM: 1 << 8,
  ELOOP: 1 << 9,
  EBADF: 1 << 10,
  EFBIG: 1 << 11,
  ENODATA: 1 << 12,
  ERANGE: 1 << 13,
  E2BIG: 1 << 14,
  EOPNOTSUPP: 1 << 15,
  EAGAIN: 1 << 16,
  EDEADLK: 1 << 17,
  EACCES: 1 << 18
} as const satisfies { readonly [Name in ErrnoName]?: number }

const byErrno: Array<number> = []
for (const [name, bit] of Object.entries(Reason)) byErrno[Errno[name as ErrnoName]] = bit

export const includes = (reasons: number, errno: number): boolean => (reasons & (byErrno[errno] ?? NONE)) !== 0

/** Said for want of room, rights to it or time, whatever the state; nothing happened. */
const passing: ReadonlySet<number> = new Set([
  Errno.EAGAIN,
  Errno.EINTR,
  Errno.EMLINK,
  Errno.ENFILE,
  Errno.ENOSPC,
  Errno.EDQUOT,
  Errno.ENOLCK
])

/** `happens`: and its reply, if there is one, is still to be compared. */
export type Verdict = "happens" | "changes nothing" | "contradicts"

/** What the outcome of an operation means where these reasons, and no others, speak against it. */
export const verdict = (observation: Observation, reasons: number): Verdict => {
  if (!isDecided(observation)) return reasons === NONE ? "happens" : "changes nothing"
  const errno = observation.outcome?.errno ?? 0
  if (errno === 0) return reasons === NONE ? "happens" : "contradicts"
  return includes(reasons, errno) || passing.has(errno) ? "changes nothing" : "contradicts"
}
