/**
 * The world's Postgres: a process that executes the product's own statements on the product's tables, each one a
 * transaction under READ COMMITTED, and dies, recovers, sticks and slows down. It parses no SQL: it knows the texts.
 *
 * received -> [snapshot, locks, looks again] -> commit record -> on disk -> seen by all, locks gone -> reply
 *              crash or limit: undone            crash: perhaps   crash: done, though nobody is told
 */
import type { Row } from "#persistence/Database.ts"
import type { Accept, End, Network } from "#simulations/world/Network.ts"
import {
  NO_CHANCES,
  type PostgresChances,
  type PostgresFault,
  PostgresFaults
} from "#simulations/world/PostgresFaults.ts"
import { isDeadlocked, type LockHolder, PostgresLocks } from "#simulations/world/PostgresLocks.ts"
import {
  CANNOT_CONNECT_NOW,
  DEADLOCK,
  type PostgresRefusal,
  PostgresRefused,
  type PostgresReply,
  type PostgresRequest,
  refusalText,
  STATEMENT_TIMEOUT,
  TOO_MANY_CONNECTIONS
} from "#simulations/world/PostgresMessages.ts"
import { postgresReads } from "#simulations/world/PostgresReads.ts"
import { PostgresTables } from "#simulations/world/PostgresTables.ts"
import { BLOCKED, PostgresTransaction } from "#simulations/world/PostgresTransaction.ts"
import { postgresWrites } from "#simulations/world/PostgresWrites.ts"
import { Process } from "#simulations/world/Process.ts"
import { MICRO, MILLI, SECOND, type World, WorldBroken } from "#simulations/world/World.ts"

export const POSTGRES_HOST = "postgres"

const CONNECTIONS_MAX = 100
const WORK_MIN = 20 * MICRO
const WORK_MAX = 200 * MICRO
const FLUSH_MIN = 500 * MICRO
const FLUSH_MAX = 4 * MILLI
/** One write to disk in so many takes up to so much longer. */
const FLUSH_LATE_ONE_IN = 200
const FLUSH_LATE_MAX = 100 * MILLI
/** `deadlock_timeout` */
const DEADLOCK_AFTER = SECOND
/** Where half of the crashes take the whole machine along, nobody listens for so long. */
const OUTAGE_MIN = 50 * MILLI
const OUTAGE_MAX = SECOND
const RECOVERY_MIN = 100 * MILLI
const RECOVERY_MAX = 3 * SECOND
/** A statement that is late, whose client has given it up, or one that is slow to flush. */
const LATE_MIN = 2 * MILLI
const LATE_MAX = 400 * MILLI
/** Numbers of a sequence that a crash may skip. */
const SEQUENCE_AHEAD = 32
/** Slowness that comes by chance. */
const SLOW_FACTOR_MAX = 100
const SLOW_MAX = 2 * SECOND
/** The server's clock: the world begins here, give or take; it runs fast or slow by so many parts in a million. */
const EPOCH_MICROS = 1_700_000_000_000_000
const SKEW_MAX = 250 * MILLI
const DRIFT_MAX = 200

const CANCELLED: PostgresRefusal = {
  code: STATEMENT_TIMEOUT,
  reason: "canceling statement due to user request"
}
const LIMIT_REACHED: PostgresRefusal = {
  code: STATEMENT_TIMEOUT,
  reason: "canceling statement due to statement timeout"
}

export interface PostgresServerOptions {
  readonly host?: string
  readonly chances?: PostgresChances
}

export class PostgresServer {
  readonly world: World
  readonly host: string
  /** What is committed. */
  readonly tables = new PostgresTables()
  /** It is another one after each crash. */
  process: Process
  private readonly network: Network
  private readonly faults: PostgresFaults
  private readonly skew: number
  private readonly rate: number
  private readonly expected: Array<{ readonly operation: string; readonly callback: () => void }> = []
  private slowness = { factor: 1, until: 0 }
  private isRecovering = false
  // What a crash wipes out:
  private locks = new PostgresLocks()
  private readonly connections = new Set<End>()
  private readonly running = new Map<PostgresTransaction, PostgresFault | undefined>()
  /** Whose commit record is written and not yet on disk, in the log's order. */
  private committing: Array<PostgresTransaction> = []
  private flushedAt = 0

