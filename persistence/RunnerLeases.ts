/**
 * The cluster's memory of its runners in Postgres: who they are, which shards each one holds, and until when.
 * One lease a runner, not one a shard: refreshing costs one row, however many zones there are.
 *
 * A runner's shards are free for others once its lease has run out or it has left.
 */
import { Database, type DatabaseError, type Row } from "#persistence/Database.ts"
import { PersistenceError } from "@effect/cluster/ClusterError"
import * as RunnerStorage from "@effect/cluster/RunnerStorage"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * The number of the lease that this runner holds, by its own monotonic clock; undefined if it holds none. It stays
 * the same for as long as the lease has not been over in between. A zone asks before it answers reads that no append
 * vouches for: between two leases, another runner may have had the zone.
 */
export class RunnerLease extends Context.Tag("cadastre/RunnerLease")<RunnerLease, {
  readonly term: () => number | undefined
}>() {}

/** How much earlier than the database a runner considers its lease over, for clocks that drift. */
const MARGIN = 0.1

export const LIST = "select runner, healthy and expires > now() from cadastre.runner order by machine"

export const REGISTER = `
  insert into cadastre.runner as r (address, runner, healthy, expires)
  values ($1, $2, $3, now() + make_interval(secs => $4))
  on conflict (address) do update set runner = excluded.runner, healthy = excluded.healthy, expires = excluded.expires
  returning machine`

/** In one order for all, or two runners that want the same shards could wait for each other. */
export const ACQUIRE = `
  insert into cadastre.shard as s (shard, address)
  select wanted, $1 from unnest($2::text[]) as wanted order by wanted
  on conflict (shard) do update set address = excluded.address
    where s.address = $1
      or not exists (select from cadastre.runner r where r.address = s.address and r.expires > now())
  returning shard`

/** No row if there is no lease to extend; one without a shard if it holds none. */
export const REFRESH = `
  with lease as (
    update cadastre.runner set expires = now() + make_interval(secs => $2) where address = $1 returning 1
  )
  select shard from lease left join cadastre.shard on address = $1`

/** Runners whose lease ran out this long ago are forgotten. */
export const FORGET = "delete from cadastre.runner where expires < now() - interval '1 day'"

export const UNREGISTER = "delete from cadastre.runner where address = $1"

export const JUDGE = "update cadastre.runner set healthy = $2 where address = $1"

export const RELEASE = "delete from cadastre.shard where shard = $2 and address = $1"

/** Locks them in the order in which others acquire them, or both could wait for each other. */
export const RELEASE_ALL = `
  with held as (select shard from cadastre.shard where address = $1 order by shard for update)
  delete from cadastre.shard s using held where s.shard = held.shard and s.address = $1`

export const layer = (options: {
  readonly lease: Duration.Duration
}): Layer.Layer<RunnerStorage.RunnerStorage | RunnerLease, never, Database> =>
  Layer.effectContext(Effect.gen(function*() {
    const database = yield* Database
    const clock = yield* Effect.clock
    const seconds = Duration.toSeconds(options.lease)
    let validUntil = 0n
    let term = 0
    let left = true

    /** The lease counts from before the statement that extends it. */
    const extending = (statement: Effect.Effect<ReadonlyArray<Row>, DatabaseError>) =>
      Effect.gen(function*() {
        const before = yield* Clock.currentTimeNanos
        const rows = yield* statement
        if (left || rows.length === 0) return rows
        if ((yield* Clock.currentTimeNanos) >= validUntil) term++
        validUntil = before + BigInt(Math.floor(seconds * (1 - MARGIN) * 1e9))
        return rows
      })
    const orFail = <A>(effect: Effect.Effect<A, DatabaseError>): Effect.Effect<A, PersistenceError> =>
      Effect.mapError(effect, (cause) => new PersistenceError({ cause }))
    const shards = (rows: ReadonlyArray<Row>): Array<string> =>
      rows.flatMap(([shard]) => typeof shard === "string" ? [shard] : [])

    const storage = RunnerStorage.makeEncoded({
      getRunners: orFail(Effect.map(
        database.query("list runners", LIST),
        (rows) => rows.map(([runner, healthy]) => [String(runner), healthy === true] as const)
      )),
      register: (address, runner, healthy) =>
        orFail(Effect.gen(function*() {
          yield* database.query("forget lost runners", FORGET)
          left = false
          const [row] = yield* extending(database.query("register", REGISTER, [address, runner, healthy, seconds]))
          return Number(row?.[0])
        })),
      // Others may take its shards at once, though its zones still end.
      unregister: (address) =>
        orFail(Effect.suspend(() => {
          left = true
          validUntil = 0n
          return Effect.asVoid(database.query("unregister", UNREGISTER, [address]))
        })),
      setRunnerHealth: (address, healthy) =>
        orFail(Effect.asVoid(database.query("judge a runner", JUDGE, [address, healthy]))),
      acquire: (address, ids) => orFail(Effect.map(database.query("acquire shards", ACQUIRE, [address, ids]), shards)),
      refresh: (address) =>
        orFail(Effect.map(extending(database.query("refresh the lease", REFRESH, [address, seconds])), shards)),
      release: (address, shard) => orFail(Effect.asVoid(database.query("release a shard", RELEASE, [address, shard]))),
      releaseAll: (address) => orFail(Effect.asVoid(database.query("release all shards", RELEASE_ALL, [address])))
    })
    const lease = RunnerLease.of({ term: () => clock.unsafeCurrentTimeNanos() < validUntil ? term : undefined })
    return Context.make(RunnerStorage.RunnerStorage, storage).pipe(Context.add(RunnerLease, lease))
  }))
