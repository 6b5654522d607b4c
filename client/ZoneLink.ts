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
import { InFlight } from "#shards/InFlight.ts"
import type { Cancel, Replies } from "#shards/MessageChannel.ts"
import * as ZoneError from "#shards/ZoneError.ts"
import { type Address, type ConnectFailed, format } from "#transport/Connection.ts"
import * as Socket from "@effect/platform/Socket"
import { RpcClientError } from "@effect/rpc/RpcClientError"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"

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
  /** What is under way there, by number. */
  readonly attempts: InFlight<Attempt>
  /** Whether somebody looks after them. */
  isWatched: boolean
}

/** Something under way to a runner. */
interface Attempt {
  readonly since: number
  /** When it is given up, in milliseconds of the clock. */
  readonly deadline: number
  readonly fail: (error: AttemptError) => void
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

/** The scope is to outlive all who use it. */
export const make = (options: ZoneLinkOptions): Effect.Effect<ZoneLink, never, Scope.Scope> =>
  Effect.map(Effect.all([Effect.runtime(), Effect.scope, Effect.clock]), ([runtime, scope, clock]) => {
    const { pool, zone } = options
    const fork = Runtime.runFork(runtime)
    const queue: Array<Group> = []
    let queued = 0
    let inFlight = 0
    let commandsInFlight = 0
    let scheduled = false
    let attempts = 0
    let route: Route | undefined
    let turn = 0
    /** Where the zone was lately not, or did not answer: asked last. */
    let avoided: Address | undefined

    const forget = (stale: Route): void => {
      if (route !== stale) return
      route = undefined
      avoided = stale.address
      turn = 0
    }

    const locateAt = (asked: Address): Effect.Effect<Route, AttemptError> =>
      Effect.map(
        connected(pool, asked, (runner) => runner.Locate({ zone })),
        ({ epoch, host, port }) => ({ address: { host, port }, epoch, attempts: new InFlight(), isWatched: false })
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

    /** Looks after what is under way: asks others where the zone is, and gives up what takes too long. */
    const watch = (at: Route): Effect.Effect<void> =>
      Effect.gen(function*() {
        let doubted: Attempt | undefined
        let pause = DOUBT_MILLIS_MIN
        let due = 0
        for (;;) {
          const { oldest } = at.attempts
          if (oldest === undefined) break
          if (oldest !== doubted) {
            doubted = oldest
            pause = DOUBT_MILLIS_MIN
            due = oldest.since + pause
          }
          const now = Elapsed.unsafeMillis(clock)
          for (const attempt of at.attempts.all()) if (attempt.deadline <= now) attempt.fail(late(at))
          if (now < due) {
            yield* Effect.sleep(Duration.millis(due - now))
            continue
          }
          const elsewhere = yield* askOthers(at)
          if (elsewhere === "elsewhere") { for (const attempt of at.attempts.all()) attempt.fail(new Moved()) }
          else if (elsewhere === "there") pause = Math.min(2 * pause, DOUBT_MILLIS_MAX)
          due = Elapsed.unsafeMillis(clock) + pause
        }
        at.isWatched = false
      }).pipe(
        // Whoever comes next starts another one.
        Effect.onError(() => Effect.sync(() => void (at.isWatched = false)))
      )

    /** Whether the zone is where it was, as another runner says. */
    const askOthers = (at: Route): Effect.Effect<"there" | "elsewhere" | "unknown"> =>
      Effect.gen(function*() {
        const [asked] = behind(options.seeds(), at.address)
        if (asked === undefined || isSame(asked, at.address)) return "unknown"
        const found = yield* Effect.option(locateAt(asked))
        if (found._tag === "None" || isSame(found.value.address, at.address)) return "there"
        if (route === at || route === undefined) route = found.value
        return "elsewhere"
      })

    /**
     * Has something done by the runner that has the zone; `start` calls back once, or is told that nobody waits any more.
     * It fails as well when it takes too long, or once another runner says that the zone is elsewhere by now: the zone's
     * own runner may be gone.
     */
    const attempt = <A>(start: Start<A>, limitMillis: number): Effect.Effect<A, AttemptError> =>
      Effect.flatMap(findRoute, (at) =>
        Effect.async((resume) => {
          const since = Elapsed.unsafeMillis(clock)
          const end = (result: Exit.Exit<A, AttemptError>): void => {
            if (at.attempts.take(number) === undefined) return
            const error = Exit.isFailure(result) ? Option.getOrUndefined(Cause.failureOption(result.cause)) : undefined
            if (error?._tag === "StaleEpoch") at.epoch = error.epoch
            else if (error?._tag === "NotOwner" || error?._tag === "ClusterUnreachable") forget(at)
            resume(result)
          }
          const fail = (error: AttemptError): void => {
            cancel()
            end(Exit.fail(error))
          }
          const number = attempts++
          at.attempts.add(number, { since, deadline: since + limitMillis, fail })
          const cancel = start(at, end)
          if (!at.isWatched) {
            at.isWatched = true
            fork(watch(at), { scope })
          }
          return Effect.sync(() => {
            at.attempts.take(number)
            cancel()
          })
        }))

    /** What an effect comes to. */
    const running = <A>(use: (at: Route) => Effect.Effect<A, AttemptError>): Start<A> => (at, end) => {
      const fiber = fork(use(at))
      fiber.addObserver(end)
      return () => fiber.unsafeInterruptAsFork(FiberId.none)
    }

    const withRunner = <A>(
      use: (runner: RunnerClient) => Effect.Effect<A, ZoneError.SubmitError | RpcClientError>,
      limit: Duration.Duration
    ): Effect.Effect<A, AttemptError> =>
      attempt(running(({ address }) => connected(pool, address, use)), Duration.toMillis(limit))

    /** Tries until it succeeds, cannot succeed, or has taken too long. */
    const persist = <A>(attempt: Effect.Effect<A, AttemptError>): Effect.Effect<A, TransportError> =>
      Effect.suspend(() => {
        const deadline = Elapsed.unsafeMillis(clock) + options.retryMillisMax
        return Effect.catchAll(attempt, (error) => tryAgain(attempt, error, deadline))
      })

    const tryAgain = <A>(
      attempt: Effect.Effect<A, AttemptError>,
      first: AttemptError,
      deadline: number
    ): Effect.Effect<A, TransportError> =>
      Effect.gen(function*() {
        let error = first
        for (let backoff = BACKOFF_MILLIS_MIN;; backoff = Math.min(backoff * 2, BACKOFF_MILLIS_MAX)) {
          if (error._tag !== "StaleEpoch" && error._tag !== "Moved") {
            if (error._tag === "RequestRefused") return yield* error
            if (error._tag !== "ClusterUnreachable" && !ZoneError.isRetryable(error)) {
              return yield* new RequestRefused({ reason: error.message })
            }
            if (Elapsed.unsafeMillis(clock) >= deadline) {
              return yield* error._tag === "ClusterUnreachable"
                ? error
                : new ClusterUnreachable({ endpoint: placeName(route, options.seeds()), reason: error.message })
            }
            yield* Effect.sleep(Duration.millis(backoff * (0.5 + (yield* Random.next) / 2)))
          }
          const result = yield* Effect.either(attempt)
          if (result._tag === "Right") return result.right
          error = result.left
        }
      })

    /** Sends commands as a message. */
    const submitting =
      (session: ClientSession, commands: ReadonlyArray<MessageCodec.Command>): Start<Uint8Array> => (at, end) => {
        const isKnown = session.isKnown(zone)
        const message = MessageCodec.encode({
          zone,
          epoch: at.epoch,
          session: session.id,
          floor: session.floor(zone),
          known: isKnown,
          descriptor: isKnown ? undefined : session.descriptor,
          commands
        })
        const answered = (replies: Replies): Exit.Exit<Uint8Array, AttemptError> => {
          if (Either.isRight(replies)) return Exit.succeed(replies.right)
          const error = replies.left
          if (error._tag === "SessionLost") options.onSessionLost(session)
          if (error._tag !== "ChannelBroken") return Exit.fail(error)
          return Exit.fail(new ClusterUnreachable({ endpoint: format(at.address), reason: error.reason }))
        }
        const channel = pool.channel(at.address)
        if (channel !== undefined) return channel.submit(message, (replies) => end(answered(replies)))
        const opened = Effect.mapError(pool.openChannel(at.address), notConnected)
        return running(() =>
          Effect.flatMap(
            opened,
            (channel) =>
              Effect.async<Uint8Array, AttemptError>((resume) =>
                Effect.sync(channel.submit(message, (replies) => resume(answered(replies))))
              )
          )
        )(at, end)
      }

    const exchange = (
      session: ClientSession,
      commands: ReadonlyArray<MessageCodec.Command>,
      limit: Duration.Duration
    ): Effect.Effect<ReadonlyArray<MessageCodec.Outcome>, TransportError> =>
      persist(attempt(submitting(session, commands), Duration.toMillis(limit))).pipe(
        Effect.flatMap((replies) => decodeReplies(replies, commands)),
        Effect.map((outcomes) => {
          if (commands.some(({ operation }) => !isRead(operation))) session.know(zone)
          return outcomes
        }),
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
        Effect.suspend(() => {
          scheduled = false
          if (!isDue()) return Effect.void
          inFlight++
          const delivery = deliver(takeGroups())
          schedule()
          return delivery
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

/** Begins something at a runner; what is given back ends it when nobody waits any more. */
type Start<A> = (at: Route, end: (result: Exit.Exit<A, AttemptError>) => void) => Cancel

const late = ({ address }: Route): ClusterUnreachable =>
  new ClusterUnreachable({ endpoint: format(address), reason: `no answer in ${Duration.format(ATTEMPT_TIME_MAX)}` })

const notConnected = (
  { endpoint, message, reason, retryable }: ConnectFailed
): ClusterUnreachable | RequestRefused =>
  retryable ? new ClusterUnreachable({ endpoint, reason }) : new RequestRefused({ reason: message })

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
    const runner = yield* Effect.mapError(pool.get(address), notConnected)
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
