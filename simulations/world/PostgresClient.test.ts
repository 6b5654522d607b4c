import * as Chain from "#persistence/Chain.ts"
import { Database } from "#persistence/Database.ts"
import { expectHead, expectRows, rowAfter } from "#persistence/Journal.contract.ts"
import { Journal } from "#persistence/Journal.ts"
import * as PostgresJournal from "#persistence/PostgresJournal.ts"
import * as RunnerLeases from "#persistence/RunnerLeases.ts"
import * as PostgresClient from "#simulations/world/PostgresClient.ts"
import type { PostgresFault } from "#simulations/world/PostgresFaults.ts"
import { makeWorld, type PostgresWorld, runIn } from "#simulations/world/PostgresWorld.testing.ts"
import { Process } from "#simulations/world/Process.ts"
import { MILLI, SECOND } from "#simulations/world/World.ts"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { describe, expect, it } from "vitest"

const ZONE = 3
const MIB = 1024 * 1024
const { CLAIM, HEAD } = PostgresJournal

/** Runs it in worlds of several seeds. */
const worlds = (name: string, body: (test: PostgresWorld) => void): void =>
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(`${name} (seed %i)`, (seed) => body(makeWorld(seed)))

const journalOf = ({ connect }: PostgresWorld, options?: Partial<PostgresClient.PostgresClientOptions>) =>
  Effect.map(
    Layer.build(Layer.provide(PostgresJournal.layer, Layer.scoped(Database, connect(options)))),
    Context.get(Journal)
  )

/** Sees the answer of the database at last. */
const surely = Effect.retry(Schedule.spaced(Duration.millis(50)))

describe("the simulated server's faults", () => {
  const outcomes: ReadonlyArray<readonly [PostgresFault, "never" | "ever" | "perhaps"]> = [
    ["crash on receipt", "never"],
    ["crash before commit", "never"],
    ["crash during commit", "perhaps"],
    ["crash before reply", "ever"],
    ["lose the reply", "ever"]
  ]
  for (const [fault, isThere] of outcomes) {
    it(`"${fault}": the append is there ${isThere}, its writer cannot tell, and what was there stays`, () => {
      const seen = new Set<boolean>()
      for (let seed = 1; seed <= 30; seed++) {
        const test = makeWorld(seed)
        runIn(
          test,
          Effect.gen(function*() {
            const journal = yield* journalOf(test)
            const { epoch } = yield* journal.claim(ZONE, "a")
            const first = rowAfter(Chain.START, { zone: ZONE, epoch })
            yield* journal.append(first)
            const next = rowAfter(Chain.headOf(first), { zone: ZONE, epoch })
            test.server.inject(fault, "append")
            expect(yield* Effect.flip(journal.append(next))).toMatchObject({
              _tag: "JournalUnavailable",
              uncertain: true
            })
            const { head } = yield* surely(journal.claim(ZONE, "b"))
            seen.add(head.sequence === next.last)
            expectHead(head, Chain.headOf(head.sequence === next.last ? next : first))
          })
        )
        expect(test.world.faults.get(`postgres ${fault}`)).toBe(1)
      }
      expect(seen).toEqual(new Set(isThere === "perhaps" ? [true, false] : [isThere === "ever"]))
    })
  }

  for (const fault of ["stick at once", "stick with its locks"] as const) {
    worlds(`"${fault}": the server gives the statement up at its limit, and nothing was done`, (test) =>
      runIn(
        test,
        Effect.gen(function*() {
          const journal = yield* journalOf(test, { statementMillisMax: 60_000, serverMillisMax: 1000 })
          test.server.inject(fault, "claim")
          const stuck = yield* Effect.fork(Effect.flip(journal.claim(ZONE, "a")))
          yield* Effect.sleep(Duration.millis(500))
          const { epoch } = yield* journal.claim(ZONE, "b")
          expect(yield* Fiber.join(stuck)).toMatchObject({ uncertain: false, reason: expect.stringMatching(/57014/) })
          expect(epoch).toBe(1)
          expect((yield* journal.claim(ZONE, "c")).epoch).toBe(2)
        })
      ))
  }

  worlds("a crash loses nothing that was answered, at any moment, however many write", (test) => {
    const { server, world } = test
    let crashes = 0
    const isOver = (): boolean => crashes === 10
    const crash = (): void => {
      if (server.isUp) {
        crashes++
        server.crash()
      }
      if (!isOver()) world.later(world.between(0, 3 * SECOND), undefined, crash)
    }
    world.later(100 * MILLI, undefined, crash)
    const write = (zone: number) =>
      Effect.gen(function*() {
        const journal = yield* journalOf(test)
        const kept: Array<Chain.JournalRow> = []
        while (!isOver()) {
          const claim = yield* surely(journal.claim(zone, "writer"))
          const { epoch } = claim
          let { head } = claim
          while (!isOver()) {
            const row = rowAfter(head, { zone, epoch })
            if (Either.isLeft(yield* Effect.either(journal.append(row)))) break
            kept.push(row)
            head = Chain.headOf(row)
          }
        }
        const rows = new Map(server.tables.journal(zone).map((row) => [row.first, row]))
        for (const row of kept) expectRows([rows.get(row.first)!], [row])
        let head = Chain.START
        for (const row of server.tables.journal(zone)) {
          expect(Chain.problemOf(head, row)).toBeUndefined()
          head = Chain.headOf(row)
        }
      })
    runIn(test, Effect.all([0, 1, 2, 3].map(write), { concurrency: "unbounded", discard: true }))
  })

  worlds("two runners who want and leave the same shards are never in each other's way", (test) => {
    const { server, world } = test
    runIn(
      test,
      Effect.gen(function*() {
        const database = yield* test.connect()
        const shards = ["a", "b", "c", "d", "e", "f"]
        for (let round = 0; round < 100; round++) {
          server.tables.clear()
          for (const shard of shards.toReversed()) server.tables.putShard(shard, "me")
          const both = yield* Effect.all([
            Effect.either(database.query("release", RunnerLeases.RELEASE_ALL, ["me"])),
            Effect.either(database.query("acquire", RunnerLeases.ACQUIRE, ["other", shards]))
          ], { concurrency: "unbounded" })
          expect(both.filter(Either.isLeft)).toEqual([])
        }
        expect(server.waiting).toBe(0)
      })
    )
    expect(world.probes.get("postgres: a statement waits for a lock")).toBeGreaterThan(0)
  })
})

