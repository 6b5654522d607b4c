/**
 * What the leases of runners promise, as tests: over the real Postgres and over the simulated one.
 * It knows nothing of how the database keeps them.
 */
import * as Database from "#persistence/Database.ts"
import * as RunnerLeases from "#persistence/RunnerLeases.ts"
import type { Suite } from "#persistence/Suite.testing.ts"
import { Runner } from "@effect/cluster/Runner"
import { RunnerAddress } from "@effect/cluster/RunnerAddress"
import { RunnerStorage } from "@effect/cluster/RunnerStorage"
import { ShardId } from "@effect/cluster/ShardId"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { expect } from "vitest"

/** Long enough never to run out in a test. */
const LONG = Duration.minutes(10)
const SHORT = Duration.millis(300)

/** What the suite does with the database that no runner does. */
export class LeaseDatabase extends Context.Tag("cadastre/test/LeaseDatabase")<LeaseDatabase, {
  /** Forgets all runners and shards. */
  readonly empty: Effect.Effect<void, Database.DatabaseError>
  /** Whether the lease at the address is over by the database's clock. */
  readonly isOver: (address: string) => Effect.Effect<boolean, Database.DatabaseError>
  /** Has the lease at the address end so many seconds from now by the database's clock. When that is. */
  readonly endIn: (address: string, seconds: number) => Effect.Effect<string, Database.DatabaseError>
  /** Whether that moment is over by the database's clock. */
  readonly isPast: (moment: string) => Effect.Effect<boolean, Database.DatabaseError>
}>() {}

const empty = Effect.flatMap(LeaseDatabase, ({ empty }) => empty)

let runners = 0

/** A runner that has not registered. It does everything by numbers of shards. */
const runnerOf = (lease: Duration.Duration, port = ++runners, patience: Duration.Duration = LONG) =>
  Effect.gen(function*() {
    const context = yield* Layer.build(Layer.fresh(RunnerLeases.layer({ lease, patience })))
    const storage = Context.get(context, RunnerStorage)
    const { held, term } = Context.get(context, RunnerLeases.RunnerLease)
    const address = new RunnerAddress({ host: "runner", port })
    const self = new Runner({ address, groups: ["zones"], weight: 1 })
    const shards = (...ids: ReadonlyArray<number>) => ids.map((id) => new ShardId({ group: "zones", id }))
    const numbers = Effect.map((found: ReadonlyArray<ShardId>) => found.map(({ id }) => id).sort((a, b) => a - b))
    return {
      address,
      self,
      term,
      held,
      holds: () => term() !== undefined,
      storage,
      register: storage.register(self, true),
      unregister: storage.unregister(address),
      acquire: (...ids: ReadonlyArray<number>) => numbers(storage.acquire(address, shards(...ids))),
      refresh: (...ids: ReadonlyArray<number>) => numbers(storage.refresh(address, shards(...ids))),
      release: (id: number) => storage.release(address, new ShardId({ group: "zones", id })),
      releaseAll: storage.releaseAll(address)
    }
  })

type TestRunner = Effect.Effect.Success<ReturnType<typeof runnerOf>>

const registered = (lease: Duration.Duration, port?: number, patience?: Duration.Duration) =>
  Effect.tap(runnerOf(lease, port, patience), ({ register }) => register)

/** The database as a runner sees it whose refreshes fare otherwise. */
const refreshedBy = (
  database: Database.DatabaseService,
  fare: (query: ReturnType<Database.DatabaseService["query"]>) => ReturnType<Database.DatabaseService["query"]>
): Database.DatabaseService =>
  Database.Database.of({
    ...database,
    query: (operation, text, values) => {
      const query = database.query(operation, text, values)
      return operation === "refresh the lease" ? fare(query) : query
    }
  })

/** Asks until the answer is as wanted. */
const until = <A, E, R>(ask: Effect.Effect<A, E, R>, isEnough: (answer: A) => boolean) =>
  Effect.repeat(ask, { until: isEnough, schedule: Schedule.spaced(Duration.millis(5)) })

/** Asks until it gets the shard. */
const acquireInTime = ({ acquire }: TestRunner, shard: number) =>
  acquire(shard).pipe(
    Effect.filterOrFail((ids) => ids.includes(shard), () => "not yet" as const),
    Effect.retry(Schedule.spaced(Duration.millis(10)))
  )

const awaitOver = ({ address }: TestRunner) =>
  Effect.flatMap(LeaseDatabase, ({ isOver }) =>
    Effect.repeat(isOver(`${address.host}:${address.port}`), {
      until: (over) => over,
      schedule: Schedule.spaced(Duration.millis(5))
    }))

