import { LockModel } from "#simulations/checkers/LockModel.ts"
import { locking, type Telling, unlocking } from "#simulations/checkers/testing/Telling.ts"
import { judged } from "#simulations/checkers/testing/Verdicts.ts"

const exclusive = locking(10, "write")
const shared = locking(10, "read")
const waiting = { ...exclusive, wait: true }
const whole = { family: "flock" as const, end: Number.MAX_SAFE_INTEGER }
const withLock = (h: Telling) => h.does(1, "lock", exclusive, undefined)

judged("lock", new LockModel(), {
  right: {
    "a lock taken, tried by another, freed, and taken by the other": (h) =>
      withLock(h).does(2, "lock", exclusive, "EAGAIN").does(1, "unlock", unlocking(10), undefined)
        .does(2, "lock", exclusive, undefined),
    "two shared locks, and an exclusive one refused": (h) =>
      h.does(1, "lock", shared, undefined).does(2, "lock", shared, undefined).does(1, "lock", exclusive, "EAGAIN"),
    "two exclusive locks of ranges that do not overlap, and of two families": (h) =>
      withLock(h).does(2, "lock", locking(10, "write", { start: 100, end: 199 }), undefined)
        .does(2, "lock", locking(10, "write", whole), undefined),
    "a lock that is waited for": (h) => {
      withLock(h)
      const waits = h.begins(2, "lock", waiting)
      h.does(1, "unlock", unlocking(10), undefined)
      waits.ends(undefined)
    },
    "a wait that is given up, and one that would never end": (h) =>
      withLock(h).does(2, "lock", waiting, "EINTR").does(2, "lock", waiting, "EDEADLK"),
    "a hole cut into a lock, which another takes": (h) =>
      withLock(h).does(1, "unlock", unlocking(10, { start: 40, end: 59 }), undefined)
        .does(2, "lock", locking(10, "write", { start: 40, end: 59 }), undefined)
        .does(2, "testLock", { ...unlocking(10, { start: 60, end: 80 }), type: "read" }, {
          conflict: { type: "write", start: 60, end: 99, pid: 7 }
        }),
    "two who share a flock and both want it alone: each gives its own up first": (h) => {
      h.does(1, "lock", locking(10, "read", whole), undefined).does(2, "lock", locking(10, "read", whole), undefined)
      const first = h.begins(1, "lock", locking(10, "write", { ...whole, wait: true }))
      const second = h.begins(2, "lock", locking(10, "write", { ...whole, wait: true }))
      first.ends(undefined)
      h.does(1, "unlock", unlocking(10, whole), undefined)
      second.ends(undefined)
    },
    "a lock that goes with its session": (h) =>
      withLock(h).does(1, "endSession", { inode: 1, session: 1, reason: "closed" }, undefined)
        .does(2, "lock", exclusive, undefined),
    "an unlock that nobody heard of": (h) =>
      withLock(h).loses(1, "unlock", unlocking(10)).does(2, "lock", exclusive, undefined)
  },
  wrong: {
    "two exclusive locks at once": (h) => withLock(h).does(2, "lock", exclusive, undefined),
    "an exclusive lock beside a shared one": (h) =>
      h.does(1, "lock", shared, undefined).does(2, "lock", exclusive, undefined),
    "two exclusive locks of one client's two owners": (h) =>
      withLock(h).does(1, "lock", { ...exclusive, owner: 2 }, undefined),
    "two exclusive flocks, one of them an upgrade": (h) =>
      h.does(1, "lock", locking(10, "read", whole), undefined)
        .does(1, "lock", locking(10, "write", { ...whole, wait: true }), undefined)
        .does(2, "lock", locking(10, "write", { ...whole, wait: true }), undefined),
    "ranges that overlap by a byte": (h) =>
      withLock(h).does(2, "lock", locking(10, "write", { start: 99, end: 120 }), undefined),
    "a waiter that gets the lock before it is freed": (h) => {
      withLock(h)
      h.does(2, "lock", waiting, undefined).does(1, "testLock", { ...unlocking(10), type: "write" }, {
        conflict: undefined
      })
    },
    "a lock refused though it is free": (h) => h.does(2, "lock", exclusive, "EAGAIN"),
    "a lock still there after it was freed": (h) =>
      withLock(h).does(1, "unlock", unlocking(10), undefined)
        .does(2, "testLock", { ...unlocking(10), type: "write" }, {
          conflict: { type: "write", start: 0, end: 99, pid: 7 }
        }),
    "a test that does not see a lock": (h) =>
      withLock(h).does(2, "testLock", { ...unlocking(10), type: "read" }, { conflict: undefined }),
    "a lock lost with the inode that it should have kept": (h) =>
      withLock(h).does(1, "unlock", unlocking(10), "ESTALE"),
    "a wait that is a deadlock with nobody": (h) => h.does(1, "lock", waiting, "EDEADLK")
  }
})
