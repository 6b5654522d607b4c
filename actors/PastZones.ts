/**
 * Zones as they were: recovers a zone's state at an event and answers reads from it. It lives beside the zones and
 * asks none of them: snapshots and the journal are enough. A state stays for those who read on, few at a time.
 */
import { stateAt } from "#actors/Recovery.ts"
import * as Batch from "#domain/Batch.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { Malformed } from "#domain/codec/Reader.ts"
import { Decider, type Decision, isRead, SESSION_ENDED, WAITS } from "#domain/Decide.ts"
import { Errno } from "#domain/Errno.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import type { BlockStore } from "#persistence/blocks/BlockStore.ts"
import type { Journal } from "#persistence/Journal.ts"
import * as Elapsed from "#shards/Elapsed.ts"
import * as ZoneError from "#shards/ZoneError.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

export interface PastZones {
  /** A packed message of reads in, its packed replies out, from the zone right after the command of the event. */
  readonly submit: (
    zone: number,
    sequence: number,
    message: Uint8Array
  ) => Effect.Effect<Uint8Array, ZoneError.SubmitError>
}

/** States in memory at a time; the least recently used one goes. */
const STATES_MAX = 4
/** States being recovered at a time. */
const RECOVERIES_MAX = 2
/** How long a state stays that nobody reads. */
const IDLE_MILLIS_MAX = 120_000
const SWEEP_INTERVAL = Duration.seconds(30)

interface Past {
  readonly state: Fiber.Fiber<ZoneState, ZoneError.SubmitError>
  readonly usedMillis: number
}

export const make: Effect.Effect<PastZones, never, Journal | BlockStore | Scope.Scope> = Effect.gen(function*() {
  const context = yield* Effect.context<Journal | BlockStore>()
  const scope = yield* Effect.scope
  const turns = yield* Effect.makeSemaphore(RECOVERIES_MAX)
  const states = new Map<string, Past>()

  const recovered = (zone: number, sequence: number): Effect.Effect<ZoneState, ZoneError.SubmitError> =>
    stateAt(zone, sequence).pipe(
      Effect.provide(context),
      Effect.catchTag(
        "JournalUnavailable",
        ({ message }) => Effect.fail(new ZoneError.ZoneUnavailable({ zone, reason: message }))
      ),
      Effect.filterOrFail(
        (state) => state.founded && state.sequence >= sequence,
        ({ sequence: end }) => new ZoneError.BadMessage({ reason: `zone ${zone} has events 1 to ${end}` })
      ),
      turns.withPermits(1)
    )

  /** The state, recovered once however many ask, and to its end though they leave. */
  const find = (zone: number, sequence: number): Effect.Effect<ZoneState, ZoneError.SubmitError> =>
    Effect.gen(function*() {
      const key = `${zone}/${sequence}`
      const usedMillis = yield* Elapsed.millis
      const known = states.get(key)
      states.delete(key)
      const state = known?.state ??
        (yield* recovered(zone, sequence).pipe(
          Effect.onError(() => Effect.sync(() => states.delete(key))),
          Effect.forkIn(scope)
        ))
      states.set(key, { state, usedMillis })
      if (states.size > STATES_MAX) states.delete(states.keys().next().value as string)
      return yield* Fiber.join(state)
    })

  const sweep = Effect.map(Elapsed.millis, (now) => {
    for (const [key, { usedMillis }] of states) if (usedMillis < now - IDLE_MILLIS_MAX) states.delete(key)
  })
  yield* sweep.pipe(Effect.delay(SWEEP_INTERVAL), Effect.forever, Effect.forkScoped)

  return {
    submit: (zone, sequence, bytes) =>
      Effect.gen(function*() {
        const message = yield* decoded(bytes)
        return yield* answered(yield* find(zone, sequence), message)
      })
  }
})

/** What the state answers: nothing of it changes, whatever is asked. */
const answered = (
  state: ZoneState,
  message: MessageCodec.Message
): Effect.Effect<Uint8Array, ZoneError.SubmitError> =>
  Effect.try({
    try: () => {
      // Without a session: what it held open then is not the caller's.
      const decisions = new Decider(state).decide({ ...message, session: 0 })
      if (decisions === SESSION_ENDED) throw new Error("there is no session that could have ended")
      return MessageCodec.encodeReplies(
        message.commands.map((command, index) => isRead(command.operation) ? replyOf(decisions[index]) : READ_ONLY)
      )
    },
    catch: (cause) => new ZoneError.ZoneDefect({ zone: state.zone, reason: String(cause) })
  })

const READ_ONLY = Batch.encodeRefusal(Errno.EROFS)

const replyOf = (decision: Decision | undefined) => {
  if (decision === undefined || decision === WAITS) throw new Error("a read waits")
  return decision.reply
}

const decoded = (bytes: Uint8Array): Effect.Effect<MessageCodec.Message, ZoneError.BadMessage> =>
  Effect.try({
    try: () => MessageCodec.decode(bytes),
    catch: (cause) => {
      if (cause instanceof Malformed) return new ZoneError.BadMessage({ reason: cause.message })
      throw cause
    }
  })