/** Makes a lease end sooner, as the database sees it. When. */
const endIn = ({ address }: TestRunner, seconds: number) =>
  Effect.flatMap(LeaseDatabase, ({ endIn }) => endIn(`${address.host}:${address.port}`, seconds))

const awaitPast = (moment: string) =>
  Effect.flatMap(
    LeaseDatabase,
    ({ isPast }) =>
      Effect.repeat(isPast(moment), { until: (past) => past, schedule: Schedule.spaced(Duration.millis(5)) })
  )

/** A clock that stands still but for what it is moved by hand. */
class HandClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private nanos = 1_700_000_000_000_000_000n
  readonly currentTimeMillis = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  unsafeCurrentTimeMillis(): number {
    return Number(this.nanos / 1_000_000n)
  }

  unsafeCurrentTimeNanos(): bigint {
    return this.nanos
  }

  /** Nobody sleeps long enough to wake. */
  sleep(): Effect.Effect<void> {
    return Effect.never
  }

  move(by: Duration.Duration): Effect.Effect<void> {
    return Effect.sync(() => {
      this.nanos += BigInt(Math.round(Duration.toMillis(by) * 1e6))
    })
  }
}

/** Runs it by a clock of its own. */
const byHand = <A, E, R>(body: (clock: HandClock) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const clock = new HandClock()
    return Effect.withClock(body(clock), clock)
  })

