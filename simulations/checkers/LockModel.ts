/**
 * The advisory locks of one inode: byte ranges (fcntl) and whole files (flock). A lock is granted only when nobody
 * else's is in its way; who waits first is not judged, nor whether a circle of waiters was one. Locks of a client
 * end with its session, which the history must tell.
 */
import { Errno } from "#domain/Errno.ts"
import type { RequestOf } from "#domain/Operations.ts"
import type { Model } from "#simulations/checkers/Linearizability.ts"
import { NONE, Reason, verdict } from "#simulations/checkers/Reasons.ts"
import { isDecided, isRefused, type Observation, type ObservationOf } from "#simulations/history/History.ts"

type Wanted = Pick<RequestOf<"lock">, "family" | "owner" | "type" | "start" | "end" | "pid">

interface Held extends Wanted {
  readonly client: number
}

export interface Locks {
  /** Nobody can reach the inode any more, for ever. */
  readonly gone: boolean
  readonly held: ReadonlyArray<Held>
  /** Locks that have given up what they replace and not got what they want, by their beginnings. */
  readonly upgrading: ReadonlyArray<number>
}

/**
 * A flock that waits gives up the lock that its owner has before it gets the new one (flock(2)): two steps of one
 * operation, between which others may come.
 */
export type LockStep = Observation & { readonly half?: "releases" | "acquires" }

export class LockModel implements Model<Locks, LockStep> {
  private readonly keys = new WeakMap<Locks, string>()

  initial(): Locks {
    return { gone: false, held: [], upgrading: [] }
  }

  step(before: Locks, observation: LockStep): Locks | undefined {
    if (observation.half === "releases") return released(before, observation)
    const locks = observation.half === "acquires" ? settled(before, observation) : before
    if (locks === undefined) return undefined
    const errno = isDecided(observation) ? observation.outcome?.errno : 0
    // A lock keeps its inode.
    if (errno === Errno.ESTALE && !locks.gone) return locks.held.length > 0 ? undefined : { ...locks, gone: true }
    const reasons = reasonsOf(locks, observation)
    if (errno === Errno.EAGAIN && (reasons & Reason.EAGAIN) === NONE && isTry(observation)) return undefined
    switch (verdict(observation, reasons)) {
      case "happens":
        return after(locks, observation)
      case "changes nothing":
        return locks
      case "contradicts":
        return undefined
    }
  }

  key(locks: Locks): string {
    let key = this.keys.get(locks)
    if (key === undefined) {
      const upgrading = locks.upgrading.toSorted((a, b) => a - b)
      key = `${locks.gone ? 1 : 0}|${locks.held.map(text).sort().join()}|${upgrading.join()}`
      this.keys.set(locks, key)
    }
    return key
  }

  partition(observations: ReadonlyArray<Observation>): ReadonlyArray<ReadonlyArray<LockStep>> {
    const inodes = new Map<number, Array<LockStep>>()
    const ofMany: Array<LockStep> = []
    for (const observation of observations) {
      const inode = inodeOf(observation)
      if (inode === undefined) continue
      const steps = inode < 0 ? ofMany : inodes.get(inode) ?? []
      if (inode >= 0) inodes.set(inode, steps)
      steps.push(...stepsOf(observation))
    }
    return [...inodes.values()].map((steps) => {
      const clients = new Set(steps.map(({ client }) => client))
      return [...steps, ...ofMany.filter(({ client, operation }) => operation !== "endSession" || clients.has(client))]
    })
  }

  describe({ gone, held }: Locks): string {
    return gone ? "gone" : `held: ${held.map(text).join("; ") || "nothing"}`
  }
}

const text = ({ client, end, family, owner, pid, start, type }: Held): string =>
  `${family} ${type} ${start}-${end} of ${client}:${owner} (${pid})`

/** Below zero where it may be any: the end of a session, or an inode that nobody was told of. */
const inodeOf = (observation: Observation): number | undefined => {
  switch (observation.operation) {
    case "lock":
    case "unlock":
    case "testLock":
      return observation.request.inode
    case "endSession":
      return isRefused(observation) ? undefined : -1
    default:
      return undefined
  }
}

const stepsOf = (observation: Observation): ReadonlyArray<LockStep> => {
  if (observation.operation !== "lock") return [observation]
  const { family, wait } = observation.request
  const errno = observation.outcome?.errno
  if (family !== "flock" || !wait) return [observation]
  if (isDecided(observation) && errno !== 0 && errno !== Errno.EINTR) return [observation]
  // Undecided, it may have got no further than the first.
  const acquires: LockStep = isDecided(observation) ? { ...observation, half: "acquires" } : observation
  return [{ ...observation, half: "releases" }, acquires]
}

