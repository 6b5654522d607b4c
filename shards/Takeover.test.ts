import { Departures, watchful } from "#shards/Takeover.ts"
import { PersistenceError } from "@effect/cluster/ClusterError"
import { Runner } from "@effect/cluster/Runner"
import { RunnerAddress } from "@effect/cluster/RunnerAddress"
import * as RunnerStorage from "@effect/cluster/RunnerStorage"
import { ShardId } from "@effect/cluster/ShardId"
import { it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { describe, expect } from "vitest"

const self = new RunnerAddress({ host: "runner", port: 1 })
const other = new RunnerAddress({ host: "runner", port: 2 })
const shards = (...ids: ReadonlyArray<number>) => ids.map((id) => new ShardId({ group: "zones", id }))
const GATHERING = Duration.millis(150)

/** A storage whose free shards the test sets, and what it was asked. */
const storageOf = (answer: (asked: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<number>, PersistenceError>) =>
  Effect.gen(function*() {
    const asked: Array<ReadonlyArray<number>> = []
    const gone: Array<string> = []
    const inner = yield* RunnerStorage.makeMemory
    const storage = yield* watchful(
      {
        ...inner,
        getRunners: Effect.succeed([
          [new Runner({ address: self, groups: ["zones"], weight: 1 }), true],
          [new Runner({ address: other, groups: ["zones"], weight: 1 }), false]
        ]),
        acquire: (_address, ids) =>
          Effect.suspend(() => {
            const numbers = Array.from(ids, ({ id }) => id)
            asked.push(numbers)
            return Effect.map(answer(numbers), (free) => shards(...free))
          })
      },
      { gathering: GATHERING, onGone: ({ port }) => Effect.sync(() => void gone.push(`runner:${port}`)) }
    )
    const acquire = (...ids: ReadonlyArray<number>) =>
      Effect.map(storage.acquire(self, shards(...ids)), (found) => found.map(({ id }) => id).sort((a, b) => a - b))
    return { acquire, asked, gone, storage }
  })

describe("a watchful storage", () => {
  it.scoped("does not answer before a shard is free, and then at the next look", () =>
    Effect.gen(function*() {
      let free: ReadonlyArray<number> = []
      const { acquire } = yield* storageOf((asked) => Effect.sync(() => asked.filter((id) => free.includes(id))))
      const fiber = yield* Effect.fork(acquire(1, 2))
      yield* TestClock.adjust(Duration.seconds(2))
      expect(fiber.unsafePoll()).toBeNull()
      free = [1, 2]
      yield* TestClock.adjust(Duration.millis(50))
      expect(yield* Fiber.join(fiber)).toEqual([1, 2])
    }))

  it.scoped("gathers shards that come free one after the other, and does not wait for the last", () =>
    Effect.gen(function*() {
      let free: ReadonlyArray<number> = [1]
      const { acquire, asked } = yield* storageOf((ids) => Effect.sync(() => ids.filter((id) => free.includes(id))))
      const fiber = yield* Effect.fork(acquire(1, 2, 3))
      yield* TestClock.adjust(Duration.millis(60))
      expect(fiber.unsafePoll()).toBeNull()
      free = [1, 2]
      yield* TestClock.adjust(GATHERING)
      expect(yield* Fiber.join(fiber)).toEqual([1, 2])
      expect(asked.at(-1)).toEqual([2, 3])
    }))

  it.scoped("gives the next who asks what was being asked for when it was given up", () =>
    Effect.gen(function*() {
      const slow = yield* Effect.makeLatch(false)
      const { acquire, asked } = yield* storageOf((ids) => slow.whenOpen(Effect.succeed(ids)))
      const first = yield* Effect.fork(Effect.timeoutOption(acquire(1, 2), Duration.millis(300)))
      yield* TestClock.adjust(Duration.millis(300))
      expect((yield* Fiber.join(first))._tag).toBe("None")
      yield* slow.open
      expect(yield* acquire(1, 2)).toEqual([1, 2])
      expect(asked).toEqual([[1, 2]])
    }))

  it.scoped("says what fails, and asks anew afterwards", () =>
    Effect.gen(function*() {
      let fails = true
      const { acquire } = yield* storageOf((ids) =>
        Effect.suspend(() => fails ? Effect.fail(new PersistenceError({ cause: "lost" })) : Effect.succeed(ids))
      )
      expect((yield* Effect.flip(acquire(1)))._tag).toBe("PersistenceError")
      fails = false
      expect(yield* acquire(1)).toEqual([1])
    }))

  it.scoped("tells of runners that are not well whenever they are listed", () =>
    Effect.gen(function*() {
      const { gone, storage } = yield* storageOf(() => Effect.succeed([]))
      yield* storage.getRunners
      yield* storage.getRunners
      expect(gone).toEqual(["runner:2", "runner:2"])
    }))
})

it.effect("a departure is told to those who are connected then, and to nobody who comes later", () =>
  Effect.gen(function*() {
    const departures = new Departures()
    yield* departures.tell("runner:2")
    const waiting = yield* Effect.fork(
      Effect.all([departures.of("runner:2"), departures.of("runner:2")], { concurrency: "unbounded" })
    )
    const elsewhere = yield* Effect.fork(departures.of("runner:3"))
    yield* TestClock.adjust(Duration.millis(1))
    expect(waiting.unsafePoll()).toBeNull()
    yield* departures.tell("runner:2")
    yield* Fiber.join(waiting)
    const later = yield* Effect.fork(departures.of("runner:2"))
    yield* TestClock.adjust(Duration.millis(1))
    expect(later.unsafePoll()).toBeNull()
    expect(elsewhere.unsafePoll()).toBeNull()
    yield* Fiber.interruptAll([later, elsewhere])
  }))
