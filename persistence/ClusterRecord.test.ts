import { Limits } from "#domain/Limits.ts"
import * as ClusterRecord from "#persistence/ClusterRecord.ts"
import * as Database from "#persistence/Database.ts"
import { migrate } from "#persistence/Migrations.ts"
import { freshDatabase } from "#runners/testing/FreshDatabase.ts"
import { layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { expect } from "vitest"

const ME = "me:1"
const SECRET = Redacted.make("of the cluster")

const fixture = Layer.scoped(
  Database.Database,
  Effect.gen(function*() {
    const database = yield* Database.make(yield* freshDatabase)
    yield* Effect.provideService(migrate, Database.Database, database)
    return database
  })
)

/** A database without a cluster. */
const empty = Effect.flatMap(
  Database.Database,
  ({ script }) => script("empty the tables", "delete from cadastre.cluster; delete from cadastre.runner")
)

const open = (zones: number | undefined) => ClusterRecord.open({ zones, runner: ME, secret: SECRET })

const refusal = (zones: number) => Effect.map(Effect.flip(open(zones)), (error) => [error._tag, error.message] as const)

const addRunner = (address: string, seconds: number) =>
  Effect.flatMap(Database.Database, ({ query }) =>
    query(
      "add a runner",
      `insert into cadastre.runner (address, runner, healthy, expires)
       values ($1, '', true, now() + make_interval(secs => $2))`,
      [address, seconds]
    ))

layer(fixture, { excludeTestServices: true, timeout: "30 seconds" })("the record of a cluster", (it) => {
  it.effect("is made with 16 zones and a name, unless told otherwise, and stays so", () =>
    Effect.gen(function*() {
      yield* empty
      const made = yield* open(undefined)
      expect(made.zones).toBe(16)
      expect(made.id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      expect(yield* open(undefined)).toEqual(made)
      expect(yield* open(16)).toEqual(made)
    }))

  it.effect("is made with the zones asked for, and another cluster has another name", () =>
    Effect.gen(function*() {
      yield* empty
      const one = yield* open(3)
      expect(one.zones).toBe(3)
      expect((yield* open(undefined)).zones).toBe(3)
      yield* empty
      expect((yield* open(3)).id).not.toBe(one.id)
    }))

  it.effect("grows, and keeps its name", () =>
    Effect.gen(function*() {
      yield* empty
      const { id } = yield* open(4)
      expect(yield* open(9)).toEqual({ id, zones: 9 })
      expect(yield* open(Limits.zonesMax)).toEqual({ id, zones: Limits.zonesMax })
      expect(yield* open(undefined)).toEqual({ id, zones: Limits.zonesMax })
    }))

  it.effect("is refused to a runner with another secret, and the secret is not in it", () =>
    Effect.gen(function*() {
      yield* empty
      yield* open(2)
      const stranger = ClusterRecord.open({ zones: undefined, runner: ME, secret: Redacted.make("another") })
      expect((yield* Effect.flip(stranger)).message).toContain("has another secret")
      yield* open(2)
      const { query } = yield* Database.Database
      expect(JSON.stringify(yield* query("look", "select * from cadastre.cluster"))).not.toContain(
        Redacted.value(SECRET)
      )
    }))

  it.effect("does not shrink, because its zones hold files", () =>
    Effect.gen(function*() {
      yield* empty
      yield* open(8)
      expect(yield* refusal(7)).toEqual([
        "ClusterRefused",
        "the cluster has 8 zones and they hold files: it cannot have 7"
      ])
      expect((yield* open(undefined)).zones).toBe(8)
    }))

  it.effect("has no fewer zones than one, no more than can be addressed, and no half ones", () =>
    Effect.gen(function*() {
      yield* empty
      for (const zones of [0, -1, Limits.zonesMax + 1, 1.5, Number.NaN, Infinity]) {
        expect(yield* refusal(zones)).toEqual([
          "ClusterRefused",
          `a cluster has 1 to ${Limits.zonesMax} zones, not ${zones}`
        ])
      }
      expect((yield* open(1)).zones).toBe(1)
    }))

  it.effect("does not grow while other runners are up, and names them", () =>
    Effect.gen(function*() {
      yield* empty
      yield* open(4)
      yield* addRunner(ME, 60)
      yield* addRunner("gone:2", -1)
      expect((yield* open(5)).zones).toBe(5)
      yield* addRunner("other:3", 60)
      yield* addRunner("other:4", 60)
      const [tag, message] = yield* refusal(6)
      expect(tag).toBe("ClusterRefused")
      expect(message).toMatch(/^the cluster has 5 zones; stop its other runners \(other:\d, other:\d\) to add some$/)
      expect((yield* open(undefined)).zones).toBe(5)
      expect((yield* open(5)).zones).toBe(5)
    }))

  it.effect("is one and the same for runners that found it at the same time", () =>
    Effect.gen(function*() {
      yield* empty
      const found = yield* Effect.replicateEffect(open(undefined), 6).pipe(Effect.withConcurrency("unbounded"))
      expect(new Set(found.map(({ id }) => id)).size).toBe(1)
    }))

  it.effect("is what is written, for a runner that grows it while another one does", () =>
    Effect.gen(function*() {
      yield* empty
      yield* open(4)
      const database = yield* Database.Database
      let overtaken = false
      // Another runner adds zones between this one's look and its own change.
      const slow = Database.Database.of({
        ...database,
        query: (operation, text, values) =>
          Effect.suspend(() => {
            if (operation !== "add zones" || overtaken) return database.query(operation, text, values)
            overtaken = true
            const other = Effect.provideService(
              ClusterRecord.open({ zones: 5, runner: "other:2", secret: SECRET }),
              Database.Database,
              database
            )
            return Effect.zipRight(Effect.orDie(other), database.query(operation, text, values))
          })
      })
      const grown = yield* Effect.either(Effect.provideService(open(6), Database.Database, slow))
      expect(overtaken).toBe(true)
      const { zones } = yield* open(undefined)
      if (grown._tag === "Right") expect(grown.right.zones).toBe(zones)
      else expect(grown.left._tag).toBe("ClusterRefused")
    }))
})
