/**
 * A process of the world: its fibers, its clock, its random numbers, its end. It may be killed between any two of
 * its tasks, as `kill -9` does: nothing of it runs any more, no finaliser either. Frozen, it keeps everything and
 * does nothing, until it wakes.
 *
 * Its monotonic clock is off by a constant and drifts; its wall clock may jump.
 */
import type { World } from "#simulations/world/World.ts"
import { MILLI } from "#simulations/world/World.ts"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as HashSet from "effect/HashSet"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Random from "effect/Random"
import type { Scheduler } from "effect/Scheduler"

/** The world begins here: seconds since 1970. */
const EPOCH_MILLIS = 1_700_000_000_000
/** Steps of a fiber before another one gets a turn; the dice choose below it. */
const STEPS_MAX = 2048

export interface ProcessOptions {
  /** Told of each line that it logs. */
  readonly onLog?: (level: LogLevel.LogLevel, message: string) => void
  /** Told what it died of by itself. */
  readonly onDefect?: (cause: string) => void
}

export class Process {
  readonly world: World
  readonly name: string
  /** Told once, when it is dead. */
  readonly onDeath = new Set<() => void>()
  private state: "runs" | "frozen" | "dead" = "runs"
  /** What it has to do, in order, from `head` on. */
  private queue: Array<() => void> = []
  private head = 0
  private readonly clock: ProcessClock
  private readonly scheduler: Scheduler
  private readonly equipped: <A, E>(program: Effect.Effect<A, E>) => Effect.Effect<A, E>
  private readonly options: ProcessOptions

  constructor(world: World, name: string, options: ProcessOptions = {}) {
    this.world = world
    this.name = name
    world.processes.add(this)
    this.options = options
    this.clock = new ProcessClock(world, this)
    this.scheduler = {
      shouldYield: (fiber) => fiber.currentOpCount > this.steps ? this.yielded() : false,
      scheduleTask: (task) => world.soon(this, task)
    }
    const random = Random.make(world.dice.below(2 ** 31))
    const logger = Logger.make(({ logLevel, message }) => {
      const text = Array.isArray(message) ? message.map(String).join(" ") : String(message)
      world.tell(() => `${this.name}: ${logLevel.label.toLowerCase()}: ${text}`)
      options.onLog?.(logLevel, text)
    })
    const loggers = HashSet.make(logger)
    // Not layers, which would be built anew for every program.
    this.equipped = (program) =>
      program.pipe(
        Effect.withClock(this.clock),
        Effect.withRandom(random),
        Effect.withTracerEnabled(false),
        Effect.locally(FiberRef.currentLoggers, loggers),
        Effect.locally(FiberRef.currentMinimumLogLevel, LogLevel.Info)
      )
  }

  get isDead(): boolean {
    return this.state === "dead"
  }

  get isFrozen(): boolean {
    return this.state === "frozen"
  }

  /** Runs a program in it. One that fails or dies of itself leaves word of it. */
  run<A, E>(program: Effect.Effect<A, E>, done: (exit: Exit.Exit<A, E>) => void = () => undefined): void {
    this.world.soon(this, () => {
      const fiber = Effect.runFork(this.equipped(program), { scheduler: this.scheduler })
      fiber.addObserver((exit) => {
        if (this.isDead) return
        if (Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)) {
          const cause = Cause.pretty(exit.cause)
          this.world.tell(() => `${this.name} ends: ${cause}`)
          this.options.onDefect?.(cause)
        }
        done(exit)
      })
    })
  }

  /** As `kill -9`. */
  kill(): void {
    if (this.isDead) return
    this.state = "dead"
    this.world.processes.delete(this)
    this.queue = []
    this.head = 0
    this.world.tell(() => `${this.name} is dead`)
    const tells = [...this.onDeath]
    this.onDeath.clear()
    for (const tell of tells) tell()
  }

  /** As SIGSTOP. */
  freeze(): void {
    if (this.state === "runs") this.state = "frozen"
  }

  /** As SIGCONT: what was due meanwhile is due now. */
  wake(): void {
    if (this.state !== "frozen") return
    this.state = "runs"
    if (this.head < this.queue.length) this.world.woke(this)
  }

  /** Its wall clock jumps by so many milliseconds. */
  jump(millis: number): void {
    this.clock.jumped += millis
  }

  /** Whether it has something to do and can. */
  get isBusy(): boolean {
    return this.state === "runs" && this.head < this.queue.length
  }

  /** Takes a task. Whether it is now busy and was not before. */
  enqueue(run: () => void): boolean {
    if (this.state === "dead") return false
    this.queue.push(run)
    return this.state === "runs" && this.queue.length === this.head + 1
  }

  /** Its next task, if it can do any. */
  dequeue(): (() => void) | undefined {
    if (!this.isBusy) return undefined
    const run = this.queue[this.head++]
    if (this.head === this.queue.length) {
      this.queue = []
      this.head = 0
    }
    return run
  }

  private steps = STEPS_MAX

  private yielded(): number {
    this.steps = 64 + this.world.dice.below(STEPS_MAX - 64)
    return 0
  }
}

/** Wall clocks of machines differ by so many milliseconds at most. */
const SKEW_MILLIS_MAX = 250
/** Clocks run fast or slow by so many parts in a million at most. */
const DRIFT_MAX = 200

class ProcessClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  jumped = 0
  private readonly world: World
  private readonly process: Process
  private readonly skew: number
  private readonly rate: number
  readonly currentTimeMillis = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  constructor(world: World, process: Process) {
    this.world = world
    this.process = process
    this.skew = world.between(-SKEW_MILLIS_MAX, SKEW_MILLIS_MAX)
    this.rate = 1 + world.between(-DRIFT_MAX, DRIFT_MAX) / 1_000_000
  }

  unsafeCurrentTimeMillis(): number {
    return Math.floor(EPOCH_MILLIS + this.skew + this.jumped + (this.world.now * this.rate) / MILLI)
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(EPOCH_MILLIS + this.skew) * 1_000_000n + BigInt(Math.floor(this.world.now * this.rate)) * 1000n
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const millis = Duration.toMillis(duration)
      if (!Number.isFinite(millis)) return Effect.void
      const cancel = this.world.later((millis * MILLI) / this.rate, this.process, () => resume(Effect.void))
      return Effect.sync(cancel)
    })
  }
}
