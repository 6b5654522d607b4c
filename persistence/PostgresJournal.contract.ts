/**
 * What becomes of appends that go wrong on their way to Postgres, as tests: over the real one and the simulated one.
 * It knows nothing of how a fault is brought about.
 */
import * as Chain from "#persistence/Chain.ts"
import { expectHead, expectRows, rowAfter } from "#persistence/Journal.contract.ts"
import type { JournalService } from "#persistence/Journal.ts"
import type { Suite } from "#persistence/Suite.testing.ts"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { expect } from "vitest"

const MIB = 1024 * 1024
/** Statement limit of a client that shall give up, in milliseconds. */
export const SHORT = 250

export interface TroubledWriter {
  /** Over one connection, which gives a statement up after `SHORT`; its server knows no limit. */
  readonly journal: JournalService
  /** From now on what it appends is done, but it does not hear of it. The result gives it connections again. */
  readonly loseReplies: Effect.Effect<{ readonly regain: Effect.Effect<void> }>
}

/** A journal in a Postgres to which things can happen. */
export class TroubledJournal extends Context.Tag("cadastre/test/TroubledJournal")<TroubledJournal, {
  /** What no fault touches. */
  readonly journal: JournalService
  readonly makeWriter: Effect.Effect<TroubledWriter, unknown, Scope.Scope>
  /** A transaction that holds the zone's row until it is ended. */
  readonly lockZone: (
    zone: number
  ) => Effect.Effect<{ readonly unlock: Effect.Effect<void, unknown> }, unknown, Scope.Scope>
  /** How many statements wait for a lock. */
  readonly waiting: Effect.Effect<number, unknown>
  /** Ends the connections of those. */
  readonly endWaiting: Effect.Effect<void, unknown>
  /** How many appends the server has at work. */
  readonly appending: Effect.Effect<number, unknown>
}>() {}

/** A writer with one row appended, so that its connection stands and the statement is known. */
const writerOf = (zone: number) =>
  Effect.gen(function*() {
    const { journal, makeWriter } = yield* TroubledJournal
    const { journal: writer, loseReplies } = yield* makeWriter
    const { epoch } = yield* journal.claim(zone, "writer")
    const first = rowAfter(Chain.START, { zone, epoch })
    yield* writer.append(first)
    return { loseReplies, writer, first, next: rowAfter(Chain.headOf(first), { zone, epoch }) }
  })

const lock = (zone: number) => Effect.flatMap(TroubledJournal, ({ lockZone }) => lockZone(zone))

const soon = Schedule.spaced(Duration.millis(5))

/** Until so many statements wait for a lock. */
const awaitWaiting = (count: number) =>
  Effect.flatMap(
    TroubledJournal,
    ({ waiting }) => Effect.repeat(waiting, { until: (found) => found === count, schedule: soon })
  )

const awaitNoAppend = Effect.flatMap(
  TroubledJournal,
  ({ appending }) => Effect.repeat(appending, { until: (found) => found === 0, schedule: soon })
)

/** To connect anew may take longer than a writer's limit. */
const againAndAgain = Effect.retry({ times: 20 })

