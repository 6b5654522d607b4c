/**
 * A run's own Postgres, and what may befall it: it stops, crashes, stands still, and loses its disk. Whatever befalls
 * it, it comes back, and each round has a database of its own in it.
 */
import * as Database from "#persistence/Database.ts"
import * as EmbeddedPostgres from "#runners/EmbeddedPostgres.ts"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { readFileSync } from "node:fs"
import { join } from "node:path"

export interface Postgres {
  readonly socket: string
  readonly user: string
  readonly password: Redacted.Redacted<string>
  readonly makeDatabase: (name: string) => Effect.Effect<void>
  /** As an operator's restart: connections are ended, everything is on disk. It starts again by itself. */
  readonly restart: Effect.Effect<void>
  /** As a crash: nothing is finished, and it recovers when it starts again by itself. */
  readonly crash: Effect.Effect<void>
  readonly freeze: Effect.Effect<void>
  readonly wake: Effect.Effect<void>
  /** Dies with all its processes, and stays so. */
  readonly kill: Effect.Effect<void>
  readonly start: Effect.Effect<void>
}

export const make = (folder: string): Effect.Effect<Postgres, EmbeddedPostgres.PostgresFailed, Scope.Scope> =>
  Effect.gen(function*() {
    let scope = yield* Scope.make()
    let running = yield* startIn(folder, scope)
    yield* Effect.addFinalizer(() => Effect.suspend(() => Scope.close(scope, Exit.void)))
    const signal = (name: NodeJS.Signals) =>
      Effect.suspend(() =>
        Effect.map(Effect.option(running.pid), (pid) => {
          if (pid._tag === "Some") send(pid.value, name)
        })
      )
    const toAll = (act: (pid: number) => void) =>
      Effect.suspend(() =>
        Effect.map(Effect.option(running.pid), (pid) => {
          if (pid._tag === "Some") act(pid.value)
        })
      )
    return {
      socket: join(running.host, `.s.PGSQL.${running.port}`),
      user: running.user,
      password: running.password,
      makeDatabase: (name) => makeDatabase(running, name),
      restart: signal("SIGINT"),
      crash: signal("SIGQUIT"),
      freeze: toAll(freeze),
      wake: toAll(wake),
      kill: Effect.gen(function*() {
        yield* toAll(kill)
        yield* Scope.close(scope, Exit.void)
      }),
      start: Effect.gen(function*() {
        scope = yield* Scope.make()
        running = yield* startIn(folder, scope)
      }).pipe(Effect.orDie)
    }
  })

/** What watches over it must end with its scope, also where it is started by something that must not be interrupted. */
const startIn = (folder: string, scope: Scope.Scope) =>
  Scope.extend(EmbeddedPostgres.start(folder), scope).pipe(
    Effect.interruptible,
    Effect.forkDaemon,
    Effect.flatMap(Fiber.join)
  )

const makeDatabase = (postgres: EmbeddedPostgres.EmbeddedPostgres, name: string): Effect.Effect<void> =>
  Effect.scoped(Effect.flatMap(
    Database.make({ ...postgres, tls: false, connectionsMax: 1, statementMillisMax: 10_000 }),
    ({ query }) => query("make a database", `create database ${name}`)
  )).pipe(Effect.retry({ times: 5 }), Effect.orDie, Effect.asVoid)

/** The server first, so that it makes no more children while they are told. */
const freeze = (pid: number): ReadonlyArray<number> => {
  send(pid, "SIGSTOP")
  const children = [...childrenOf(pid)]
  for (const child of children) send(child, "SIGSTOP")
  return children
}

const wake = (pid: number): void => {
  for (const child of [...childrenOf(pid), pid]) send(child, "SIGCONT")
}

const kill = (pid: number): void => {
  for (const one of [...freeze(pid), pid]) send(one, "SIGKILL")
}

function* childrenOf(pid: number): Iterable<number> {
  let text = ""
  try {
    text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
  } catch {
    // It is gone.
  }
  for (const child of text.split(" ")) if (child !== "") yield Number(child)
}

const send = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // It is gone.
  }
}