describe("the simulated database as its process sees it", () => {
  worlds("a refusal, no connection and a lost answer look as they do with the real one", (test) =>
    runIn(
      test,
      Effect.gen(function*() {
        const database = yield* test.connect()
        const ask = database.query("read the head", HEAD, [ZONE])
        const nowhere = yield* test.connect({ host: "nowhere" })
        expect(yield* Effect.flip(nowhere.query("read the head", HEAD, [ZONE]))).toMatchObject({
          code: "ECONNREFUSED",
          uncertain: false
        })
        yield* ask
        test.server.crash()
        const seen = new Map<string | undefined, boolean>()
        yield* ask.pipe(
          Effect.tapError(({ code, uncertain }) => Effect.sync(() => seen.set(code, uncertain))),
          Effect.retry(Schedule.spaced(Duration.millis(5)))
        )
        for (const [code, uncertain] of seen) expect([code, uncertain]).toEqual([code, code === "CONNECTION_CLOSED"])
        expect([...seen.keys()]).toContain("57P03")
        test.server.inject("lose the reply")
        expect(yield* Effect.flip(ask)).toMatchObject({ code: "CONNECTION_CLOSED", uncertain: true })
      })
    ))

  worlds(
    "whoever asks on a connection that broke under a statement hears of a recovery only when it is over",
    (test) =>
      runIn(
        test,
        Effect.gen(function*() {
          const { query } = yield* test.connect({ connectionsMax: 1 })
          const ask = query("read the head", HEAD, [ZONE])
          test.server.inject("crash before reply")
          expect(yield* Effect.flip(ask)).toMatchObject({ code: "CONNECTION_CLOSED", uncertain: true })
          const answer = yield* ask.pipe(
            Effect.retry({
              schedule: Schedule.spaced(Duration.millis(5)),
              while: ({ code }) => code === "ECONNREFUSED"
            }),
            Effect.either
          )
          if (Either.isLeft(answer)) expect(answer.left).toMatchObject({ code: "57P03", uncertain: false })
          expect(test.server.isUp).toBe(true)
          expect(yield* ask).toEqual([])
        })
      )
  )

  worlds("a statement in a cut network is given up at its limit, and lands when the network heals", (test) =>
    runIn(
      test,
      Effect.gen(function*() {
        const { network, server } = test
        const journal = yield* journalOf(test, { statementMillisMax: 1000 })
        const { epoch } = yield* journal.claim(ZONE, "a")
        const row = rowAfter(Chain.START, { zone: ZONE, epoch })
        network.cut("runner", "postgres")
        const before = yield* Clock.currentTimeMillis
        expect(yield* Effect.flip(journal.append(row))).toMatchObject({
          uncertain: true,
          reason: "no answer in 1000 ms"
        })
        expect((yield* Clock.currentTimeMillis) - before).toBeCloseTo(1000, -1)
        yield* Effect.sleep(Duration.seconds(1.5))
        expect(server.tables.journal(ZONE)).toEqual([])
        network.heal()
        yield* Effect.sleep(Duration.seconds(1))
        expectRows(server.tables.journal(ZONE), [row])
      })
    ))

  worlds("a statement that waits for a lock lands though its process is dead, if the server got it", (test) => {
    const { process, server, world } = test
    const unlock = server.holdZone(ZONE)
    process.run(Effect.scoped(Effect.flatMap(journalOf(test), (journal) => journal.claim(ZONE, "a"))))
    world.run(() => server.waiting === 1, 10 * SECOND)
    process.kill()
    world.run(() => false, world.now + SECOND)
    unlock()
    world.run(() => false, world.now + SECOND)
    expect(server.tables.zone.get(ZONE)?.epoch).toBe(1)
  })

  worlds("a connection on which nothing comes for two limits is replaced", (test) =>
    runIn(
      test,
      Effect.gen(function*() {
        const { query } = yield* test.connect({
          connectionsMax: 1,
          statementMillisMax: 1000,
          serverMillisMax: Infinity
        })
        test.server.inject("stick at once")
        expect(yield* Effect.flip(query("read", HEAD, [ZONE]))).toMatchObject({ code: "timeout", uncertain: true })
        expect(yield* Effect.flip(query("read", HEAD, [ZONE]))).toMatchObject({ code: "timeout", uncertain: true })
        expect(yield* query("read", HEAD, [ZONE])).toEqual([])
      })
    ))

  worlds("no statement waits behind a stuck one while another connection is free", (test) =>
    runIn(
      test,
      Effect.gen(function*() {
        const { query } = yield* test.connect({ connectionsMax: 2 })
        test.server.inject("stick at once", "stuck")
        const stuck = yield* Effect.fork(query("stuck", HEAD, [ZONE]))
        yield* Effect.sleep(Duration.micros(20n))
        yield* Effect.all(Array.from({ length: 50 }, () => query("read", HEAD, [ZONE])), { concurrency: "unbounded" })
        expect(stuck.unsafePoll()).toBeNull()
      })
    ))

  worlds("bytes are the server's own: to change them afterwards changes nothing", (test) =>
    runIn(
      test,
      Effect.gen(function*() {
        const journal = yield* journalOf(test)
        const { epoch } = yield* journal.claim(ZONE, "a")
        const row = rowAfter(Chain.START, { zone: ZONE, epoch })
        const given = { ...row, payload: Uint8Array.from(row.payload), hash: Uint8Array.from(row.hash) }
        yield* journal.append(given)
        given.payload.fill(0)
        given.hash.fill(0)
        const [found] = yield* journal.read(ZONE, 0, 1, MIB)
        expectRows([found!], [row])
        found!.payload.fill(0)
        expectRows(yield* journal.read(ZONE, 0, 1, MIB), [row])
      })
    ))

  worlds("a pool ends with its scope, after what it is at", (test) =>
    runIn(
      test,
      Effect.gen(function*() {
        const kept = yield* Effect.scoped(Effect.gen(function*() {
          const database = yield* test.connect({ connectionsMax: 1 })
          yield* Effect.fork(Effect.exit(database.query("claim", CLAIM, [ZONE, "a"])))
          yield* Effect.sleep(Duration.micros(20n))
          return database
        }))
        expect(test.server.tables.zone.get(ZONE)?.epoch).toBe(1)
        expect(yield* Effect.flip(kept.query("read", HEAD, [ZONE]))).toMatchObject({ code: "CONNECTION_ENDED" })
      })
    ))

  it("a statement that nobody has taught it stops the world", () => {
    const test = makeWorld(1)
    const ask = Effect.flatMap(test.connect(), ({ query }) => query("try", "select 1"))
    expect(() => runIn(test, ask)).toThrow(/does not know "try": select 1/)
  })
})

