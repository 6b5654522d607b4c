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
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

/**
 * The number of the lease that this runner holds, by its own monotonic clock; undefined if it holds none. It stays
 * the same for as long as the lease has not been over in between. A zone asks before it answers reads that no append
 * vouches for: between two leases, another runner may have had the zone.
 */
export class RunnerLease extends Context.Tag("cadastre/RunnerLease")<RunnerLease, {
  readonly term: () => number | undefined
  /** That number, once the runner holds a lease. */
  readonly held: Effect.Effect<number>
}>() {}

/** How much earlier than the database a runner considers its lease over, for clocks that drift. */
const MARGIN = 0.1

export const LIST = "select runner, healthy and expires > now() from cadastre.runner order by machine"

export const REGISTER = `
  insert into cadastre.runner as r (address, runner, healthy, expires)
  values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
  on conflict (address) do update set
    runner = excluded.runner, healthy = excluded.healthy, expires = clock_timestamp() + make_interval(secs => $4)
  returning machine`

/**
 * Takes shards that are nobody's, its own, and those of runners that are gone. Such a runner's row is locked, so that
 * it cannot come back meanwhile: who waited for the lock finds a lease that was extended, or one that stays over. A
 * row of a shard that is not the one that was judged is somebody's who came in between. What others hold is not touched:
 * who waits for it asks often.
 *
 * Locks are taken in one order by all, or two could wait for each other: first runners, all before any shard (the
 * count sees to it), then shards, each in their order.
 */
export const ACQUIRE = `
  with gone as materialized (
    select r.address from cadastre.runner r
    where r.expires <= clock_timestamp()
      and r.address in (select s.address from cadastre.shard s where s.shard = any($2::text[]) and s.address <> $1)
    order by r.address for share
  ), free as materialized (
    select s.shard, s.xmin as version from cadastre.shard s
    where s.shard = any($2::text[]) and (
      s.address in (select address from gone)
      or not exists (select from cadastre.runner r where r.address = s.address)
    )
  )
  insert into cadastre.shard as s (shard, address)
  select wanted, $1 from unnest($2::text[]) as wanted
  where (select count(*) from gone) >= 0 and not exists (
    select from cadastre.shard as held
    where held.shard = wanted and held.address <> $1 and not exists (select from free where free.shard = held.shard)
  )
  order by wanted
  on conflict (shard) do update set address = excluded.address
    where s.address = $1 or exists (select from free where free.shard = s.shard and free.version = s.xmin)
  returning shard`

/**
 * No row if there is no lease to extend; one without a shard if it holds none. A lease that is over once its row is
 * locked begins anew and has lost its shards: others may have had them. So has one whose row is not the one that was there
 * when the statement began: it waited for another refresh, which may have found it over, and the shards that it sees are
 * those of before.
 */
export const REFRESH = `
  with seen as materialized (
    select xmin as version from cadastre.runner where address = $1
  ), locked as materialized (
    select expires, xmin as version from cadastre.runner where address = $1 for update
  ), lease as materialized (
    select expires > clock_timestamp() and version in (select version from seen) as lasted from locked
  ), extended as (
    update cadastre.runner set expires = clock_timestamp() + make_interval(secs => $2)
    from lease where address = $1 returning lease.lasted
  ), lost as (
    select s.shard from cadastre.shard s, lease where not lease.lasted and s.address = $1
    order by s.shard for update of s
  ), dropped as (
    delete from cadastre.shard s using lost where s.shard = lost.shard and s.address = $1
  )
  select s.shard, lasted from extended left join cadastre.shard s on lasted and s.address = $1`

/** Runners whose lease ran out this long ago are forgotten. */
export const FORGET = `
  with gone as (
    select address from cadastre.runner where expires < now() - interval '1 day' order by address for update
  )
  delete from cadastre.runner r using gone where r.address = gone.address`

export const UNREGISTER = "delete from cadastre.runner where address = $1"

export const JUDGE = "update cadastre.runner set healthy = $2 where address = $1"

export const RELEASE = "delete from cadastre.shard where shard = $2 and address = $1"

/** Locks them in the order in which others acquire them, or both could wait for each other. */
export const RELEASE_ALL = `
  with held as (select shard from cadastre.shard where address = $1 order by shard for update)
  delete from cadastre.shard s using held where s.shard = held.shard and s.address = $1`

export interface LeaseOptions {
  readonly lease: Duration.Duration
  /**
   * How long a refresh waits for the database while the lease is good anyway. It must be much less than what the cluster
   * waits, for which a refresh without an answer is the end of all zones.
   */
  readonly patience: Duration.Duration
}

