/**
 * The cluster's memory of its runners in Postgres: who they are, which shards each one holds, and until when.
 * One lease a runner, not one a shard: refreshing costs one row, however many zones there are.
 *
 * A runner's shards are free for others once its lease has run out or it has left.
 */
import { Database, type DatabaseError } from "#persistence/Database.ts"
import { PersistenceError } from "@effect/cluster/ClusterError"
import * as RunnerStorage from "@effect/cluster/RunnerStorage"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * Whether this runner still holds its lease, by its own monotonic clock. A zone asks before it answers reads
 * that no append vouches for: after the lease, another runner may have the zone.
 */
export class RunnerLease extends Context.Tag("cadastre/RunnerLease")<RunnerLease, {
  readonly holds: () => boolean
}>() {}

/** How much earlier than the database a runner considers its lease over, for clocks that drift. */
const MARGIN = 0.1

const REGISTER = `
  insert into cadastre.runner as r (address, runner, healthy, expires)
  values ($1, $2, $3, now() + make_interval(secs => $4))
  on conflict (address) do update set runner = excluded.runner, healthy = excluded.healthy, expires = excluded.expires
  returning machine`

/** In one order for all, or two runners that want the same shards could wait for each other. */
const ACQUIRE = `
  insert into cadastre.shard as s (shard, address)
  select wanted, $1 from unnest($2::text[]) as wanted order by wanted
  on conflict (shard) do update set address = excluded.address
    where s.address = $1
      or not exists (select from cadastre.runner r where r.address = s.address and r.expires > now())
  returning shard`

const REFRESH = `
  with lease as (
    update cadastre.runner set expires = now() + make_interval(secs => $2) where address = $1 returning 1
  )
  select shard from cadastre.shard where address = $1 and exists (select from lease)`

/** Runners whose lease ran out this long ago are forgotten. */
const FORGET = "delete from cadastre.runner where expires < now() - interval '1 day'"

export const layer = (options: {
  readonly lease: Duration.Duration
}): Layer.Layer<RunnerStorage.RunnerStorage | RunnerLease, never, Database> =>
  Layer.effectContext(Effect.gen(function*() {
    const database = yield* Database
    const clock = yield* Effect.clock
    const seconds = Duration.toSeconds(options.lease)
    let validUntil = 0n

    /** The lease counts from before the statement that extends it. */
    const extending = <A>(statement: Effect.Effect<A, DatabaseError>): Effect.Effect<A, DatabaseError> =>
      Effect.gen(function*() {
        const before = yield* Clock.currentTimeNanos
        const result = yield* statement
        validUntil = before + BigInt(Math.floor(seconds * (1 - MARGIN) * 1e9))
        return result
      })
    const orFail = <A>(effect: Effect.Effect<A, DatabaseError>): Effect.Effect<A, PersistenceError> =>
      Effect.mapError(effect, (cause) => new PersistenceError({ cause }))
    const shards = (rows: ReadonlyArray<ReadonlyArray<unknown>>): Array<string> => rows.map(([shard]) => String(shard))

    const storage = RunnerStorage.makeEncoded({
      getRunners: orFail(Effect.map(
        database.query(
          "list runners",
          "select runner, healthy and expires > now() from cadastre.runner order by machine"
        ),
        (rows) => rows.map(([runner, healthy]) => [String(runner), healthy === true] as const)
      )),
      register: (address, runner, healthy) =>
        orFail(Effect.gen(function*() {
          yield* database.query("forget lost runners", FORGET)
          const [row] = yield* extending(database.query("register", REGISTER, [address, runner, healthy, seconds]))
          return Number(row?.[0])
        })),
      unregister: (address) =>
        orFail(
          Effect.asVoid(database.query("unregister", "delete from cadastre.runner where address = $1", [address]))
        ),
      setRunnerHealth: (address, healthy) =>
        orFail(Effect.asVoid(
          database.query("judge a runner", "update cadastre.runner set healthy = $2 where address = $1", [
            address,
            healthy
          ])
        )),
      acquire: (address, ids) => orFail(Effect.map(database.query("acquire shards", ACQUIRE, [address, ids]), shards)),
      refresh: (address) =>
        orFail(Effect.map(extending(database.query("refresh the lease", REFRESH, [address, seconds])), shards)),
      release: (address, shard) =>
        orFail(Effect.asVoid(
          database.query("release a shard", "delete from cadastre.shard where shard = $2 and address = $1", [
            address,
            shard
          ])
        )),
      releaseAll: (address) =>
        orFail(
          Effect.asVoid(
            database.query("release all shards", "delete from cadastre.shard where address = $1", [address])
          )
        )
    })
    const lease = RunnerLease.of({ holds: () => clock.unsafeCurrentTimeNanos() < validUntil })
    return Context.make(RunnerStorage.RunnerStorage, storage).pipe(Context.add(RunnerLease, lease))
  }))
