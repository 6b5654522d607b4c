/**
 * One statement at work in the simulated Postgres, which is one transaction: what it holds, and what it will have
 * done once it commits. It does not know what the statement means.
 */
import type { Row } from "#persistence/Database.ts"
import type { End } from "#simulations/world/Network.ts"
import type { LockHolder, PostgresLocks, RowLock } from "#simulations/world/PostgresLocks.ts"
import type { PostgresRequest } from "#simulations/world/PostgresMessages.ts"
import type { World } from "#simulations/world/World.ts"

/** Work that goes on after a pause of so many microseconds; `BLOCKED`, once it has its lock. */
export type Work<Result> = Generator<number, Result, undefined>
export const BLOCKED = -1

/** One lock in so many is asked for only after a pause, so that others come in between. */
const PAUSE_ONE_IN = 12
const PAUSE_MAX = 400

export interface TransactionOptions {
  readonly world: World
  readonly locks: PostgresLocks
  readonly end: End
  readonly request: PostgresRequest
  readonly clock: () => number
  readonly granted: (transaction: PostgresTransaction) => void
}

export class PostgresTransaction implements LockHolder {
  /** `now()`: microseconds since 1970 by the server's clock, when it began. */
  readonly now: number
  /** `clock_timestamp()` */
  readonly clock: () => number
  readonly end: End
  readonly request: PostgresRequest
  /** When the server gives it up, by the world's time. */
  readonly deadline: number
  readonly held: Array<RowLock> = []
  waitsFor: RowLock | undefined
  readonly granted: () => void
  /** Committed, or undone. */
  isOver = false
  work: Work<ReadonlyArray<Row>> | undefined
  rows: ReadonlyArray<Row> = []
  /** When its commit is on disk, by the world's time. */
  flushedAt = 0
  private readonly world: World
  private readonly locks: PostgresLocks
  private readonly effects: Array<() => void> = []

  constructor({ clock, end, granted, locks, request, world }: TransactionOptions) {
    this.world = world
    this.locks = locks
    this.end = end
    this.request = request
    this.now = clock()
    this.clock = clock
    this.deadline = world.now + request.millisMax * 1000
    this.granted = () => granted(this)
  }

  /** Locks a row against those who would change it. */
  share(key: string): Work<void> {
    return this.lock(key, false)
  }

  /** Locks a row or a key that is to be a row. What was read of it before may be old: look again. */
  exclusive(key: string): Work<void> {
    return this.lock(key, true)
  }

  /** Is done and seen by all when it commits. */
  write(effect: () => void): void {
    this.effects.push(effect)
  }

  apply(): void {
    for (const effect of this.effects) effect()
  }

  private *lock(key: string, isExclusive: boolean): Work<void> {
    if (this.world.dice.below(PAUSE_ONE_IN) === 0) yield this.world.between(0, PAUSE_MAX)
    if (!this.locks.take(this, key, isExclusive)) yield BLOCKED
  }
}