export const contract = (suite: Suite<Database.Database | LeaseDatabase>): void =>
  suite((test) => {
    test("list who has registered, in that order, until he leaves", () =>
      Effect.gen(function*() {
        yield* empty
        const [a, b] = [yield* runnerOf(LONG), yield* runnerOf(LONG)]
        expect(yield* a.storage.getRunners).toEqual([])
        const machines = [yield* b.register, yield* a.register]
        expect(machines[1]).toBeGreaterThan(machines[0]!)
        expect(yield* a.storage.getRunners).toEqual([[b.self, true], [a.self, true]])
        expect(yield* b.register).toBe(machines[0])
        expect(yield* b.storage.getRunners).toEqual([[b.self, true], [a.self, true]])
        yield* b.unregister
        yield* b.unregister
        expect(yield* b.storage.getRunners).toEqual([[a.self, true]])
      }))

    test("keep what is judged of a runner's health, and call one unhealthy whose lease is over", () =>
      Effect.gen(function*() {
        yield* empty
        const [a, b] = [yield* registered(LONG), yield* registered(LONG)]
        const health = Effect.map(a.storage.getRunners, (found) => found.map(([, healthy]) => healthy))
        expect(yield* health).toEqual([true, true])
        yield* b.storage.setRunnerHealth(a.address, false)
        expect(yield* health).toEqual([false, true])
        yield* b.storage.setRunnerHealth(a.address, true)
        yield* a.storage.register(a.self, false)
        expect((yield* health)[0]).toBe(false)
        yield* endIn(b, 0)
        expect(yield* health).toEqual([false, false])
        yield* b.refresh()
        expect((yield* health)[1]).toBe(true)
      }))

    test("give a runner the shards that are free, and no others", () =>
      Effect.gen(function*() {
        yield* empty
        const [a, b] = [yield* registered(LONG), yield* registered(LONG)]
        expect(yield* a.acquire(1, 2, 3)).toEqual([1, 2, 3])
        expect(yield* b.acquire(2, 3, 4)).toEqual([4])
        expect(yield* a.acquire(3, 4, 5)).toEqual([3, 5])
        expect(yield* a.refresh(1, 2, 3, 5)).toEqual([1, 2, 3, 5])
        expect(yield* b.refresh(4)).toEqual([4])
        expect(yield* b.acquire()).toEqual([])
      }))

    test("give each shard to one of those who ask at the same time, in whatever order they ask", () =>
      Effect.gen(function*() {
        yield* empty
        const rivals = yield* Effect.forEach([1, 2, 3, 4, 5, 6], () => registered(LONG))
        for (let round = 0; round < 10; round++) {
          const ids = Array.from({ length: 256 }, (_, id) => round * 256 + id + 1)
          const taken = yield* Effect.forEach(
            rivals,
            ({ acquire }, index) => acquire(...(index % 2 === 0 ? ids : ids.toReversed())),
            { concurrency: "unbounded" }
          )
          expect(taken.flat().sort((a, b) => a - b)).toEqual(ids)
        }
      }))

    test("give a shard on once it is released, and not a moment before", () =>
      Effect.gen(function*() {
        yield* empty
        const [a, b] = [yield* registered(LONG), yield* registered(LONG)]
        yield* a.acquire(1, 2, 3)
        yield* b.release(1)
        yield* b.releaseAll
        expect(yield* b.acquire(1, 2, 3)).toEqual([])
        yield* a.release(1)
        expect(yield* b.acquire(1, 2, 3)).toEqual([1])
        yield* a.releaseAll
        expect(yield* b.acquire(1, 2, 3)).toEqual([1, 2, 3])
        expect(yield* a.refresh()).toEqual([])
      }))

    test("give a runner's shards on when it unregisters", () =>
      Effect.gen(function*() {
        yield* empty
        const [a, b] = [yield* registered(LONG), yield* registered(LONG)]
        yield* a.acquire(1, 2)
        expect(yield* b.acquire(1, 2)).toEqual([])
        yield* a.unregister
        expect(yield* b.acquire(1, 2)).toEqual([1, 2])
        expect(yield* a.refresh(1, 2)).toEqual([])
      }))

    test("give a silent runner's shards on once its lease is over, and not before", () =>
      Effect.gen(function*() {
        yield* empty
        const b = yield* registered(LONG)
        const a = yield* runnerOf(SHORT)
        const before = yield* Clock.currentTimeNanos
        yield* a.register
        yield* a.acquire(1, 2)
        expect(yield* acquireInTime(b, 1)).toEqual([1])
        const after = yield* Clock.currentTimeNanos
        expect(Number(after - before) / 1e6).toBeGreaterThanOrEqual(Duration.toMillis(SHORT))
        expect(a.holds()).toBe(false)
        // What nobody wanted is lost too: somebody may have had it.
        expect(yield* a.refresh(1, 2)).toEqual([])
        expect(yield* b.acquire(1, 2)).toEqual([1, 2])
        expect(a.holds()).toBe(true)
      }))

    test("give a runner that overslept its shards again if it asks first", () =>
      Effect.gen(function*() {
        yield* empty
        const [a, b] = [yield* registered(LONG), yield* registered(LONG)]
        yield* a.acquire(1, 2)
        yield* endIn(a, 0)
        expect(yield* a.refresh(1, 2)).toEqual([])
        expect(yield* a.acquire(2)).toEqual([2])
        expect(yield* a.refresh(2)).toEqual([2])
        expect(yield* b.acquire(1, 2)).toEqual([1])
      }))

    test("give a shard to one of two when its owner wakes just as it is taken", () =>
      Effect.gen(function*() {
        yield* empty
        const [a, b] = [yield* registered(LONG), yield* registered(LONG)]
        const ids = [1, 2, 3, 4, 5, 6, 7, 8]
        for (let round = 0; round < 40; round++) {
          expect(yield* a.acquire(...ids)).toEqual(ids)
          // Now and then it is over while they wait for each other.
          yield* endIn(a, round % 2 === 0 ? 0 : round / 20_000)
          const [kept, taken] = yield* Effect.all(
            round % 4 < 2 ? [a.refresh(...ids), b.acquire(...ids)] : [
              Effect.zipRight(Effect.yieldNow(), a.refresh(...ids)),
              b.acquire(...ids)
            ],
            { concurrency: "unbounded" }
          )
          expect(kept.filter((id) => taken.includes(id))).toEqual([])
          expect([0, ids.length]).toContain(taken.length)
          yield* b.releaseAll
        }
      }))

    test("give a shard to one of two when its owner leaves and comes back as it is taken", () =>
      Effect.gen(function*() {
        yield* empty
        const [a, b] = [yield* registered(LONG), yield* registered(LONG)]
        for (let round = 0; round < 20; round++) {
          expect(yield* a.acquire(1)).toEqual([1])
          const back = Effect.zipRight(a.unregister, Effect.zipRight(a.register, a.acquire(1)))
          const [kept, taken] = yield* Effect.all([back, b.acquire(1)], { concurrency: "unbounded" })
          expect([...kept, ...taken]).toEqual([1])
          yield* b.releaseAll
        }
      }))

    test("last longer when they are refreshed, and no longer when not", () =>
      Effect.gen(function*() {
        yield* empty
        const [a, b] = [yield* registered(LONG), yield* registered(LONG)]
        yield* a.acquire(1, 2)
        const end = yield* endIn(a, 0.05)
        expect(yield* a.refresh(1, 2)).toEqual([1, 2])
        yield* awaitPast(end)
        expect(yield* b.acquire(1, 2)).toEqual([])
        yield* awaitPast(yield* endIn(a, 0.05))
        expect(yield* b.acquire(1)).toEqual([1])
        expect(yield* a.refresh(1, 2)).toEqual([])
      }))

    test("give a runner that comes back at its address its shards at once", () =>
      Effect.gen(function*() {
        yield* empty
        const before = yield* registered(LONG)
        const other = yield* registered(LONG)
        yield* before.acquire(1, 2)
        yield* other.acquire(3)
        const after = yield* registered(LONG, before.address.port)
        expect(yield* after.acquire(1, 2, 3)).toEqual([1, 2])
        expect(yield* other.acquire(1, 2)).toEqual([])
      }))

    test("forget runners that have been gone for long", () =>
      Effect.gen(function*() {
        yield* empty
        const gone = yield* registered(LONG)
        yield* endIn(gone, -25 * 3600)
        const a = yield* registered(LONG)
        expect(yield* a.storage.getRunners).toEqual([[a.self, true]])
        yield* gone.register
      }))

    test("are not held before a runner registers, and are when it has", () =>
      Effect.gen(function*() {
        yield* empty
        const a = yield* runnerOf(LONG)
        expect(a.holds()).toBe(false)
        yield* a.acquire(1)
        expect(a.holds()).toBe(false)
        yield* a.register
        expect(a.holds()).toBe(true)
      }))

    test("are never held by a runner's own clock when they are over by the database's", () =>
      Effect.gen(function*() {
        yield* empty
        const a = yield* registered(SHORT)
        yield* awaitOver(a)
        expect(a.holds()).toBe(false)
      }))

    test("are over for their runner a tenth early, counted from before it asked", () =>
      byHand((clock) =>
        Effect.gen(function*() {
          yield* empty
          const { query } = yield* Database.Database
          const slow = Database.Database.of({
            query: (operation, text, values) =>
              Effect.zipRight(clock.move(Duration.seconds(2)), query(operation, text, values)),
            script: () => Effect.void
          })
          const a = yield* Effect.provideService(runnerOf(Duration.seconds(100)), Database.Database, slow)
          yield* a.register
          yield* clock.move(Duration.millis(87_999))
          expect(a.holds()).toBe(true)
          yield* clock.move(Duration.millis(1))
          expect(a.holds()).toBe(false)
          yield* a.refresh()
          yield* clock.move(Duration.millis(87_999))
          expect(a.holds()).toBe(true)
          yield* clock.move(Duration.millis(1))
          expect(a.holds()).toBe(false)
        })
      ))

    test("are one and the same while they are refreshed in time, and others afterwards", () =>
      byHand((clock) =>
        Effect.gen(function*() {
          yield* empty
          const { query } = yield* Database.Database
          let took = Duration.zero
          const slow = Database.Database.of({
            query: (operation, text, values) => Effect.tap(query(operation, text, values), () => clock.move(took)),
            script: () => Effect.void
          })
          const a = yield* Effect.provideService(registered(Duration.seconds(100)), Database.Database, slow)
          const first = a.term()
          expect(first).toBeDefined()
          for (let round = 0; round < 3; round++) {
            yield* clock.move(Duration.seconds(60))
            yield* a.refresh()
            expect(a.term()).toBe(first)
          }
          yield* clock.move(Duration.seconds(90))
          yield* a.refresh()
          const second = a.term()
          expect(second).not.toBe(first)
          // Asked in time but answered too late: nobody knows when the database did it.
          yield* clock.move(Duration.seconds(80))
          took = Duration.seconds(10)
          yield* a.refresh()
          expect(a.holds()).toBe(true)
          expect(a.term()).not.toBe(second)
        })
      ))

    test("are others when the database says that they were over, whatever their runner's clock says", () =>
      Effect.gen(function*() {
        yield* empty
        const a = yield* registered(LONG)
        const first = a.term()
        yield* a.refresh()
        expect(a.term()).toBe(first)
        yield* endIn(a, 0)
        yield* a.refresh()
        expect(a.holds()).toBe(true)
        expect(a.term()).not.toBe(first)
      }))

    test("can be waited for", () =>
      byHand((clock) =>
        Effect.gen(function*() {
          yield* empty
          const a = yield* runnerOf(Duration.seconds(100))
          const waiting = yield* Effect.fork(a.held)
          yield* Effect.yieldNow()
          expect(waiting.unsafePoll()).toBeNull()
          yield* a.register
          expect(yield* Fiber.join(waiting)).toBe(a.term())
          expect(yield* a.held).toBe(a.term())
          yield* clock.move(Duration.seconds(90))
          const again = yield* Effect.fork(a.held)
          yield* Effect.yieldNow()
          expect(again.unsafePoll()).toBeNull()
          yield* a.refresh()
          expect(yield* Fiber.join(again)).toBe(a.term())
        })
      ))

    test("are not extended by a refresh that fails, and keep their shards until they are over", () =>
      byHand((clock) =>
        Effect.gen(function*() {
          yield* empty
          const database = yield* Database.Database
          let fails = false
          const failing = refreshedBy(
            database,
            (query) =>
              fails
                ? Effect.fail(
                  new Database.DatabaseError({ operation: "refresh the lease", reason: "lost", uncertain: true })
                )
                : query
          )
          const a = yield* Effect.provideService(registered(Duration.seconds(100)), Database.Database, failing)
          yield* a.acquire(1, 2)
          expect(yield* a.refresh(1, 2)).toEqual([1, 2])
          fails = true
          yield* clock.move(Duration.seconds(80))
          expect(yield* a.refresh(1, 2)).toEqual([1, 2])
          expect(a.holds()).toBe(true)
          yield* clock.move(Duration.seconds(10))
          expect(a.holds()).toBe(false)
          expect((yield* Effect.flip(a.refresh(1, 2)))._tag).toBe("PersistenceError")
        })
      ))

    test("keep their shards while the database is late, and are extended by what it says then", () =>
      Effect.gen(function*() {
        yield* empty
        const database = yield* Database.Database
        const late = yield* Effect.makeLatch(true)
        const slow = refreshedBy(database, (query) => late.whenOpen(query))
        const a = yield* Effect.provideService(
          registered(LONG, undefined, Duration.millis(1)),
          Database.Database,
          slow
        )
        const b = yield* registered(LONG)
        yield* a.acquire(1, 2)
        yield* late.close
        expect(yield* a.refresh(1, 2)).toEqual([1, 2])
        const end = yield* endIn(a, 2)
        yield* late.open
        yield* awaitPast(end)
        expect(yield* b.acquire(1, 2)).toEqual([])
      }))

    test("keep what is acquired while they are refreshed", () =>
      Effect.gen(function*() {
        yield* empty
        const database = yield* Database.Database
        const late = yield* Effect.makeLatch(true)
        let looked = false
        const slow = refreshedBy(database, (query) =>
          query.pipe(
            Effect.tap(() => Effect.sync(() => void (looked = true))),
            Effect.zipLeft(late.await)
          ))
        const patient = yield* Effect.provideService(registered(LONG), Database.Database, slow)
        yield* patient.acquire(1)
        yield* late.close
        const refreshed = yield* Effect.fork(patient.refresh(1))
        yield* until(Effect.sync(() => looked), (done) => done)
        expect(yield* patient.acquire(2)).toEqual([2])
        yield* late.open
        expect(yield* Fiber.join(refreshed)).toEqual([1, 2])

        const hasty = yield* Effect.provideService(
          registered(LONG, undefined, Duration.millis(1)),
          Database.Database,
          slow
        )
        yield* hasty.acquire(3)
        yield* late.close
        yield* hasty.acquire(4)
        expect(yield* hasty.refresh(3)).toEqual([3, 4])
        yield* late.open
      }))

    test("that were over and are there again are not kept for a database that is late", () =>
      Effect.gen(function*() {
        yield* empty
        const database = yield* Database.Database
        const late = yield* Effect.makeLatch(true)
        const slow = refreshedBy(database, (query) => late.whenOpen(query))
        const a = yield* Effect.provideService(
          registered(LONG, undefined, Duration.millis(1)),
          Database.Database,
          slow
        )
        yield* a.acquire(1, 2)
        const first = a.term()
        yield* late.close
        expect(yield* a.refresh(1, 2)).toEqual([1, 2])
        yield* endIn(a, 0)
        yield* late.open
        yield* until(Effect.sync(a.term), (term) => term !== first)
        yield* late.close
        const told = yield* Effect.fork(a.refresh(1, 2))
        yield* late.open
        expect(yield* Fiber.join(told)).toEqual([])
      }))

    test("are not held by a runner that has left, whatever it refreshes", () =>
      Effect.gen(function*() {
        yield* empty
        const a = yield* registered(LONG)
        yield* a.acquire(1)
        yield* a.unregister
        expect(a.holds()).toBe(false)
        yield* a.refresh(1)
        expect(a.holds()).toBe(false)
        yield* a.register
        expect(a.holds()).toBe(true)
      }))
  })
