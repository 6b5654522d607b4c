/**
 * Zones as they were: recovers a zone's state at an event and answers reads from it, its pages brought back as they are
 * met. It lives beside the zones and asks none of them: snapshots and the journal are enough. A state stays for those
 * who read on, few at a time.
 */
import { type Past, stateAt } from "#actors/Recovery.ts"
import * as Batch from "#domain/Batch.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { Malformed } from "#domain/codec/Reader.ts"
import { Decider, type Decision, isRead, SESSION_ENDED, WAITS } from "#domain/Decide.ts"
import { Errno } from "#domain/Errno.ts"
import type { BlockStore, StoreUnavailable } from "#persistence/blocks/BlockStore.ts"
import type { Journal } from "#persistence/Journal.ts"
import * as Manifest from "#persistence/pages/Manifest.ts"
import type { PageLost, ZonePages } from "#persistence/pages/ZonePages.ts"
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
/** Snapshots of which a page was lost, remembered. */
const AVOIDED_MAX = 1024

/** A state and who reads it: one message at a time, so that no other one's pages go while it asks for its own. */
interface Reading {
  readonly past: Fiber.Fiber<Past, ZoneError.SubmitError>
  readonly turns: Effect.Semaphore
  readonly usedMillis: number
}

/** All states together may take `memoryBytes` with pages that can be had again. */
export const make = (memoryBytes: number): Effect.Effect<PastZones, never, Journal | BlockStore | Scope.Scope> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<Journal | BlockStore>()
    const scope = yield* Effect.scope
    const recoveries = yield* Effect.makeSemaphore(RECOVERIES_MAX)
    const states = new Map<string, Reading>()
    /** Keys of the manifests of those snapshots. */
    const avoided = new Set<string>()

    const recovered = (zone: number, sequence: number): Effect.Effect<Past, ZoneError.SubmitError> =>
      stateAt(zone, sequence, memoryBytes / STATES_MAX, avoided).pipe(
        Effect.provide(context),
        Effect.catchTag("JournalUnavailable", ({ message }) => unavailable(zone, message)),
        Effect.filterOrFail(
          ({ pages: { state } }) => state.founded && state.sequence >= sequence,
          ({ pages: { state } }) =>
            new ZoneError.BadMessage({ reason: `zone ${zone} has events 1 to ${state.sequence}` })
        ),
        recoveries.withPermits(1)
      )

    /** The state, recovered once however many ask, and to its end though they leave. */
    const find = (zone: number, sequence: number): Effect.Effect<Reading, ZoneError.SubmitError> =>
      Effect.gen(function*() {
        const key = `${zone}/${sequence}`
        const usedMillis = yield* Elapsed.millis
        const known = states.get(key)
        states.delete(key)
        const past = known?.past ??
          (yield* recovered(zone, sequence).pipe(
            Effect.onError(() => Effect.sync(() => states.delete(key))),
            Effect.forkIn(scope)
          ))
        const reading = { past, turns: known?.turns ?? Effect.unsafeMakeSemaphore(1), usedMillis }
        states.set(key, reading)
        if (states.size > STATES_MAX) states.delete(states.keys().next().value as string)
        return reading
      })

    /** Answers from the state; from another snapshot's, once a page of this one is lost or its zone has removed it. */
    const read = (
      zone: number,
      sequence: number,
      message: MessageCodec.Message
    ): Effect.Effect<Uint8Array, ZoneError.SubmitError> =>
      Effect.gen(function*() {
        const { past, turns } = yield* find(zone, sequence)
        const { pages, record } = yield* Fiber.join(past)
        return yield* answered(pages, message).pipe(
          turns.withPermits(1),
          Effect.catchTags({
            StoreUnavailable: (error) => unavailable(zone, error.message),
            PageLost: (lost) => {
              if (record === undefined) return Effect.die(lost)
              if (avoided.size >= AVOIDED_MAX) avoided.clear()
              avoided.add(Manifest.keyOf(record))
              for (const [key, reading] of states) if (reading.past === past) states.delete(key)
              return Effect.zipRight(Effect.logWarning(`the past of ${lost.message}`), read(zone, sequence, message))
            }
          })
        )
      })

    const sweep = Effect.map(Elapsed.millis, (now) => {
      for (const [key, { usedMillis }] of states) if (usedMillis < now - IDLE_MILLIS_MAX) states.delete(key)
    })
    yield* sweep.pipe(Effect.delay(SWEEP_INTERVAL), Effect.forever, Effect.forkScoped)

    return {
      submit: (zone, sequence, bytes) =>
        Effect.gen(function*() {
          const message = yield* decoded(bytes)
          return yield* read(zone, sequence, message)
        })
    }
  })

/** What the state answers: nothing of it changes, whatever is asked. */
const answered = (
  pages: ZonePages,
  message: MessageCodec.Message
): Effect.Effect<Uint8Array, ZoneError.ZoneDefect | PageLost | StoreUnavailable> =>
  Effect.suspend(() => {
    const decider = new Decider(pages.state)
    const made: Array<Decision> = []
    // Without a session: what it held open then is not the caller's.
    return pages.retry(() => decider.decide({ ...message, session: 0 }, made), () => decider.missing(message))
  }).pipe(
    Effect.zipLeft(pages.bound),
    Effect.map((decisions) => {
      if (decisions === SESSION_ENDED) throw new Error("there is no session that could have ended")
      return MessageCodec.encodeReplies(
        message.commands.map((command, index) => isRead(command.operation) ? replyOf(decisions[index]) : READ_ONLY)
      )
    }),
    Effect.catchAllDefect((cause) => new ZoneError.ZoneDefect({ zone: pages.state.zone, reason: String(cause) }))
  )

const unavailable = (zone: number, reason: string): ZoneError.ZoneUnavailable =>
  new ZoneError.ZoneUnavailable({ zone, reason })

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
