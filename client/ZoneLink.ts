/**
 * A client's way to one zone: gathers the commands that wait into few messages, finds the zone's runner, and
 * sends each message again until it is answered, wherever the zone went meanwhile. A command keeps its number
 * through all of it, so it takes effect once.
 */
import { ClusterUnreachable, RequestRefused, type TransportError } from "#client/ClientError.ts"
import type { RunnerClient, RunnerPool } from "#client/RunnerPool.ts"
import type { ClientSession } from "#client/Session.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { Malformed } from "#domain/codec/Reader.ts"
import type { Credentials } from "#domain/Credentials.ts"
import { isRead } from "#domain/Decide.ts"
import { Limits } from "#domain/Limits.ts"
import type { Operation } from "#domain/Operation.ts"
import * as Elapsed from "#shards/Elapsed.ts"
import * as ZoneError from "#shards/ZoneError.ts"
import { type Address, format } from "#transport/Connection.ts"
import * as Socket from "@effect/platform/Socket"
import { RpcClientError } from "@effect/rpc/RpcClientError"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"

/** One command, before it has a number. */
export interface Call {
  readonly operation: Operation<unknown, unknown>
  readonly request: unknown
  readonly who: Credentials
}

export interface ZoneLinkOptions {
  readonly zone: number
  readonly pool: RunnerPool
  /** Runners to ask where the zone is. */
  readonly seeds: () => ReadonlyArray<Address>
  readonly session: () => ClientSession
  /** The session is gone; the next `session()` is another one. */
  readonly onSessionLost: (lost: ClientSession) => void
  /** How long a message is sent again before its callers are told, in milliseconds. */
  readonly retryMillisMax: number
}

export interface ZoneLink {
  /** Sends commands that stay together, in order, in one message. */
  readonly send: (calls: ReadonlyArray<Call>) => Effect.Effect<ReadonlyArray<MessageCodec.Outcome>, TransportError>
  /**
   * Sends one command that may wait long, as for a lock, past all others. `onNumber` is told by which number to
   * cancel it.
   */
  readonly sendWaiting: (
    call: Call,
    onNumber: (number: number) => void
  ) => Effect.Effect<MessageCodec.Outcome, TransportError>
  /** Reads the zone as it was right after the command of an event, past all that waits. */
  readonly readPast: (
    sequence: number,
    calls: ReadonlyArray<Call>
  ) => Effect.Effect<ReadonlyArray<MessageCodec.Outcome>, TransportError>
  /** Talks to the runner that has the zone now, and again elsewhere while that helps. */
  readonly ask: <A>(
    use: (runner: RunnerClient) => Effect.Effect<A, ZoneError.SubmitError | RpcClientError>,
    limit?: Duration.Duration
  ) => Effect.Effect<A, TransportError>
  /** The runner that has the zone, where it is known. */
  readonly place: () => Address | undefined
  /** What is known of the zone's place is out of date. */
  readonly forget: () => void
}

/** Commands that stay together, and who waits for them. */
interface Group {
  readonly session: ClientSession
  readonly commands: ReadonlyArray<MessageCodec.Command>
  readonly resume: (result: Effect.Effect<ReadonlyArray<MessageCodec.Outcome>, TransportError>) => void
}

interface Route {
  readonly address: Address
  epoch: number
  /** Done when the zone is known to be elsewhere. */
  readonly left: Deferred.Deferred<void>
}

/**
 * Messages to one zone under way at a time: one that the zone works on, one that is on its way. The second one leaves
 * when as many commands wait as the first one has: a few that come early would else go alone for ever, and each
 * message costs more than each command.
 */
const IN_FLIGHT_MAX = 2
const ATTEMPT_TIME_MAX = Duration.seconds(30)
const BACKOFF_MILLIS_MIN = 20
const BACKOFF_MILLIS_MAX = 1000
/**
 * A runner that says nothing for so long is doubted: another one is asked where the zone is, and nothing is given up
 * before its answer. It is less often doubted the longer it takes: it may be a database that is slow.
 */
const DOUBT_MILLIS_MIN = 400
const DOUBT_MILLIS_MAX = 6400