describe("a world with the simulated Postgres", () => {
  const live = (seed: number) => {
    const test = makeWorld(seed, { chances: { crash: 300, loseReply: 100, stick: 500, slow: 300 } })
    const { network, world } = test
    const workers = [0, 1, 2, 3].map((number) => new Process(world, `runner${number}`))
    let over = 0
    for (const [number, process] of workers.entries()) {
      const work = Effect.gen(function*() {
        const database = PostgresClient.layer(network, process, { connectionsMax: 3, statementMillisMax: 2000 })
        const journal = Context.get(yield* Layer.build(Layer.provide(PostgresJournal.layer, database)), Journal)
        const zone = number % 2
        while (world.now < 6 * SECOND) {
          const claimed = yield* Effect.either(journal.claim(zone, process.name))
          if (Either.isLeft(claimed)) continue
          const { epoch } = claimed.right
          let { head } = claimed.right
          for (let count = 0; count < 40; count++) {
            const row = rowAfter(head, { zone: zone, epoch })
            if (Either.isLeft(yield* Effect.either(journal.append(row)))) break
            head = Chain.headOf(row)
          }
        }
      })
      process.run(Effect.scoped(work), () => over++)
    }
    world.later(SECOND, undefined, () => network.cut("runner1", "postgres"))
    world.later(4 * SECOND, undefined, () => network.heal())
    world.run(() => over === workers.length, 100 * SECOND)
    for (const zone of [0, 1]) {
      let head = Chain.START
      for (const row of test.server.tables.journal(zone)) {
        expect(Chain.problemOf(head, row)).toBeUndefined()
        head = Chain.headOf(row)
      }
    }
    return { digest: world.digest, tasks: world.tasks, faults: [...world.faults].sort() }
  }

  it("goes the same way from the same seed, and another from another", () => {
    const runs = [1, 2, 3, 4].map(live)
    expect([1, 2, 3, 4].map(live)).toEqual(runs)
    expect(new Set(runs.map(({ digest }) => digest)).size).toBe(runs.length)
    const kinds = new Set(runs.flatMap(({ faults }) => faults.map(([kind]) => kind)))
    expect(kinds.size).toBeGreaterThanOrEqual(7)
  })
})