  constructor(world: World, network: Network, options: PostgresServerOptions = {}) {
    this.world = world
    this.network = network
    this.host = options.host ?? POSTGRES_HOST
    this.faults = new PostgresFaults(world, options.chances ?? NO_CHANCES)
    this.skew = world.between(-SKEW_MAX, SKEW_MAX)
    this.rate = 1 + world.between(-DRIFT_MAX, DRIFT_MAX) / 1_000_000
    this.process = this.listen()
  }

  /** `now()`: microseconds since 1970. It goes on over a crash. */
  get now(): number {
    return Math.floor(EPOCH_MICROS + this.skew + this.world.now * this.rate)
  }

  /** Takes connections and statements. */
  get isUp(): boolean {
    return !this.process.isDead && !this.isRecovering
  }

  /** How many statements wait for a lock. */
  get waiting(): number {
    let count = 0
    for (const { waitsFor } of this.running.keys()) if (waitsFor !== undefined) count++
    return count
  }

  /** How many statements of an operation are not over. */
  runningOf(operation: string): number {
    let count = 0
    for (const { request } of this.running.keys()) if (request.operation === operation) count++
    return count
  }

  /** Faults that come by themselves, from now on. */
  set chances(chances: PostgresChances) {
    this.faults.chances = chances
  }

  /** The next statement suffers the fault; the next one of the operation, if one is given. */
  inject(fault: PostgresFault, operation?: string): void {
    this.faults.arm(fault, operation)
  }

  /** Calls back once, when the next statement of the operation comes. */
  whenAsked(operation: string, callback: () => void): void {
    this.expected.push({ operation, callback })
  }

  /** Everything takes so many times longer, until then. */
  slow(factor: number, until: number): void {
    this.world.fault("postgres slow", `by ${factor}`)
    this.slowness = { factor, until }
  }

  freeze(): void {
    this.world.fault("postgres frozen")
    this.process.freeze()
  }

  wake(): void {
    this.process.wake()
  }

  /** Ends whatever befalls it, and what would befall its next statements. */
  heal(): void {
    this.wake()
    this.faults.clear()
    this.expected.length = 0
    this.slowness = { factor: 1, until: 0 }
  }

  /**
   * It dies at this very moment, and comes up again by itself. What is on disk stays; of what was on its way there,
   * in the log's order, any part may have arrived.
   */
  crash(kind = "crash"): void {
    const { dice } = this.world
    if (this.process.isDead) return
    this.world.fault(`postgres ${kind}`)
    let durable = this.committing.filter(({ flushedAt }) => flushedAt <= this.world.now).length
    durable += dice.below(this.committing.length - durable + 1)
    if (durable > 0) this.world.probe("postgres: a crash left a commit that nobody was told of")
    for (const transaction of this.committing.slice(0, durable)) transaction.apply()
    for (const transaction of this.running.keys()) transaction.isOver = true
    this.world.note(durable)
    this.process.kill()
    this.running.clear()
    this.connections.clear()
    this.locks = new PostgresLocks()
    this.committing = []
    this.flushedAt = 0
    this.tables.machine += dice.below(SEQUENCE_AHEAD + 1)
    this.isRecovering = true
    const outage = dice.chance(50) ? this.world.between(OUTAGE_MIN, OUTAGE_MAX) : 0
    this.world.later(outage, undefined, () => this.recover())
  }

  /** As an administrator does: the statements that wait for a lock are undone, and their connections end. */
  terminateWaiting(): void {
    const waiting = [...this.running.keys()].filter(({ waitsFor }) => waitsFor !== undefined)
    for (const transaction of waiting) {
      this.world.fault("postgres terminate")
      this.end(transaction)
      transaction.end.close()
    }
  }

  /** Locks a zone's row, as an administrator's transaction does. The result lets it go. */
  holdZone(zone: number): () => void {
    const holder: LockHolder = { held: [], waitsFor: undefined, granted: () => undefined }
    const { locks } = this
    if (!locks.take(holder, `zone ${zone}`, true)) throw new WorldBroken(`the row of zone ${zone} is locked already`)
    return () => locks.release(holder)
  }

  private listen(): Process {
    const process = new Process(this.world, this.host)
    this.network.listen(process, this.host, this.accept)
    return process
  }

