/** The two ways to load a system: callers that ask again when they were answered, and calls that are due at a rate. */
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"

/** One call; the answer is how many commands it did. */
export type Ask<E> = (caller: number) => Effect.Effect<number, E>

export interface Load {
  /** Commands done. */
  readonly count: number
  /** From the first call to the last answer. */
  readonly seconds: number
  /** Milliseconds of each call. */
  readonly millis: ReadonlyArray<number>
}

export interface LoopOptions {
  readonly seconds: number
  /** Told the commands of the second that passed. */
  readonly onProgress: (perSecond: number) => void
}

const SECOND = Duration.seconds(1)

export const perSecond = ({ count, seconds }: Load): number => count / seconds

/** So many callers; each asks once at least, and again as soon as it was answered. */
export const closed = <E>(callers: number, ask: Ask<E>, options: LoopOptions): Effect.Effect<Load, E> =>
  Effect.gen(function*() {
    const millis: Array<number> = []
    let count = 0
    const start = performance.now()
    const end = start + options.seconds * 1000
    const caller = (index: number) =>
      Effect.suspend(() => {
        let begun = 0
        let again = true
        return Effect.whileLoop({
          while: () => again,
          body: () => {
            begun = performance.now()
            return ask(index)
          },
          step: (done) => {
            const now = performance.now()
            millis.push(now - begun)
            count += done
            again = now < end
          }
        })
      })
    const all = Effect.forEach(Array.from({ length: callers }, (_, index) => index), caller, {
      concurrency: "unbounded",
      discard: true
    })
    yield* watched(all, () => count, options)
    return { count, seconds: (performance.now() - start) / 1000, millis }
  })

/** More calls are due than are answered: the rate is more than the system can do. */
export class Overrun extends Data.TaggedError("Overrun")<{ readonly message: string }> {}

/** Calls that may wait for their answers; if more are due, the system has fallen seconds behind. */
const WAITING_MAX = 10_000
const TICK = Duration.millis(1)

/**
 * Calls at a steady rate, whether those before were answered or not. A call's time counts from the moment when it was
 * due, so that a stall counts for all whom it kept waiting.
 */
export const open = <E>(
  callsPerSecond: number,
  callers: number,
  ask: Ask<E>,
  options: LoopOptions
): Effect.Effect<Load, E | Overrun> =>
  Effect.gen(function*() {
    const millis: Array<number> = []
    let count = 0
    let due = 0
    let answered = 0
    const total = Math.max(1, Math.round(callsPerSecond * options.seconds))
    // No children of this fiber: what keeps those would itself cost the collector, and so those who wait.
    const fork = Runtime.runFork(yield* Effect.runtime())
    const done = yield* Deferred.make<void, E>()
    const settle = (exit: Exit.Exit<void, E>): void => {
      if (Exit.isFailure(exit)) Deferred.unsafeDone(done, exit)
      else if (answered === total) Deferred.unsafeDone(done, Effect.void)
    }
    const start = performance.now()
    const call = (index: number) =>
      Effect.map(ask(index % callers), (done) => {
        millis.push(performance.now() - start - (index * 1000) / callsPerSecond)
        count += done
        answered++
      })
    const calls = Effect.gen(function*() {
      while (due < total) {
        const dueNow = Math.min(total, Math.ceil(((performance.now() - start) * callsPerSecond) / 1000))
        while (due < dueNow) {
          if (due - answered >= WAITING_MAX) {
            return yield* new Overrun({
              message: `${WAITING_MAX} calls wait at ${Math.round(callsPerSecond)} a second`
            })
          }
          fork(call(due++)).addObserver(settle)
        }
        yield* Effect.sleep(TICK)
      }
      yield* Deferred.await(done)
    })
    yield* watched(calls, () => count, options)
    return { count, seconds: (performance.now() - start) / 1000, millis }
  })

/** Does it, and tells each second how far it came. */
const watched = <A, E, R>(work: Effect.Effect<A, E, R>, count: () => number, options: LoopOptions) =>
  Effect.suspend(() => {
    let before = 0
    const tell = Effect.sync(() => {
      options.onProgress(count() - before)
      before = count()
    })
    return Effect.scoped(Effect.zipRight(
      Effect.forkScoped(Effect.forever(Effect.delay(tell, SECOND))),
      work
    ))
  })