export const contract = (suite: Suite<TroubledJournal>): void =>
  suite((test) => {
    test("one that waits past its limit may land later, and a claim after it sees the row", () =>
      Effect.gen(function*() {
        const zone = 1
        const { journal } = yield* TroubledJournal
        const { first, next, writer } = yield* writerOf(zone)
        const { unlock } = yield* lock(zone)
        expect(yield* Effect.flip(writer.append(next))).toMatchObject({
          _tag: "JournalUnavailable",
          operation: "append",
          uncertain: true
        })
        expectHead(yield* journal.head(zone), Chain.headOf(first))
        const claim = yield* Effect.fork(journal.claim(zone, "next"))
        yield* awaitWaiting(2)
        yield* unlock
        expectHead((yield* Fiber.join(claim)).head, Chain.headOf(next))
        expectRows(yield* journal.read(zone, 0, 10, MIB), [first, next])
      }))

    test("one that waits past its limit can never land after a claim", () =>
      Effect.gen(function*() {
        const zone = 2
        const { journal } = yield* TroubledJournal
        const { first, next, writer } = yield* writerOf(zone)
        const { unlock } = yield* lock(zone)
        // First come, first served: the claim goes before the append.
        const claim = yield* Effect.fork(journal.claim(zone, "next"))
        yield* awaitWaiting(1)
        const append = yield* Effect.fork(Effect.flip(writer.append(next)))
        yield* awaitWaiting(2)
        expect(yield* Fiber.join(append)).toMatchObject({ _tag: "JournalUnavailable", uncertain: true })
        yield* unlock
        const { epoch, head } = yield* Fiber.join(claim)
        expectHead(head, Chain.headOf(first))
        yield* awaitWaiting(0)
        yield* awaitNoAppend
        expectHead(yield* journal.head(zone), Chain.headOf(first))
        const row = rowAfter(head, { zone, epoch })
        yield* journal.append(row)
        expectRows(yield* journal.read(zone, 0, 10, MIB), [first, row])
      }))

    test("one that waits behind a claim is fenced", () =>
      Effect.gen(function*() {
        const zone = 3
        const { journal } = yield* TroubledJournal
        const { epoch } = yield* journal.claim(zone, "old")
        const { unlock } = yield* lock(zone)
        const claim = yield* Effect.fork(journal.claim(zone, "next"))
        yield* awaitWaiting(1)
        const append = yield* Effect.fork(Effect.flip(journal.append(rowAfter(Chain.START, { zone, epoch }))))
        yield* awaitWaiting(2)
        yield* unlock
        expect(yield* Fiber.join(append)).toMatchObject({ _tag: "Fenced", zone, epoch })
        expect((yield* Fiber.join(claim)).head).toEqual(Chain.START)
      }))

    test("one whose reply is lost is in the head that the next claim gives", () =>
      Effect.gen(function*() {
        const zone = 4
        const { journal } = yield* TroubledJournal
        const { first, loseReplies, next, writer } = yield* writerOf(zone)
        const { regain } = yield* loseReplies
        const append = yield* Effect.fork(Effect.flip(writer.append(next)))
        yield* Effect.repeat(journal.head(zone), {
          until: ({ sequence }) => sequence === next.last,
          schedule: Schedule.spaced(Duration.millis(5))
        })
        yield* regain
        expect(yield* Fiber.join(append)).toMatchObject({ _tag: "JournalUnavailable", uncertain: true })
        expectHead((yield* journal.claim(zone, "next")).head, Chain.headOf(next))
        expectRows(yield* againAndAgain(writer.read(zone, 0, 10, MIB)), [first, next])
      }))

    test("one whose connection is ended while it waits is not there, and its writer cannot know that", () =>
      Effect.gen(function*() {
        const zone = 5
        const { endWaiting, journal } = yield* TroubledJournal
        const { first, next, writer } = yield* writerOf(zone)
        const { unlock } = yield* lock(zone)
        const append = yield* Effect.fork(Effect.flip(writer.append(next)))
        yield* awaitWaiting(1)
        yield* endWaiting
        expect(yield* Fiber.join(append)).toMatchObject({ _tag: "JournalUnavailable", uncertain: true })
        yield* unlock
        expectHead((yield* journal.claim(zone, "next")).head, Chain.headOf(first))
        expectHead(yield* againAndAgain(writer.head(zone)), Chain.headOf(first))
      }))

    test("one that the server refuses wrote nothing, and says so", () =>
      Effect.gen(function*() {
        const { journal } = yield* TroubledJournal
        const { epoch } = yield* journal.claim(6, "writer")
        const impossible = { ...rowAfter(Chain.START, { zone: 6, epoch }), codec: 2 ** 20 }
        expect(yield* Effect.flip(journal.append(impossible))).toMatchObject({
          _tag: "JournalUnavailable",
          uncertain: false
        })
        expect(yield* journal.head(6)).toEqual(Chain.START)
      }))
  })