export const layer = (
  options: LeaseOptions
): Layer.Layer<RunnerStorage.RunnerStorage | RunnerLease, never, Database> =>
  Layer.scopedContext(Effect.gen(function*() {
    const database = yield* Database
    const clock = yield* Effect.clock
    const scope = yield* Effect.scope
    const seconds = Duration.toSeconds(options.lease)
    let validUntil = 0n
    let term = 0
    let left = true
    const extended = Effect.unsafeMakeLatch(false)
    const termNow = () => clock.unsafeCurrentTimeNanos() < validUntil ? term : undefined

    /** The lease counts from before the statement that extends it. */
    const extending = (statement: Effect.Effect<ReadonlyArray<Row>, DatabaseError>) =>
      Effect.gen(function*() {
        const before = yield* Clock.currentTimeNanos
        const rows = yield* statement
        if (left || rows.length === 0) return rows
        const lasted = rows[0]?.[1] !== false
        if (!lasted || (yield* Clock.currentTimeNanos) >= validUntil) term++
        validUntil = before + BigInt(Math.floor(seconds * (1 - MARGIN) * 1e9))
        extended.unsafeOpen()
        return rows
      })
    const orFail = <A>(effect: Effect.Effect<A, DatabaseError>): Effect.Effect<A, PersistenceError> =>
      Effect.mapError(effect, (cause) => new PersistenceError({ cause }))
    const shards = (rows: ReadonlyArray<Row>): Array<string> =>
      rows.flatMap(([shard]) => typeof shard === "string" ? [shard] : [])

    let pending: Fiber.Fiber<void, PersistenceError> | undefined
    /** The number of the lease that the cluster was told of. */
    let told: number | undefined
    /** The runner's shards, as far as the database has said. */
    let mine = new Set<string>()
    /** What was acquired since the refresh under way began: the database may have looked before. */
    const gained = new Set<string>()

    /**
     * A refresh that goes on when nobody waits for it any more: a late answer extends the lease, too. One at a time: a
     * statement tells of the shards as they were when it began, and may have waited for another one that lost them.
     */
    const refreshing = (address: string) =>
      Effect.gen(function*() {
        if (pending !== undefined) return pending
        gained.clear()
        const begun = yield* orFail(
          Effect.map(extending(database.query("refresh the lease", REFRESH, [address, seconds])), (rows) => {
            mine = new Set([...shards(rows), ...rows[0]?.[1] === true ? gained : []])
          })
        ).pipe(Effect.interruptible, Effect.forkIn(scope))
        pending = begun
        begun.addObserver(() => {
          pending = undefined
        })
        return begun
      })

    /**
     * The shards that the runner holds, as the database says. While the lease is good nobody else can have taken one: a
     * database that is late or fails for a moment ends no zone. A lease that was over in between is another one, and is
     * told of.
     */
    const refresh = (address: string, held: ReadonlyArray<string>) =>
      Effect.gen(function*() {
        // Before it registers it holds nothing, and a database that is slow to connect is no reason to give up.
        if (term === 0) return []
        const asking = yield* refreshing(address)
        const isKnown = (): boolean => told !== undefined && told === termNow()
        const answer = isKnown() ? yield* Effect.timeoutOption(Fiber.await(asking), options.patience) : Option.none()
        const isLate = Option.isNone(answer) || Exit.isFailure(answer.value)
        const before = isLate && isKnown() ? held : []
        if (before !== held) yield* Fiber.join(asking)
        told = termNow()
        return [...new Set([...before, ...mine])]
      })

    const storage = RunnerStorage.makeEncoded({
      getRunners: orFail(Effect.map(
        database.query("list runners", LIST),
        (rows) => rows.map(([runner, healthy]) => [String(runner), healthy === true] as const)
      )),
      register: (address, runner, healthy) =>
        orFail(Effect.gen(function*() {
          yield* database.query("forget lost runners", FORGET)
          left = false
          const isFirst = term === 0
          const [row] = yield* extending(database.query("register", REGISTER, [address, runner, healthy, seconds]))
          // It holds nothing yet that somebody could have taken.
          if (isFirst) told = termNow()
          return Number(row?.[0])
        })),
      // Others may take its shards at once, though its zones still end.
      unregister: (address) =>
        orFail(Effect.suspend(() => {
          left = true
          validUntil = 0n
          mine.clear()
          return Effect.asVoid(database.query("unregister", UNREGISTER, [address]))
        })),
      setRunnerHealth: (address, healthy) =>
        orFail(Effect.asVoid(database.query("judge a runner", JUDGE, [address, healthy]))),
      acquire: (address, ids) =>
        orFail(Effect.map(database.query("acquire shards", ACQUIRE, [address, ids]), (rows) => {
          const taken = shards(rows)
          for (const all of [mine, gained]) for (const shard of taken) all.add(shard)
          return taken
        })),
      refresh,
      release: (address, shard) =>
        orFail(Effect.map(database.query("release a shard", RELEASE, [address, shard]), () => void mine.delete(shard))),
      releaseAll: (address) =>
        orFail(Effect.map(database.query("release all shards", RELEASE_ALL, [address]), () => mine.clear()))
    })
    const held: Effect.Effect<number> = Effect.suspend(() => {
      const now = termNow()
      if (now !== undefined) return Effect.succeed(now)
      extended.unsafeClose()
      return Effect.zipRight(extended.await, held)
    })
    const lease = RunnerLease.of({ term: termNow, held })
    return Context.make(RunnerStorage.RunnerStorage, storage).pipe(Context.add(RunnerLease, lease))
  }))
