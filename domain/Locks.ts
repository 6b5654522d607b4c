/**
 * Advisory locks of one inode: byte ranges (fcntl) and whole files (flock), held and awaited.
 * Pure list arithmetic; who may ask, and when a waiter is granted, is decided by the operations.
 */

/** `posix`: fcntl ranges, one owner's ranges merge and split. `flock`: the whole file, one lock an owner. */
export type LockFamily = "posix" | "flock"
export type LockType = "read" | "write"

export interface Lock {
  readonly family: LockFamily
  readonly type: LockType
  readonly session: number
  /** Within the session: an open-file table for fcntl, an open file for flock. */
  readonly owner: number
  /** Process to report to F_GETLK. */
  readonly pid: number
  /** First byte. */
  readonly start: number
  /** Last byte, inclusive; `END` for "to the end, wherever it comes to be". */
  readonly end: number
}

export interface Waiter extends Lock {
  /** The request that waits; unique in its session. */
  readonly request: number
}

export const END = Number.MAX_SAFE_INTEGER

export const sameOwner = (a: Lock, b: Lock): boolean =>
  a.family === b.family && a.session === b.session && a.owner === b.owner

export const overlaps = (a: Lock, b: Lock): boolean => a.start <= b.end && b.start <= a.end

export const conflicts = (held: Lock, wanted: Lock): boolean =>
  held.family === wanted.family && !sameOwner(held, wanted) && overlaps(held, wanted) &&
  (held.type === "write" || wanted.type === "write")

export const firstConflict = (locks: ReadonlyArray<Lock>, wanted: Lock): Lock | undefined =>
  locks.find((held) => conflicts(held, wanted))

/** The locks once `wanted` is held: it replaces what its owner had in that range. */
export const add = (locks: ReadonlyArray<Lock>, wanted: Lock): ReadonlyArray<Lock> => {
  const out: Array<Lock> = []
  let merged = wanted
  for (const lock of remove(locks, wanted)) {
    const touches = lock.end + 1 >= merged.start && merged.end + 1 >= lock.start
    if (sameOwner(lock, merged) && lock.type === merged.type && touches) {
      merged = { ...merged, start: Math.min(lock.start, merged.start), end: Math.max(lock.end, merged.end) }
    } else out.push(lock)
  }
  out.push(merged)
  return out
}

/** The locks without what `range`'s owner held in its range; a lock cut in the middle becomes two. */
export const remove = (locks: ReadonlyArray<Lock>, range: Lock): ReadonlyArray<Lock> => {
  const out: Array<Lock> = []
  for (const lock of locks) {
    if (!sameOwner(lock, range) || !overlaps(lock, range)) {
      out.push(lock)
      continue
    }
    if (lock.start < range.start) out.push({ ...lock, end: range.start - 1 })
    if (lock.end > range.end) out.push({ ...lock, start: range.end + 1 })
  }
  return out
}

/**
 * Those of the waiters, first come first served, that nothing held keeps waiting any more. A grant may turn what
 * its owner held to write into a lock to read, which may free one that came before it: hence the rounds.
 */
export const grantable = (held: ReadonlyArray<Lock>, waiters: ReadonlyArray<Waiter>): ReadonlyArray<Waiter> => {
  const granted: Array<Waiter> = []
  let locks = held
  let left = waiters
  for (let before = -1; before < granted.length;) {
    before = granted.length
    const kept: Array<Waiter> = []
    for (const waiter of left) {
      if (firstConflict(locks, waiter) !== undefined) {
        kept.push(waiter)
        continue
      }
      granted.push(waiter)
      locks = add(locks, waiter)
    }
    left = kept
  }
  return granted
}