  private recover(): void {
    const process = this.listen()
    this.process = process
    this.world.later(this.world.between(RECOVERY_MIN, RECOVERY_MAX), process, () => {
      this.isRecovering = false
    })
  }

  private readonly accept: Accept = () => {
    if (this.isRecovering) {
      return refusalText({ code: CANNOT_CONNECT_NOW, reason: "the database system is starting up" })
    }
    if (this.connections.size >= CONNECTIONS_MAX) {
      return refusalText({ code: TOO_MANY_CONNECTIONS, reason: "sorry, too many clients already" })
    }
    return (end) => {
      this.connections.add(end)
      end.onClose.push(() => this.connections.delete(end))
      end.onMessage = (request) => this.receive(end, request as PostgresRequest)
    }
  }

  private receive(end: End, request: PostgresRequest): void {
    const { expected, world } = this
    const index = expected.findIndex(({ operation }) => operation === request.operation)
    if (index >= 0) expected.splice(index, 1)[0]?.callback()
    const fault = this.faults.draw(request)
    if (fault === "crash on receipt") return this.crash(fault)
    if (fault !== "begin late") return this.begin(end, request, fault)
    world.fault(`postgres ${fault}`, request.operation)
    end.close()
    world.later(world.between(LATE_MIN, LATE_MAX), this.process, () => this.begin(end, request, undefined))
  }

  private begin(end: End, request: PostgresRequest, fault: PostgresFault | undefined): void {
    if (this.faults.drawSlowness()) {
      this.slow(this.world.between(2, SLOW_FACTOR_MAX), this.world.now + this.world.between(0, SLOW_MAX))
    }
    const transaction = new PostgresTransaction({
      world: this.world,
      locks: this.locks,
      end,
      request,
      clock: () => this.now,
      granted: (transaction) => this.world.soon(this.process, () => this.proceed(transaction))
    })
    this.running.set(transaction, fault)
    if (fault === "stick at once") this.stick(transaction, fault)
    else this.pause(transaction, this.world.between(WORK_MIN, WORK_MAX))
  }

  /** Does what it can do now. */
  private proceed(transaction: PostgresTransaction): void {
    if (transaction.isOver) return
    if (this.world.now >= transaction.deadline) return this.refuse(transaction, LIMIT_REACHED)
    try {
      if (this.read(transaction)) return
      const work = transaction.work ??= this.write(transaction)
      const step = work.next()
      if (step.done === true) this.commit(transaction, step.value)
      else if (step.value === BLOCKED) this.block(transaction)
      else this.pause(transaction, step.value)
    } catch (error) {
      if (!(error instanceof PostgresRefused)) throw error
      this.refuse(transaction, error)
    }
  }

  /** Whether it was a statement that reads. */
  private read(transaction: PostgresTransaction): boolean {
    const read = postgresReads.get(transaction.request.text)
    if (read === undefined) return false
    transaction.rows = read(this.tables, transaction.request.values, transaction.now)
    const fault = this.running.get(transaction)
    if (fault === "stick with its locks") this.stick(transaction, fault)
    else if (fault?.startsWith("crash") === true) this.crash(fault)
    else this.answer(transaction)
    return true
  }

  private write(transaction: PostgresTransaction): NonNullable<PostgresTransaction["work"]> {
    const { operation, text, values } = transaction.request
    const write = postgresWrites.get(text)
    if (write === undefined) throw new WorldBroken(`the simulated Postgres does not know "${operation}": ${text}`)
    return write(this.tables, values, transaction)
  }

  private pause(transaction: PostgresTransaction, micros: number): void {
    const { now } = this.world
    const delay = Math.min(micros * this.slowFactor, transaction.deadline - now)
    if (Number.isFinite(delay)) this.world.later(delay, this.process, () => this.proceed(transaction))
  }

  private stick(transaction: PostgresTransaction, fault: PostgresFault): void {
    this.world.fault(`postgres ${fault}`, transaction.request.operation)
    this.pause(transaction, Infinity)
  }

