/**
 * A client of a cluster: finds zones, sends them commands, keeps its session alive, moves blocks. It addresses
 * inodes; paths are `FileSystem`'s.
 */
import * as Blocks from "#client/Blocks.ts"
import { ClusterUnreachable, PosixError, RequestRefused, type TransportError } from "#client/ClientError.ts"
import * as Past from "#client/Past.ts"
import * as RunnerPool from "#client/RunnerPool.ts"
import { ClientSession, NUMBER_MAX } from "#client/Session.ts"
import * as ZoneLink from "#client/ZoneLink.ts"
import type { Outcome } from "#domain/codec/MessageCodec.ts"
import type { Credentials } from "#domain/Credentials.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { Operation } from "#domain/Operation.ts"
import { type OperationName, operations, type ReplyOf, type RequestOf } from "#domain/Operations.ts"
import type { SessionDescriptor } from "#domain/Session.ts"
import type { ClusterInfo } from "#shards/Api.ts"
import { Network, over } from "#shards/Network.ts"
import type { BlockTransport } from "#transport/BlockTransport.ts"
import { type Address, format } from "#transport/Connection.ts"
import type { RpcClientError } from "@effect/rpc/RpcClientError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"

export interface ClientOptions {
  /** Runners of the cluster, one at least; the others are found through it. */
  readonly endpoints: ReadonlyArray<Address>
  readonly secret: Redacted.Redacted<string>
  /** Who asks, unless a call says otherwise. */
  readonly who: Credentials
  readonly descriptor: SessionDescriptor
  /** How long a request is tried when no runner takes it. */
  readonly retryFor: Duration.Duration
  /** Whether connections are encrypted with the secret; the runners must want the same. */
  readonly tls?: boolean
}

/** One command by its operation's name, not sent yet. */
export interface Command {
  readonly operation: Operation<unknown, unknown>
  readonly request: unknown
}

export const command = <Name extends OperationName>(name: Name, request: RequestOf<Name>): Command => ({
  operation: operations[name] as Operation<unknown, unknown>,
  request
})

export interface ClientService {
  readonly info: ClusterInfo
  readonly who: Credentials
  /** Number of the client's session, as the audit log shows it; another one once a zone has ended it. */
  readonly session: () => number
  readonly blocks: BlockTransport
  /** One command. A refusal is a `PosixError` without a path. */
  readonly call: <Name extends OperationName>(
    name: Name,
    request: RequestOf<Name>
  ) => Effect.Effect<ReplyOf<Name>, PosixError | TransportError>
  /**
   * Commands for the zone of the first one's inode, in one message and one batch: all become durable together.
   * A later command may name the inode of an earlier one's reply by -k, k places before it.
   */
  readonly callAll: (commands: ReadonlyArray<Command>) => Effect.Effect<ReadonlyArray<Outcome>, TransportError>
  /** A lock that may have to wait; giving up the wait takes it back. */
  readonly lock: (request: RequestOf<"lock">) => Effect.Effect<void, PosixError | TransportError>
  /** The numbers of the past's inodes; `call` and `callAll` take them like any others. */
  readonly past: Omit<Past.Past, "callAll">
  readonly zone: (zone: number) => Effect.Effect<ZoneLink.ZoneLink>
  /** Asks any runner. */
  readonly anyRunner: <A, E>(
    use: (runner: RunnerPool.RunnerClient) => Effect.Effect<A, E | RpcClientError>
  ) => Effect.Effect<A, Exclude<E, RpcClientError> | TransportError>
}

export class Client extends Context.Tag("cadastre/Client")<Client, ClientService>() {}

/** Must be well within the sessions' lease that runners keep. */
const HEARTBEAT_INTERVAL = Duration.seconds(10)
const FAREWELL_TIME_MAX = Duration.seconds(5)

export const layer = (options: ClientOptions): Layer.Layer<Client, TransportError> =>
  Layer.scoped(Client, make(options))

export const make = (options: ClientOptions): Effect.Effect<ClientService, TransportError, Scope.Scope> =>
  options.tls === true ? Effect.provideService(connect(options), Network, over(true)) : connect(options)

