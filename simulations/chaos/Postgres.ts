/**
 * A run's own Postgres, and what may befall it: it stops, crashes, stands still, and loses its disk. Whatever befalls
 * it, it comes back, and each round has a database of its own in it.
 */
import * as Database from "#persistence/Database.ts"
import * as EmbeddedPostgres from "#runners/EmbeddedPostgres.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { readFileSync, readlinkSync } from "node:fs"
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
  /** Dies with all its processes once this is done, which may make its files unreadable, and stays so. */
  readonly dieAfter: (cut: Effect.Effect<void>) => Effect.Effect<void>
  readonly start: Effect.Effect<void>
}

export const make = (folder: string): Effect.Effect<Postgres, EmbeddedPostgres.PostgresFailed, Scope.Scope> =>
  Effect.gen(function*() {
    let scope = yield* Scope.make()
    let running = yield* startIn(folder, scope)
    yield* Effect.addFinalizer(() => Effect.suspend(() => Scope.close(scope, Exit.void)))
    /** The server's; its file may be that of one that is gone. */
    const pid = Effect.suspend(() => running.pid).pipe(
      Effect.filterOrFail((found) => isIn(folder, found), () => "no server runs"),
      Effect.retry(RESTART),
      Effect.option
    )
    const toServer = (act: (pid: number) => void) =>
      Effect.map(pid, (found) => {
        if (found._tag === "Some") act(found.value)
      })
    return {
      socket: join(running.host, `.s.PGSQL.${running.port}`),
      user: running.user,
      password: running.password,
      makeDatabase: (name) => makeDatabase(running, name),
      restart: toServer((server) => send(server, "SIGINT")),
      crash: toServer((server) => send(server, "SIGQUIT")),
      freeze: toServer(freeze),
      wake: toServer(wake),
      dieAfter: (cut) =>
        Effect.gen(function*() {
          const server = yield* pid
          yield* cut
          if (server._tag === "Some") kill(server.value)
          yield* Scope.close(scope, Exit.void)
        }),
      start: Effect.gen(function*() {
        scope = yield* Scope.make()
        running = yield* startIn(folder, scope)
      }).pipe(Effect.orDie)
    }
  })

/** So long it takes to be there again after something befell it. */
const RESTART = Schedule.spaced(Duration.millis(100)).pipe(Schedule.upTo(Duration.seconds(15)))

/** Whether the process works in the folder: a pid alone may be anybody's by now. */
const isIn = (folder: string, pid: number): boolean => {
  try {
    return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)
  } catch {
    // It is gone.
    return false
  }
}

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
