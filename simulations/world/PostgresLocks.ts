/**
 * Locks of rows and of keys that somebody is about to insert, as Postgres gives them: sharers overtake whoever waits
 * for sharers to end, everybody else comes in the order of asking. It knows neither rows nor statements.
 */

/** Who holds locks, or waits for one. */
export interface LockHolder {
  readonly held: Array<RowLock>
  waitsFor: RowLock | undefined
  /** It has what it waited for. */
  readonly granted: () => void
}

export interface RowLock {
  readonly key: string
  owner: LockHolder | undefined
  readonly sharers: Set<LockHolder>
  readonly queue: Array<Waiter>
}

interface Waiter {
  readonly holder: LockHolder
  readonly isExclusive: boolean
}

export class PostgresLocks {
  private readonly locks = new Map<string, RowLock>()

  /** Whether it has the lock now; else it waits. */
  take(holder: LockHolder, key: string, isExclusive: boolean): boolean {
    let lock = this.locks.get(key)
    if (lock === undefined) this.locks.set(key, lock = { key, owner: undefined, sharers: new Set(), queue: [] })
    if (lock.owner === holder) return true
    if (isFree(lock, isExclusive)) {
      give(lock, holder, isExclusive)
      return true
    }
    holder.waitsFor = lock
    lock.queue.push({ holder, isExclusive })
    return false
  }

  /** It holds nothing any more, and waits for nothing. */
  release(holder: LockHolder): void {
    const { waitsFor } = holder
    if (waitsFor !== undefined) {
      holder.waitsFor = undefined
      waitsFor.queue.splice(waitsFor.queue.findIndex((waiter) => waiter.holder === holder), 1)
      this.pass(waitsFor)
    }
    for (const lock of holder.held) {
      if (lock.owner === holder) lock.owner = undefined
      else lock.sharers.delete(holder)
      this.pass(lock)
    }
    holder.held.length = 0
  }

  private pass(lock: RowLock): void {
    for (let next = lock.queue[0]; next !== undefined && isFree(lock, next.isExclusive); next = lock.queue[0]) {
      lock.queue.shift()
      next.holder.waitsFor = undefined
      give(lock, next.holder, next.isExclusive)
      next.holder.granted()
    }
    if (lock.owner === undefined && lock.sharers.size === 0) this.locks.delete(lock.key)
  }
}

const isFree = (lock: RowLock, isExclusive: boolean): boolean =>
  lock.owner === undefined && (!isExclusive || lock.sharers.size === 0)

const give = (lock: RowLock, holder: LockHolder, isExclusive: boolean): void => {
  if (isExclusive) lock.owner = holder
  else lock.sharers.add(holder)
  holder.held.push(lock)
}

/** Whether it waits, over whatever others, for itself. */
export const isDeadlocked = (start: LockHolder): boolean => {
  const seen = new Set<LockHolder>()
  const ahead = (holder: LockHolder): boolean => {
    const lock = holder.waitsFor
    if (lock === undefined) return false
    const before = lock.queue.slice(0, lock.queue.findIndex((waiter) => waiter.holder === holder))
    return [lock.owner, ...lock.sharers, ...before.map((waiter) => waiter.holder)].some((other) => {
      if (other === start) return true
      if (other === undefined || seen.has(other)) return false
      seen.add(other)
      return ahead(other)
    })
  }
  return ahead(start)
}
