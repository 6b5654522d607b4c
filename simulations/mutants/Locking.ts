/** Planted bugs of advisory locks: ranges, owners, waiters. */
import type { Mutant } from "#simulations/mutants/Mutant.ts"

const locks = "domain/Locks.ts"
const lock = "domain/operations/Lock.ts"
const scenario = "lockers"

export const locking: ReadonlyArray<Mutant> = [
  {
    name: "ranges-meet-unseen",
    about: "Ranges that share just their last and first byte do not overlap.",
    file: locks,
    find: "a.start <= b.end && b.start <= a.end",
    replace: "a.start < b.end && b.start < a.end",
    scenario
  },
  {
    name: "split-keeps-a-byte",
    about: "A lock that is cut in the middle keeps the last byte of what was freed.",
    file: locks,
    find: "start: range.end + 1",
    replace: "start: range.end",
    scenario
  },
  {
    name: "split-loses-its-end",
    about: "A lock that is cut in the middle loses the part behind.",
    file: locks,
    find: "if (lock.end > range.end) out.push",
    replace: "if (lock.end > range.end && lock.start >= range.start) out.push",
    scenario
  },
  {
    name: "merge-over-a-gap",
    about: "Two locks with a byte between them become one, with that byte.",
    file: locks,
    find: "lock.end + 1 >= merged.start",
    replace: "lock.end + 2 >= merged.start",
    scenario: "crossings"
  },
  {
    name: "merge-of-kinds",
    about: "A lock to read and one to write beside it become one.",
    file: locks,
    find: "sameOwner(lock, merged) && lock.type === merged.type && touches",
    replace: "sameOwner(lock, merged) && touches",
    scenario
  },
  {
    name: "neighbours-not-merged",
    about: "Locks that touch stay two.",
    file: locks,
    find: "lock.end + 1 >= merged.start && merged.end + 1 >= lock.start",
    replace: "lock.end >= merged.start && merged.end >= lock.start",
    scenario
  },
  {
    name: "writer-beside-readers",
    about: "A lock to write is granted beside those to read.",
    file: locks,
    find: "(held.type === \"write\" || wanted.type === \"write\")",
    replace: "held.type === \"write\"",
    scenario
  },
  {
    name: "owners-of-a-session-are-one",
    about: "Two open files of one client do not exclude each other.",
    file: locks,
    find: "a.family === b.family && a.session === b.session && a.owner === b.owner",
    replace: "a.family === b.family && a.session === b.session",
    scenario
  },
  {
    name: "families-exclude-each-other",
    about: "A lock of a range is refused for a lock of the whole file of the other kind.",
    file: locks,
    find: "held.family === wanted.family && !sameOwner(held, wanted) && overlaps",
    replace: "!sameOwner(held, wanted) && overlaps",
    scenario
  },
  {
    name: "unlock-grants-nobody",
    about: "A lock that is released is not granted to those who wait for it.",
    file: "domain/operations/Unlock.ts",
    find: "...grants(inode, held))",
    replace: "...grants(inode, [...inode.locks, ...held]))",
    scenario
  },
  {
    name: "downgrade-grants-nobody",
    about: "A lock to write that becomes one to read lets nobody in who waits to read.",
    file: lock,
    find: "return change({ _tag: \"LockAcquired\", inode: number, lock: wanted }, ...grants(inode, held))",
    replace: "return change({ _tag: \"LockAcquired\", inode: number, lock: wanted })",
    scenario
  },
  {
    name: "granted-beside-each-other",
    about: "Waiters are held against what is held, and not against those granted with them.",
    file: locks,
    find: "      locks = add(locks, waiter)\n",
    replace: "      if (waiter.type === \"read\") locks = add(locks, waiter)\n",
    scenario
  },
  {
    name: "last-come-first-served",
    about: "Those who waited longest are granted last.",
    file: locks,
    find: "    for (const waiter of left) {\n",
    replace: "    for (const waiter of left.toReversed()) {\n",
    scenario: "crossings"
  },
  {
    name: "granted-still-waits",
    about: "Who was granted a lock waits for it still, and gets it again.",
    file: "domain/Evolve.ts",
    find: "waiters.filter((candidate) => candidate !== waiter)",
    replace: "waiters.filter((candidate) => candidate !== waiter || waiters.length > 1)",
    scenario
  },
  {
    name: "deadlock-not-seen",
    about: "A circle of waiters is not seen: they wait for ever.",
    file: lock,
    find: "if (Locks.sameOwner(holder, wanted)) return true",
    replace: "if (Locks.sameOwner(holder, wanted) && pending.length > 0) return true",
    scenario: "crossings"
  },
  {
    name: "upgrade-keeps-what-it-has",
    about: "A whole-file lock that waits to be upgraded keeps what it has: two that share it wait for each other.",
    file: lock,
    find: "if (!inode.locks.some((held) => Locks.sameOwner(held, wanted))) return wait(awaited)",
    replace: "if (inode.locks.length > 0) return wait(awaited)",
    scenario: "crossings"
  },
  {
    name: "test-shows-own-locks",
    about: "A test for a lock shows the caller's own as a conflict.",
    file: "domain/operations/TestLock.ts",
    find: "session: context.session",
    replace: "session: -context.session",
    scenario
  }
]