export const make = (options: ZoneLinkOptions): Effect.Effect<ZoneLink> =>
  Effect.map(Effect.runtime(), (runtime) => {
    const { pool, zone } = options
    const fork = Runtime.runFork(runtime)
    const queue: Array<Group> = []
    let queued = 0
    let inFlight = 0
    let commandsInFlight = 0
    let scheduled = false
    let route: Route | undefined
    let turn = 0
    /** Where the zone was lately not, or did not answer: asked last. */
    let avoided: Address | undefined
    let doubting = false

    const forget = (stale: Route): void => {
      if (route !== stale) return
      route = undefined
      avoided = stale.address
      turn = 0
    }

    const locateAt = (asked: Address): Effect.Effect<Route, AttemptError> =>
      Effect.map(
        connected(pool, asked, (runner) => runner.Locate({ zone })),
        ({ epoch, host, port }) => ({ address: { host, port }, epoch, left: Deferred.unsafeMake(FiberId.none) })
      )

    const findRoute: Effect.Effect<Route, AttemptError> = Effect.suspend(() => {
      if (route !== undefined) return Effect.succeed(route)
      // The first is the best; another one when it has failed this zone before, or says nothing for a while.
      const seeds = behind(options.seeds(), avoided)
      const first = turn++
      const asked = seeds[first % seeds.length] as Address
      const found = seeds.length === 1 ? locateAt(asked) : Effect.gen(function*() {
        const failed = yield* Deferred.make<void>()
        const other = Effect.raceFirst(Effect.sleep(Duration.millis(DOUBT_MILLIS_MIN)), Deferred.await(failed)).pipe(
          Effect.zipRight(locateAt(seeds[(first + 1) % seeds.length] as Address))
        )
        return yield* Effect.race(
          Effect.tapErrorCause(locateAt(asked), () => Deferred.succeed(failed, undefined)),
          other
        )
      })
      return Effect.map(found, (at) => (route = at))
    })

    /** Fails once another runner says that the zone is elsewhere by now; the zone's own runner may be gone. */
    const moved = (at: Route): Effect.Effect<never, Moved> =>
      Effect.zipRight(Effect.raceFirst(doubt(at), Deferred.await(at.left)), new Moved())

    /** One asks for all that wait; whoever is answered or gives up leaves it to another. */
    const doubt = (at: Route): Effect.Effect<void> =>
      Effect.gen(function*() {
        for (let pause = DOUBT_MILLIS_MIN;;) {
          yield* Effect.sleep(Duration.millis(pause))
          const [asked] = behind(options.seeds(), at.address)
          if (doubting || asked === undefined || isSame(asked, at.address)) continue
          doubting = true
          const found = yield* Effect.option(locateAt(asked)).pipe(
            Effect.ensuring(Effect.sync(() => {
              doubting = false
            }))
          )
          pause = Math.min(2 * pause, DOUBT_MILLIS_MAX)
          if (found._tag === "None" || isSame(found.value.address, at.address)) continue
          if (route === at || route === undefined) route = found.value
          yield* Deferred.succeed(at.left, undefined)
          return
        }
      })

    const withRunner = <A>(
      use: (runner: RunnerClient, at: Route) => Effect.Effect<A, ZoneError.SubmitError | RpcClientError>,
      limit: Duration.Duration
    ): Effect.Effect<A, AttemptError> =>
      Effect.flatMap(findRoute, (at) =>
        Effect.raceFirst(
          connected(pool, at.address, (runner) => use(runner, at)),
          moved(at)
        ).pipe(
          Effect.timeoutFail({
            duration: limit,
            onTimeout: () =>
              new ClusterUnreachable({
                endpoint: format(at.address),
                reason: `no answer in ${Duration.format(limit)}`
              })
          }),
          Effect.tapError((error) =>
            Effect.sync(() => {
              if (error._tag === "StaleEpoch") at.epoch = error.epoch
              else if (error._tag === "NotOwner" || error._tag === "ClusterUnreachable") forget(at)
            })
          )
        ))

    /** Tries until it succeeds, cannot succeed, or has taken too long. */
    const persist = <A>(attempt: Effect.Effect<A, AttemptError>): Effect.Effect<A, TransportError> =>
      Effect.gen(function*() {
        const deadline = (yield* Elapsed.millis) + options.retryMillisMax
        for (let backoff = BACKOFF_MILLIS_MIN;; backoff = Math.min(backoff * 2, BACKOFF_MILLIS_MAX)) {
          const result = yield* Effect.either(attempt)
          if (result._tag === "Right") return result.right
          const error = result.left
          if (error._tag === "StaleEpoch" || error._tag === "Moved") continue
          if (error._tag === "RequestRefused") return yield* error
          if (error._tag !== "ClusterUnreachable" && !ZoneError.isRetryable(error)) {
            return yield* new RequestRefused({ reason: error.message })
          }
          if ((yield* Elapsed.millis) >= deadline) {
            return yield* error._tag === "ClusterUnreachable"
              ? error
              : new ClusterUnreachable({ endpoint: placeName(route, options.seeds()), reason: error.message })
          }
          yield* Effect.sleep(Duration.millis(backoff * (0.5 + (yield* Random.next) / 2)))
        }
      })

    const exchange = (
      session: ClientSession,
      commands: ReadonlyArray<MessageCodec.Command>,
      limit: Duration.Duration
    ): Effect.Effect<ReadonlyArray<MessageCodec.Outcome>, TransportError> =>
      persist(withRunner((runner, { epoch }) =>
        runner.Submit({
          message: MessageCodec.encode({
            zone,
            epoch,
            session: session.id,
            floor: session.floor(zone),
            known: session.isKnown(zone),
            descriptor: session.isKnown(zone) ? undefined : session.descriptor,
            commands
          })
        }).pipe(Effect.tapErrorTag("SessionLost", () => Effect.sync(() => options.onSessionLost(session)))), limit))
        .pipe(
          Effect.flatMap((replies) => decodeReplies(replies, commands)),
          Effect.tap(() =>
            Effect.sync(() => {
              if (commands.some(({ operation }) => !isRead(operation))) session.know(zone)
            })
          ),
          Effect.ensuring(Effect.sync(() => {
            for (const { number } of commands) session.finish(zone, number)
          }))
        )

    const deliver = (groups: ReadonlyArray<Group>): Effect.Effect<void> => {
      const commands = groups.flatMap((group) => group.commands)
      const { session } = groups[0] as Group
      return exchange(session, commands, ATTEMPT_TIME_MAX).pipe(
        Effect.matchCause({
          onSuccess: (outcomes) => {
            let at = 0
            for (const { commands: own, resume } of groups) {
              resume(Effect.succeed(outcomes.slice(at, at + own.length)))
              at += own.length
            }
          },
          onFailure: (cause) => {
            for (const { resume } of groups) resume(Effect.failCause(cause))
          }
        }),
        Effect.ensuring(Effect.sync(() => {
          inFlight--
          commandsInFlight -= commands.length
          schedule()
        }))
      )
    }

    /** Whole groups of one session, as many as a message takes. */
    const takeGroups = (): ReadonlyArray<Group> => {
      const session = queue[0]?.session
      let count = 0
      let commands = 0
      for (const group of queue) {
        commands += group.commands.length
        if (group.session !== session || (count > 0 && commands > Limits.messageCommandsMax)) break
        count++
        queued -= group.commands.length
        commandsInFlight += group.commands.length
      }
      return queue.splice(0, count)
    }

    const isDue = (): boolean => queue.length > 0 && inFlight < IN_FLIGHT_MAX && queued >= commandsInFlight

    const schedule = (): void => {
      if (scheduled || !isDue()) return
      scheduled = true
      // A turn later, so that all who ask in this one share a message.
      fork(Effect.zipRight(
        Effect.yieldNow(),
        Effect.sync(() => {
          scheduled = false
          if (!isDue()) return
          inFlight++
          fork(deliver(takeGroups()))
          schedule()
        })
      ))
    }

    const numbered = (session: ClientSession, calls: ReadonlyArray<Call>): ReadonlyArray<MessageCodec.Command> =>
      calls.map((call) => ({ ...call, number: session.begin(zone) }))

    return {
      send: (calls) =>
        Effect.async((resume) => {
          if (calls.length > Limits.messageCommandsMax) {
            const reason = `${calls.length} commands do not fit into one message (${Limits.messageCommandsMax})`
            return resume(Effect.fail(new RequestRefused({ reason })))
          }
          const session = options.session()
          queue.push({ session, commands: numbered(session, calls), resume })
          queued += calls.length
          schedule()
        }),
      sendWaiting: (call, onNumber) =>
        Effect.suspend(() => {
          const session = options.session()
          const commands = numbered(session, [call])
          onNumber((commands[0] as MessageCodec.Command).number)
          return Effect.map(
            exchange(session, commands, Duration.infinity),
            ([outcome]) => outcome as MessageCodec.Outcome
          )
        }),
      readPast: (sequence, calls) => {
        const commands = calls.map((call, index) => ({ ...call, number: index + 1 }))
        const fields = { zone, epoch: 0, session: 0, floor: 0, known: false, descriptor: undefined }
        const message = MessageCodec.encode({ ...fields, commands })
        return persist(withRunner((runner) => runner.SubmitPast({ sequence, message }), ATTEMPT_TIME_MAX)).pipe(
          Effect.flatMap((replies) => decodeReplies(replies, commands))
        )
      },
      ask: (use, limit = ATTEMPT_TIME_MAX) => persist(withRunner(use, limit)),
      place: () => route?.address,
      forget: () => {
        route = undefined
      }
    }
  })

