import { Dice } from "#domain/testing/Dice.ts"
import * as Database from "#persistence/Database.ts"
import { everyByte } from "#persistence/Journal.contract.ts"
import { migrate } from "#persistence/Migrations.ts"
import * as Journal from "#persistence/PostgresJournal.ts"
import * as Leases from "#persistence/RunnerLeases.ts"
import { freshDatabase } from "#runners/testing/FreshDatabase.ts"
import { makeWorld, runIn } from "#simulations/world/PostgresWorld.testing.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { expect } from "vitest"

const STATEMENTS = 1500

it.scopedLive("the simulated Postgres answers any statements in a row as the real one does", () =>
  Effect.gen(function*() {
    const real = yield* Database.make(yield* freshDatabase)
    yield* Effect.provideService(migrate, Database.Database, real)
    const script = scriptOf(new Dice(20_261_122))
    const expected = yield* answers(real, script)
    const test = makeWorld(1)
    const found = runIn(test, Effect.flatMap(test.connect(), (database) => answers(database, script)))
    for (const [index, answer] of expected.entries()) {
      expect(found[index], `${index}: ${JSON.stringify(script[index])}`).toEqual(answer)
    }
    // Or the script has missed a kind of answer.
    const kinds = new Set(found.map(({ code }) => code))
    expect(kinds).toEqual(new Set([undefined, "23505", "22003", "21000"]))
    const removed = script.map(([text], index) => text === Journal.REMOVE_ARCHIVED ? found[index]?.rows?.[0]?.[0] : "0")
    expect(removed.filter((count) => count !== "0").length).toBeGreaterThan(0)
  }))

type Statement = readonly [text: string, ...values: ReadonlyArray<Database.Value>]

const answers = (database: Database.DatabaseService, script: ReadonlyArray<Statement>) =>
  Effect.forEach(
    script,
    ([text, ...values]) =>
      Effect.map(Effect.either(database.query("try", text, values)), (answer) =>
        Either.match(answer, {
          onLeft: ({ code, uncertain }) => ({ code, uncertain, rows: undefined }),
          onRight: (rows) => ({ code: undefined, uncertain: false, rows: sorted(text, rows) })
        }))
  )

/** Rows in no promised order are put in one. */
const sorted = (text: string, rows: ReadonlyArray<Database.Row>) =>
  text === Leases.REFRESH || text === Leases.ACQUIRE || Journal.APPEND.includes(text)
    ? [...rows].sort((a, b) => String(a) < String(b) ? -1 : 1)
    : rows

const scriptOf = (dice: Dice): Array<Statement> => {
  const zone = (): number => dice.below(2)
  const sequence = (): number => dice.below(40)
  const bytes = (length: number): Uint8Array => everyByte(length).map((byte) => byte ^ dice.below(256))
  const address = (): string => `host:${dice.below(3)}`
  const shard = (): string => `zones:${dice.below(12)}`
  const distinct = (): Array<string> => [...new Set(Array.from({ length: 1 + dice.below(5) }, shard))]
  const lease = (): number => dice.of([600, -1, -100_000])
  const epochs = [0, 0]
  const hashes = new Map<string, Uint8Array>()
  const claim = (): Statement => {
    const chosen = zone()
    epochs[chosen]!++
    return [Journal.CLAIM, chosen, address()]
  }
  const append = (): Statement => {
    const rows = dice.chance(60) ? [appended(zone())] : [appended(0), appended(1)]
    return [Journal.APPEND[rows.length - 1]!, ...rows.flat()]
  }
  const appended = (chosen: number): Array<Database.Value> => {
    const first = 1 + sequence()
    const epoch = epochs[chosen]! - (dice.chance(15) ? 1 : 0)
    const codec = dice.chance(5) ? 2 ** 16 : 1
    const payload = bytes(dice.of([0, 0, 1, 100]))
    const time = [1000 + dice.below(3), dice.below(3)]
    const last = first + dice.below(3)
    const hash = everyByte(32).fill(last)
    hashes.set(`${chosen}:${last}`, hash)
    return [chosen, first, last, epoch, ...time, codec, payload, bytes(32), hash]
  }
  const ends = [0, 0]
  const segment = (): Statement => {
    const chosen = zone()
    const first = ends[chosen]! + 1
    // Most are recorded as the very rows that are there; some would leave a gap, and are refused.
    const last = [3, 2, 1, 0].map((more) => first + more).find((end) => hashes.has(`${chosen}:${end}`)) ?? first
    const hash = hashes.get(`${chosen}:${last}`)
    if (hash === undefined) {
      return [Journal.ADD_SEGMENT, chosen, first + 1, last + 1, bytes(32), bytes(32), 1, 1, 1, 1, 1, 1, bytes(32)]
    }
    ends[chosen] = last
    const times = [1000 + dice.below(3), dice.below(3), 1000 + dice.below(3), dice.below(3)]
    return [Journal.ADD_SEGMENT, chosen, first, last, bytes(32), hash, ...times, dice.below(9), 2 ** 40, bytes(32)]
  }
  const addSnapshot = (): Statement => {
    const chosen = zone()
    const epoch = epochs[chosen]! - (dice.chance(30) ? 1 : 0)
    return [Journal.ADD_SNAPSHOT, chosen, 20 + sequence(), bytes(32), epoch, 2 ** 40, bytes(32)]
  }
  const kinds: ReadonlyArray<readonly [number, () => Statement]> = [
    [1, claim],
    [8, append],
    [2, () => [Journal.HEAD, zone()]],
    [6, () => [Journal.READ, zone(), sequence(), 1 + dice.below(5), dice.of([0, 1, 100, 150, 1000])]],
    [2, () => [Journal.SEQUENCE_AT, zone(), 999 + dice.below(5), dice.below(3)]],
    [1, () => [Journal.SNAPSHOTS, zone()]],
    [2, addSnapshot],
    [1, () => [Journal.REMOVE_SNAPSHOT, zone(), 20 + sequence()]],
    [2, segment],
    [1, () => [Journal.SEGMENT_AT, zone(), sequence()]],
    [1, () => [Journal.SEGMENT_AT_TIME, zone(), 999 + dice.below(5), dice.below(3)]],
    [1, () => [Journal.MEASURE, zone(), sequence(), 1 + dice.below(9)]],
    [2, () => [Journal.REMOVE_ARCHIVED, zone(), 999 + dice.below(5), dice.below(3)]],
    [2, () => [Leases.LIST]],
    [3, () => [Leases.REGISTER, address(), `{"runner":${dice.below(9)}}`, dice.chance(50), lease()]],
    [5, () => [Leases.ACQUIRE, address(), dice.chance(90) ? distinct() : ["zones:1", "zones:1"]]],
    [8, () => [Leases.REFRESH, address(), lease()]],
    [1, () => [Leases.FORGET]],
    [1, () => [Leases.UNREGISTER, address()]],
    [1, () => [Leases.JUDGE, address(), dice.chance(50)]],
    [2, () => [Leases.RELEASE, address(), shard()]],
    [1, () => [Leases.RELEASE_ALL, address()]]
  ]
  return Array.from({ length: STATEMENTS }, () => dice.weighted(kinds)())
}
