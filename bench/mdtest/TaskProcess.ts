/** The tasks as the run sees them: processes that get orders and tell how they did. */
import type { Done, Errand, FromTask, Order, ToTask } from "#bench/mdtest/Wire.ts"
import { profileFlags } from "#bench/RunnerProcess.ts"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { fork } from "node:child_process"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** A task ended, or an item of it failed. */
export class TaskFailed extends Data.TaggedError("TaskFailed")<{ readonly message: string }> {}

export interface TaskProcess {
  readonly pid: number
  /** Items done in the phase under way, as last told. */
  readonly items: () => number
  readonly perform: (order: Order) => Effect.Effect<Done, TaskFailed>
  /** Lets it end by itself, after which its profile is written. */
  readonly end: Effect.Effect<void>
}

const PROGRAM = fileURLToPath(new URL("Task.ts", import.meta.url))
const END = Duration.seconds(30)

/** Starts a task; this returns when it is connected. It is killed with the scope unless it has ended. */
export const start = (
  errand: Errand,
  profile: string | undefined
): Effect.Effect<TaskProcess, TaskFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const ended = yield* Deferred.make<void>()
    const failed = yield* Deferred.make<never, TaskFailed>()
    const ready = yield* Deferred.make<void>()
    let items = 0
    let done = (_word: Done): void => undefined
    const fail = (reason: string): void =>
      Deferred.unsafeDone(failed, Effect.fail(new TaskFailed({ message: `task ${errand.task}: ${reason}` })))
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        fork(PROGRAM, {
          execArgv: [...profileFlags(profile, `task.${errand.task}`)],
          // What is compiled once is for all tasks, and for the runs after this one.
          env: { NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"), ...process.env },
          stdio: ["ignore", "inherit", "inherit", "ipc"]
        })
      ),
      (started) => Effect.zipRight(Effect.sync(() => started.kill("SIGKILL")), Deferred.await(ended))
    )
    child.on("message", (word: FromTask) => {
      switch (word.kind) {
        case "ready":
          return Deferred.unsafeDone(ready, Effect.void)
        case "progress":
          items = word.items
          return
        case "done":
          items = word.items
          return done(word)
        case "failed":
          return fail(word.reason)
      }
    })
    child.on("error", ({ message }) => fail(message))
    child.once("close", (code, signal) => {
      fail(`ended by itself (${code ?? signal})`)
      Deferred.unsafeDone(ended, Effect.void)
    })
    const orFailed = <A>(effect: Effect.Effect<A>): Effect.Effect<A, TaskFailed> =>
      Effect.raceFirst(effect, Deferred.await(failed))
    const tell = (word: ToTask): void => void child.send(word)
    tell(errand)
    yield* orFailed(Deferred.await(ready))
    return {
      pid: child.pid ?? 0,
      items: () => items,
      perform: (order) =>
        orFailed(Effect.async<Done>((resume) => {
          items = 0
          done = (word) => resume(Effect.succeed(word))
          tell(order)
        })),
      end: Effect.zipRight(
        Effect.sync(() => tell({ kind: "end" })),
        Effect.ignore(Effect.timeout(Deferred.await(ended), END))
      )
    }
  })
