/**
 * Takes an advisory lock, at once or when it comes free: waiters are kept in the zone's state and granted
 * first come first served by whatever frees their range. A wait of a range lock that could never end is
 * refused with EDEADLK.
 */
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import type { Event } from "#domain/Event.ts"
import { Limits } from "#domain/Limits.ts"
import * as Locks from "#domain/Locks.ts"
import { change, type Operation, refuse, wait } from "#domain/Operation.ts"
import type { Inode } from "#domain/state/Inode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"

export const fields = {
  inode: Codec.inode,
  family: Codec.literal("posix", "flock"),
  /** Within the session: the open-file table (posix) or the open file (flock) that locks. */
  owner: Codec.uint,
  /** First byte. */
  start: Codec.uint,
  /** Last byte, inclusive; `Locks.END` for "to the end". */
  end: Codec.uint
}
const request = Codec.struct({
  ...fields,
  type: Codec.literal("read", "write"),
  /** Process that F_GETLK of others reports. */
  pid: Codec.u32,
  /** Whether to wait for it (F_SETLKW) instead of refusing with EAGAIN. */
  wait: Codec.boolean
})

export const lock: Operation<Codec.Type<typeof request>, void> = {
  code: 49,
  name: "lock",
  request,
  reply: Codec.nothing,
  routeOf: ({ inode }) => inode,
  plan: (state, context, { inode: number, wait: waits, ...rest }) => {
    const inode = state.inode(number)
    if (inode === undefined) return refuse(Errno.ESTALE)
    if (rest.end < rest.start || context.session === 0) return refuse(Errno.EINVAL)
    const wanted: Locks.Lock = { ...rest, session: context.session }
    const conflict = Locks.firstConflict(inode.locks, wanted)
    if (conflict === undefined) {
      const held = Locks.add(inode.locks, wanted)
      if (held.length > Limits.locksPerInodeMax) return refuse(Errno.ENOLCK)
      return change({ _tag: "LockAcquired", inode: number, lock: wanted }, ...grants(inode, held))
    }
    if (!waits) return refuse(Errno.EAGAIN)
    if (inode.waiters.length >= Limits.locksPerInodeMax) return refuse(Errno.ENOLCK)
    const awaited: Event = { _tag: "LockAwaited", inode: number, waiter: { ...wanted, request: context.request } }
    if (rest.family === "posix") return closesCircle(state, wanted, inode) ? refuse(Errno.EDEADLK) : wait(awaited)
    // flock gives up the lock that it has before it waits for another (flock_lock_inode of Linux), so that two
    // who share one and both want it alone do not wait for each other for ever.
    if (!inode.locks.some((held) => Locks.sameOwner(held, wanted))) return wait(awaited)
    const lock: Locks.Lock = { ...wanted, start: 0, end: Locks.END }
    const released: Event = { _tag: "LockReleased", inode: number, lock }
    return wait(released, awaited, ...grants(inode, Locks.remove(inode.locks, lock)))
  },
  answer: () => undefined
}

/** What the waiters of an inode get once these locks are held. */
export const grants = (
  inode: Inode,
  held: ReadonlyArray<Locks.Lock>,
  waiters: ReadonlyArray<Locks.Waiter> = inode.waiters
): ReadonlyArray<Event> =>
  Locks.grantable(held, waiters).map(({ request, session }) => ({
    _tag: "LockGranted",
    inode: inode.number,
    session,
    request
  }))

/** Whether somebody who holds what is wanted waits, through others or not, for the one who wants it. */
const closesCircle = (state: ZoneState, wanted: Locks.Lock, inode: Inode): boolean => {
  const ownerKey = ({ owner, session }: Locks.Lock): string => `${session}:${owner}`
  const holders = (locks: ReadonlyArray<Locks.Lock>, blocked: Locks.Lock): Array<Locks.Lock> =>
    locks.filter((held) => Locks.conflicts(held, blocked))
  const waits = new Map<string, Array<{ readonly waiter: Locks.Waiter; readonly inode: Inode }>>()
  for (const number of state.locked.keys()) {
    const place = state.expect(number)
    for (const waiter of place.waiters) {
      if (waiter.family !== "posix") continue
      const key = ownerKey(waiter)
      waits.set(key, [...waits.get(key) ?? [], { waiter, inode: place }])
    }
  }
  const seen = new Set<string>()
  const pending = holders(inode.locks, wanted)
  for (let holder = pending.pop(); holder !== undefined; holder = pending.pop()) {
    if (Locks.sameOwner(holder, wanted)) return true
    const key = ownerKey(holder)
    if (seen.has(key)) continue
    seen.add(key)
    for (const blocked of waits.get(key) ?? []) pending.push(...holders(blocked.inode.locks, blocked.waiter))
  }
  return false
}