/** Every reason to refuse the operation. */
const reasonsOf = (locks: Locks, observation: LockStep): number => {
  switch (observation.operation) {
    case "lock": {
      const blocked = conflictOf(locks, observation) !== undefined
      const { family, wait } = observation.request
      return reasonsOfRange(locks, observation.request) | (blocked ? Reason.EAGAIN : NONE) |
        (blocked && wait && family === "posix" ? Reason.EDEADLK : NONE)
    }
    case "unlock":
    case "testLock":
      return reasonsOfRange(locks, observation.request)
    default:
      return NONE
  }
}

const reasonsOfRange = ({ gone }: Locks, { end, start }: { readonly end: number; readonly start: number }): number =>
  (gone ? Reason.ESTALE : NONE) | (end < start ? Reason.EINVAL : NONE)

/** Whether the client would rather be refused than wait. */
const isTry = (observation: Observation): boolean => observation.operation === "lock" && !observation.request.wait

const after = (locks: Locks, observation: LockStep): Locks | undefined => {
  switch (observation.operation) {
    case "lock":
      return { ...locks, held: granted(locks.held, rangeOf(observation)) }
    case "unlock":
      return { ...locks, held: without(locks.held, rangeOf(observation)) }
    case "testLock":
      return tested(locks, observation)
    case "endSession":
      return { ...locks, held: locks.held.filter(({ client }) => client !== observation.client) }
    default:
      return locks
  }
}

type OfRange = ObservationOf<"lock"> | ObservationOf<"unlock"> | ObservationOf<"testLock">

interface Range extends Omit<Held, "type" | "pid"> {
  readonly type?: Held["type"]
  readonly pid?: number
}

const rangeOf = <Of extends OfRange>({ client, request }: Of): Of["request"] & Pick<Held, "client"> => ({
  ...request,
  client
})

/** The first half of a flock that waits. */
const released = (locks: Locks, observation: LockStep): Locks => {
  if (observation.operation !== "lock") return locks
  const range = { ...rangeOf(observation), start: 0, end: Number.MAX_SAFE_INTEGER }
  const upgrading = isDecided(observation) ? [...locks.upgrading, observation.begun] : locks.upgrading
  return { ...locks, held: without(locks.held, range), upgrading }
}

/** The second half comes after the first. */
const settled = (locks: Locks, { begun }: LockStep): Locks | undefined =>
  locks.upgrading.includes(begun)
    ? { ...locks, upgrading: locks.upgrading.filter((other) => other !== begun) }
    : undefined

const tested = (locks: Locks, observation: ObservationOf<"testLock">): Locks | undefined => {
  const { outcome } = observation
  if (outcome === undefined) return locks
  const told = outcome.reply?.conflict
  if (told === undefined) return conflictOf(locks, observation) === undefined ? locks : undefined
  const wanted = rangeOf(observation)
  const isIt = (held: Held): boolean =>
    inTheWay(held, wanted) && held.type === told.type && held.start === told.start && held.end === told.end &&
    held.pid === told.pid
  return locks.held.some(isIt) ? locks : undefined
}

const conflictOf = ({ held }: Locks, observation: ObservationOf<"lock"> | ObservationOf<"testLock">) => {
  const wanted = rangeOf(observation)
  return held.find((other) => inTheWay(other, wanted))
}

const isSameOwner = (a: Range, b: Range): boolean =>
  a.family === b.family && a.client === b.client && a.owner === b.owner

const inTheWay = (held: Held, wanted: Range): boolean =>
  held.family === wanted.family && !isSameOwner(held, wanted) && held.start <= wanted.end && wanted.start <= held.end &&
  (held.type === "write" || wanted.type === "write")

/** The owner's locks of one type that touch are one, as Linux reports them. */
const granted = (locks: ReadonlyArray<Held>, wanted: Wanted & Pick<Held, "client">): ReadonlyArray<Held> => {
  const { client, end, family, owner, pid, start, type } = wanted
  const others: Array<Held> = []
  let first = start
  let last = end
  for (const lock of without(locks, wanted)) {
    const joins = isSameOwner(lock, wanted) && lock.type === type && lock.end + 1 >= first && last + 1 >= lock.start
    if (joins) {
      first = Math.min(first, lock.start)
      last = Math.max(last, lock.end)
    } else others.push(lock)
  }
  return [...others, { client, family, owner, type, pid, start: first, end: last }]
}

const without = (locks: ReadonlyArray<Held>, range: Range): ReadonlyArray<Held> =>
  locks.flatMap((lock) => {
    if (!isSameOwner(lock, range) || lock.end < range.start || range.end < lock.start) return lock
    const before = lock.start < range.start ? [{ ...lock, end: range.start - 1 }] : []
    return lock.end > range.end ? [...before, { ...lock, start: range.end + 1 }] : before
  })