  private block(transaction: PostgresTransaction): void {
    const { deadline, waitsFor } = transaction
    this.world.probe("postgres: a statement waits for a lock")
    const refuseIf = (isReason: () => boolean, refusal: PostgresRefusal): void => {
      if (!transaction.isOver && transaction.waitsFor === waitsFor && isReason()) this.refuse(transaction, refusal)
    }
    this.world.later(
      DEADLOCK_AFTER,
      this.process,
      () => refuseIf(() => isDeadlocked(transaction), { code: DEADLOCK, reason: "deadlock detected" })
    )
    if (!Number.isFinite(deadline)) return
    this.world.later(deadline - this.world.now, this.process, () => refuseIf(() => true, LIMIT_REACHED))
  }

  /** From here on no limit ends it. */
  private commit(transaction: PostgresTransaction, rows: ReadonlyArray<Row>): void {
    const { world } = this
    const fault = this.running.get(transaction)
    transaction.rows = rows
    if (fault === "stick with its locks") return this.stick(transaction, fault)
    if (fault === "crash before commit") return this.crash(fault)
    if (fault === "cancel") {
      world.fault(`postgres ${fault}`, transaction.request.operation)
      return this.refuse(transaction, CANCELLED)
    }
    if (fault === "commit late") return this.hesitate(transaction, rows, fault)
    if (transaction.held.length === 0) return this.answer(transaction)
    if (fault === "flush slowly") {
      world.fault(`postgres ${fault}`, transaction.request.operation)
      this.flushedAt = Math.max(this.flushedAt, world.now) + world.between(LATE_MIN, LATE_MAX)
    }
    this.flushedAt = Math.max(this.flushedAt, world.now + this.flushTime())
    transaction.flushedAt = this.flushedAt
    this.committing.push(transaction)
    const delay = transaction.flushedAt - world.now
    if (fault === "crash during commit") world.later(world.between(0, delay), this.process, () => this.crash(fault))
    world.later(delay, this.process, () => this.flushed(transaction.flushedAt))
  }

  private hesitate(transaction: PostgresTransaction, rows: ReadonlyArray<Row>, fault: PostgresFault): void {
    const { world } = this
    world.fault(`postgres ${fault}`, transaction.request.operation)
    transaction.end.close()
    this.running.set(transaction, undefined)
    world.later(world.between(LATE_MIN, LATE_MAX), this.process, () => {
      if (!transaction.isOver) this.commit(transaction, rows)
    })
  }

  private flushed(until: number): void {
    for (let next = this.committing[0]; next !== undefined && next.flushedAt <= until; next = this.committing[0]) {
      this.committing.shift()
      next.apply()
      this.tables.watch?.onCommit()
      this.answer(next)
    }
  }

  private answer(transaction: PostgresTransaction): void {
    const fault = this.running.get(transaction)
    this.note(transaction, transaction.rows.length)
    this.world.tell(() => `${this.host}: ${transaction.request.operation}: ${transaction.rows.length} rows`)
    if (fault === "crash before reply") return this.crash(fault)
    this.end(transaction)
    if (fault === "lose the reply") {
      this.world.fault(`postgres ${fault}`, transaction.request.operation)
      transaction.end.close()
    } else transaction.end.send({ rows: transaction.rows } satisfies PostgresReply)
  }

  private refuse(transaction: PostgresTransaction, { code, reason }: PostgresRefusal): void {
    this.note(transaction, parseInt(code, 36))
    this.world.tell(() => `${this.host}: ${transaction.request.operation}: ${code} ${reason}`)
    this.end(transaction)
    transaction.end.send({ code, reason } satisfies PostgresReply)
  }

  private end(transaction: PostgresTransaction): void {
    transaction.isOver = true
    this.running.delete(transaction)
    this.locks.release(transaction)
  }

  private note({ request }: PostgresTransaction, outcome: number): void {
    this.world.note(this.world.now)
    this.world.note(request.text.length)
    for (const value of request.values) if (typeof value === "number") this.world.note(value)
    this.world.note(outcome)
  }

  private get slowFactor(): number {
    return this.world.now < this.slowness.until ? this.slowness.factor : 1
  }

  private flushTime(): number {
    const { world } = this
    const late = world.dice.below(FLUSH_LATE_ONE_IN) === 0 ? world.between(0, FLUSH_LATE_MAX) : 0
    return Math.round((world.between(FLUSH_MIN, FLUSH_MAX) + late) * this.slowFactor)
  }
}