const connect = (options: ClientOptions): Effect.Effect<ClientService, TransportError, Scope.Scope> =>
  Effect.gen(function*() {
    const { descriptor, endpoints, secret, who } = options
    const pool = yield* RunnerPool.make(secret)
    const runners = new Map<string, Address>(endpoints.map((address) => [format(address), address]))
    const links = new Map<number, ZoneLink.ZoneLink>()
    // Before the farewell, so that it ends after it.
    const linksScope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const newSession = Effect.map(Random.nextIntBetween(1, NUMBER_MAX), (id) => new ClientSession(id, descriptor))
    let session = yield* newSession
    const random = yield* Effect.random

    const zone = (number: number): Effect.Effect<ZoneLink.ZoneLink> =>
      Effect.suspend(() => {
        const link = links.get(number)
        if (link !== undefined) return Effect.succeed(link)
        return Effect.map(
          ZoneLink.make({
            zone: number,
            pool,
            seeds: () => pool.preferred([...runners.values()]),
            session: () => session,
            onSessionLost: (lost) => {
              if (session !== lost) return
              session = new ClientSession(Effect.runSync(random.nextIntBetween(1, NUMBER_MAX)), descriptor)
            },
            retryMillisMax: Duration.toMillis(options.retryFor)
          }).pipe(Scope.extend(linksScope)),
          (made) => {
            const raced = links.get(number)
            if (raced !== undefined) return raced
            links.set(number, made)
            return made
          }
        )
      })

    const anyRunner = <A, E>(
      use: (runner: RunnerPool.RunnerClient) => Effect.Effect<A, E | RpcClientError>
    ): Effect.Effect<A, Exclude<E, RpcClientError> | TransportError> => {
      let turn = 0
      const once = Effect.suspend(() => {
        const known = pool.preferred([...runners.values()])
        return ZoneLink.connected<A, E>(pool, known[turn++ % known.length] as Address, use)
      })
      const schedule = Schedule.spaced(Duration.millis(200)).pipe(
        Schedule.upTo(options.retryFor),
        Schedule.whileInput((error: unknown) => error instanceof ClusterUnreachable)
      )
      return Effect.retry(once, schedule)
    }

    const learnRunners = anyRunner((runner) => runner.Runners()).pipe(
      Effect.map((found) => {
        for (const { healthy, host, port } of found) {
          if (healthy) runners.set(format({ host, port }), { host, port })
        }
      }),
      Effect.catchAll(() => Effect.void)
    )

    const heartbeat = Effect.suspend(() => {
      const byRunner = new Map<string, { readonly address: Address; readonly zones: Array<number> }>()
      for (const number of session.knownZones()) {
        const address = links.get(number)?.place()
        if (address === undefined) continue
        const key = format(address)
        const entry = byRunner.get(key)
        if (entry === undefined) byRunner.set(key, { address, zones: [number] })
        else entry.zones.push(number)
      }
      return Effect.forEach(
        byRunner.values(),
        ({ address, zones }) =>
          ZoneLink.connected(pool, address, (runner) => runner.Heartbeat({ session: session.id, zones })).pipe(
            Effect.map((missing) => {
              for (const number of missing) links.get(number)?.forget()
            }),
            // Whoever has the zone next gives the session its full time again.
            Effect.catchAll(() =>
              Effect.sync(() => {
                for (const number of zones) links.get(number)?.forget()
              })
            )
          ),
        { discard: true, concurrency: 16 }
      )
    })

    /** A zone that is not where it was gets asked, so that its next heartbeat arrives. */
    const refind = Effect.suspend(() =>
      Effect.forEach(
        session.knownZones().filter((number) => links.get(number)?.place() === undefined),
        (number) =>
          Effect.flatMap(zone(number), (link) =>
            Effect.ignore(link.send([{ ...command("getAttributes", { inode: InodeNumber.rootOf(number) }), who }]))),
        {
          discard: true,
          concurrency: 16
        }
      )
    )

    const farewell = Effect.suspend(() => {
      const { id } = session
      return Effect.forEach(session.knownZones(), (number) =>
        Effect.flatMap(zone(number), (link) =>
          link.send([{
            ...command("endSession", { inode: InodeNumber.rootOf(number), session: id, reason: "closed" }),
            who
          }])), { discard: true, concurrency: 16 })
    }).pipe(Effect.timeout(FAREWELL_TIME_MAX), Effect.catchAllCause(() => Effect.void))

    const info = yield* anyRunner((runner) => runner.Hello())
    yield* learnRunners
    const blocks = yield* Blocks.make({
      runners: () => pool.preferred([...runners.values()]),
      secret,
      retryFor: options.retryFor
    })
    yield* Effect.addFinalizer(() => Effect.interruptible(farewell))
    yield* Effect.zipRight(Effect.zipRight(heartbeat, refind), learnRunners).pipe(
      Effect.delay(HEARTBEAT_INTERVAL),
      Effect.forever,
      Effect.forkScoped
    )

    const live: ClientService["callAll"] = (commands) => {
      const [first] = commands
      if (first === undefined) return Effect.succeed([])
      const number = InodeNumber.zoneOf(first.operation.routeOf(first.request))
      if (number >= info.zones) {
        return Effect.fail(new RequestRefused({ reason: `zone ${number} is not in a cluster of ${info.zones} zones` }))
      }
      return Effect.flatMap(zone(number), (link) => link.send(commands.map((one) => ({ ...one, who }))))
    }

    const past = Past.make({
      live,
      submit: ({ sequence, zone: number }, commands) =>
        Effect.flatMap(zone(number), (link) => link.readPast(sequence, commands.map((one) => ({ ...one, who }))))
    })
    const callAll: ClientService["callAll"] = (commands) =>
      commands.some(Past.concerns) ? past.callAll(commands) : live(commands)

    return Client.of({
      info,
      past,
      who,
      session: () => session.id,
      blocks,
      callAll,
      zone,
      anyRunner,
      call: (name, request) =>
        Effect.flatMap(callAll([command(name, request)]), ([outcome]) => settle(name, outcome as Outcome)),
      lock: (request) =>
        Effect.flatMap(zone(InodeNumber.zoneOf(request.inode)), (link) => {
          let waiting = 0
          const take = link.sendWaiting({ ...command("lock", request), who }, (number) => {
            waiting = number
          })
          const cancel = Effect.suspend(() =>
            Effect.ignore(link.send([{ ...command("cancelLock", { inode: request.inode, waiting }), who }]))
          )
          const { end, family, inode, owner, start } = request
          const release = link.send([{ ...command("unlock", { inode, family, owner, start, end }), who }])
          return take.pipe(
            Effect.onInterrupt(() => Effect.zipRight(cancel, Effect.ignore(release))),
            Effect.flatMap((outcome) => settle("lock", outcome))
          )
        })
    })
  })

/** The reply, or the refusal as an error. */
export const settle = <Name extends OperationName>(
  name: Name,
  outcome: Outcome,
  path = ""
): Effect.Effect<ReplyOf<Name>, PosixError> =>
  outcome.errno === 0
    ? Effect.succeed(outcome.reply as ReplyOf<Name>)
    : Effect.fail(new PosixError({ errno: outcome.errno, operation: operations[name].name, path }))