/** Another runner has the zone, and it is known which. */
class Moved extends Data.TaggedError("Moved") {}

type AttemptError = ZoneError.SubmitError | ClusterUnreachable | RequestRefused | Moved

const isSame = (one: Address, other: Address): boolean => one.host === other.host && one.port === other.port

/** The same runners, this one last. */
const behind = (runners: ReadonlyArray<Address>, last: Address | undefined): ReadonlyArray<Address> =>
  last === undefined ? runners : [
    ...runners.filter((runner) => !isSame(runner, last)),
    ...runners.filter((runner) => isSame(runner, last))
  ]

const placeName = (route: Route | undefined, seeds: ReadonlyArray<Address>): string =>
  format(route?.address ?? (seeds[0] as Address))

/** Uses the connection to a runner; one that breaks, or whose runner falls silent or stops, is dropped. */
export const connected = <A, E>(
  pool: RunnerPool,
  address: Address,
  use: (runner: RunnerClient) => Effect.Effect<A, E | RpcClientError>
): Effect.Effect<A, Exclude<E, RpcClientError> | ClusterUnreachable | RequestRefused> =>
  Effect.gen(function*() {
    const endpoint = format(address)
    const runner = yield* Effect.mapError(
      pool.get(address),
      ({ message, reason, retryable }) =>
        retryable ? new ClusterUnreachable({ endpoint, reason }) : new RequestRefused({ reason: message })
    )
    const lost = (reason: string) => Effect.zipRight(pool.drop(address), new ClusterUnreachable({ endpoint, reason }))
    const result = yield* Effect.exit(Effect.raceFirst(use(runner), silence(runner)))
    if (result._tag === "Success") return result.value
    const failure = Cause.failureOption(result.cause)
    if (failure._tag === "Some") {
      const error = failure.value
      if (error instanceof Silent) return yield* lost("the runner does not answer")
      if (isBroken(error)) return yield* lost("the connection broke")
      return yield* Effect.fail(error as Exclude<E, RpcClientError>)
    }
    // The rpc client takes a write that fails for a defect.
    const defect = Cause.dieOption(result.cause)
    if (defect._tag === "Some" && Socket.isSocketError(defect.value)) return yield* lost("the connection broke")
    // A runner that stops interrupts what it was asked.
    if (Cause.isInterruptedOnly(result.cause)) return yield* lost("the runner is stopping")
    return yield* Effect.failCause(result.cause as Cause.Cause<never>)
  })

/** A runner that was asked something does not even say that it is there. */
class Silent extends Data.TaggedError("Silent") {}

const PATIENCE = Duration.seconds(2)

/** Fails when the runner stops answering; a frozen process keeps its connections. */
const silence = (runner: RunnerClient): Effect.Effect<never, Silent> =>
  runner.Hello().pipe(
    Effect.timeoutFail({ duration: PATIENCE, onTimeout: () => new Silent() }),
    Effect.catchTag("RpcClientError", () => new Silent()),
    Effect.delay(PATIENCE),
    Effect.forever
  )

const isBroken = (error: unknown): error is RpcClientError => error instanceof RpcClientError

const decodeReplies = (
  replies: Uint8Array,
  commands: ReadonlyArray<MessageCodec.Command>
): Effect.Effect<ReadonlyArray<MessageCodec.Outcome>, RequestRefused> =>
  Effect.try({
    try: () => MessageCodec.decodeReplies(replies, commands),
    catch: (cause) => {
      if (cause instanceof Malformed) return new RequestRefused({ reason: `the zone's replies: ${cause.message}` })
      throw cause
    }
  })
