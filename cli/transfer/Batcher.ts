/**
 * Gathers steps of few commands each into large messages, and keeps several messages under way. A step's commands
 * stay together; its outcomes go to its own handler.
 */
import { type ClientService, type Command } from "#client/Client.ts"
import type { TransportError } from "#client/ClientError.ts"
import type { Outcome } from "#domain/codec/MessageCodec.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Step {
  readonly commands: ReadonlyArray<Command>
  readonly onOutcomes: (outcomes: ReadonlyArray<Outcome>) => void
}

export interface Batcher<E> {
  /** Sends steps on their way together, once there is room for another message. */
  readonly send: (steps: ReadonlyArray<Step>) => Effect.Effect<void, E | TransportError>
  /** Sends steps and waits for their outcomes. */
  readonly deliver: (steps: ReadonlyArray<Step>) => Effect.Effect<void, TransportError>
  /** Work of another kind, bounded together with the messages. */
  readonly work: (work: Effect.Effect<void, E | TransportError>) => Effect.Effect<void, E | TransportError>
  /** Everything sent has its outcome. */
  readonly settled: Effect.Effect<void, E | TransportError>
}

const UNDER_WAY_MAX = 4
const MESSAGE_COMMANDS = Limits.messageCommandsMax / 2

export const make = <E = never>(client: ClientService): Effect.Effect<Batcher<E>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const permits = Effect.unsafeMakeSemaphore(UNDER_WAY_MAX)
    const failed = yield* Deferred.make<never, E | TransportError>()

    const orFailed = <A, E2>(effect: Effect.Effect<A, E2>): Effect.Effect<A, E | E2 | TransportError> =>
      Effect.raceFirst(effect, Deferred.await(failed))

    const work = (task: Effect.Effect<void, E | TransportError>) =>
      Effect.gen(function*() {
        yield* orFailed(permits.take(1))
        yield* task.pipe(
          Effect.catchAllCause((cause) => Deferred.failCause(failed, cause)),
          Effect.ensuring(permits.release(1)),
          Effect.forkIn(scope)
        )
      })

    const exchange = (steps: ReadonlyArray<Step>) =>
      Effect.map(client.callAll(steps.flatMap(({ commands }) => commands)), (outcomes) => {
        let at = 0
        for (const { commands, onOutcomes } of steps) {
          onOutcomes(outcomes.slice(at, at + commands.length))
          at += commands.length
        }
      })

    return {
      work,
      deliver: (steps) => Effect.forEach(messages(steps), exchange, { discard: true }),
      send: (steps) => Effect.forEach(messages(steps), (message) => work(exchange(message)), { discard: true }),
      settled: orFailed(Effect.zipRight(permits.take(UNDER_WAY_MAX), permits.release(UNDER_WAY_MAX)))
    }
  })

/** Steps by zone, as many a message as fit. */
const messages = (steps: ReadonlyArray<Step>): ReadonlyArray<ReadonlyArray<Step>> => {
  const out: Array<Array<Step>> = []
  const open = new Map<number, { steps: Array<Step>; commands: number }>()
  for (const step of steps) {
    const [first] = step.commands
    if (first === undefined) continue
    const zone = InodeNumber.zoneOf(first.operation.routeOf(first.request))
    let message = open.get(zone)
    if (message === undefined || message.commands + step.commands.length > MESSAGE_COMMANDS) {
      message = { steps: [], commands: 0 }
      open.set(zone, message)
      out.push(message.steps)
    }
    message.steps.push(step)
    message.commands += step.commands.length
  }
  return out
}
