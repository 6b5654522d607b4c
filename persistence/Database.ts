/**
 * A connection pool to one Postgres, through the `postgres` package, with limits and errors that say what
 * may be done. It knows no table.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Net from "node:net"
import { Duplex } from "node:stream"
import postgres from "postgres"

/**
 * The database did not do it, or nobody can tell whether it did (`uncertain`): a write may have been
 * committed although its answer was lost.
 */
export class DatabaseError extends Schema.TaggedError<DatabaseError>()("DatabaseError", {
  operation: Schema.String,
  reason: Schema.String,
  /** SQLSTATE or a system error code, where there is one. */
  code: Schema.optional(Schema.String),
  uncertain: Schema.Boolean
}) {
  override get message(): string {
    return `Postgres: ${this.operation}: ${this.reason}`
  }
}

export interface DatabaseOptions {
  /** A folder that holds Postgres's socket (starts with `/`), or a host. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: Redacted.Redacted<string>
  readonly database: string
  readonly tls: boolean
  readonly connectionsMax: number
  /** How long one statement may take, in milliseconds, connecting included. */
  readonly statementMillisMax: number
}

export type Value =
  | string
  | number
  | bigint
  | boolean
  | Uint8Array
  | null
  | ReadonlyArray<string>
  | ReadonlyArray<number>
export type Row = ReadonlyArray<unknown>

export interface DatabaseService {
  /** Runs one statement and gives its rows as arrays of columns. `operation` names it in errors. */
  readonly query: (
    operation: string,
    text: string,
    values?: ReadonlyArray<Value>
  ) => Effect.Effect<ReadonlyArray<Row>, DatabaseError>
  /** Runs statements without parameters; several in one text are one transaction. */
  readonly script: (operation: string, text: string) => Effect.Effect<void, DatabaseError>
}

export class Database extends Context.Tag("cadastre/Database")<Database, DatabaseService>() {}

/** A pool that is closed with its scope. Connects when first used. */
export const layer = (options: DatabaseOptions): Layer.Layer<Database> => Layer.scoped(Database, make(options))

const CLOSE_SECONDS_MAX = 5
const RECONNECT_SECONDS = 0.2

export const make = (options: DatabaseOptions) =>
  Effect.gen(function*() {
    const sql = yield* Effect.acquireRelease(
      Effect.sync(() => connect(options)),
      (sql) => Effect.promise(() => sql.end({ timeout: CLOSE_SECONDS_MAX }))
    )
    // Interrupted or not, a statement ends at its time limit in the server. The driver's own `cancel` is not used:
    // when the server is gone, it leaves a rejected promise that nobody can catch.
    const run = <A>(operation: string, start: () => PromiseLike<A>) =>
      Effect.async<A, DatabaseError>((resume) => {
        const late = (): void => {
          const reason = `no answer in ${options.statementMillisMax} ms`
          resume(Effect.fail(new DatabaseError({ operation, reason, code: "timeout", uncertain: true })))
        }
        // Plain: this is in the way of every commit, and a race of fibers costs as much as the statement's bytes.
        const timer = setTimeout(late, options.statementMillisMax)
        const end = (result: Effect.Effect<A, DatabaseError>): void => {
          clearTimeout(timer)
          resume(result)
        }
        start().then(
          (value) => end(Effect.succeed(value)),
          (cause: unknown) => end(Effect.fail(fromCause(operation, cause)))
        )
        return Effect.sync(() => clearTimeout(timer))
      })

    return Database.of({
      query: (operation, text, values = []) =>
        run<ReadonlyArray<Row>>(
          operation,
          () => sql.unsafe(text, values as Array<postgres.ParameterOrJSON<never>>, { prepare: true }).values()
        ),
      script: (operation, text) => Effect.asVoid(run<unknown>(operation, () => sql.unsafe(text)))
    })
  })

const connect = (options: DatabaseOptions) => {
  const turn = turnsOf(options.connectionsMax)
  return postgres(
    {
      host: options.host,
      port: options.port,
      user: options.user,
      password: Redacted.value(options.password),
      database: options.database,
      ssl: options.tls ? "require" : false,
      max: options.connectionsMax,
      connect_timeout: Math.ceil(options.statementMillisMax / 1000),
      backoff: () => RECONNECT_SECONDS,
      // A statement behind a stuck one would share its fate, and its bytes would keep the dead connection alive.
      max_pipeline: 0,
      onnotice: () => undefined,
      // The driver leaves Nagle's algorithm on, which holds small statements back for 40 ms.
      socket: async () => {
        await turn()
        return openSocket(options)
      },
      connection: { application_name: "cadastre", statement_timeout: options.statementMillisMax }
    } as postgres.Options<Record<string, never>> & { readonly socket: () => Promise<Duplex> }
  )
}

/** A pool opens no more connections a second than it holds. */
const TURN_MILLIS = 1000

/**
 * Turns at connecting. While a server refuses everybody, as one that recovers does, the driver connects again for a
 * statement that it keeps, without any pause.
 */
const turnsOf = (connectionsMax: number): () => Promise<void> => {
  const turns: Array<number> = []
  return async () => {
    const now = performance.now()
    const earliest = turns.length < connectionsMax ? now : Math.max(now, (turns.shift() as number) + TURN_MILLIS)
    turns.push(earliest)
    if (earliest > now) await new Promise((resolve) => setTimeout(resolve, earliest - now))
  }
}

/**
 * A connected socket. One that cannot connect fails at the driver's first write instead: the driver listens only
 * when it has a socket, and loses a connection for good that gets none. A connection on which nothing moves for
 * twice a statement's time is idle or dead, and goes.
 */
const openSocket = ({ host, port, statementMillisMax }: DatabaseOptions): Promise<Duplex> =>
  new Promise((resolve) => {
    const socket = host.startsWith("/")
      ? Net.connect(`${host}/.s.PGSQL.${port}`)
      : Net.connect({ host, port, noDelay: true })
    const fail = (cause: Error): void =>
      resolve(new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done(cause) }))
    socket.once("error", fail)
    socket.setTimeout(
      2 * statementMillisMax,
      () => socket.destroy(Object.assign(new Error("nothing came for too long"), { code: "ETIMEDOUT" }))
    )
    socket.once("connect", () => {
      socket.off("error", fail)
      resolve(socket)
    })
  })

/** What the system was asked for when nothing can have reached the server yet. */
const connecting: ReadonlySet<unknown> = new Set(["connect", "getaddrinfo"])

const fromCause = (operation: string, cause: unknown): DatabaseError => {
  const { code, message, syscall } = cause as Readonly<Record<"code" | "message" | "syscall", unknown>>
  const text = typeof code === "string" ? code : undefined
  const reason = typeof message === "string" && message !== "" ? message : String(cause)
  const refusedByServer = cause instanceof postgres.PostgresError
  const neverConnected = connecting.has(syscall) || code === "CONNECT_TIMEOUT"
  return new DatabaseError({
    operation,
    reason: text === undefined || reason.includes(text) ? reason : `${reason} (${text})`,
    code: text,
    uncertain: !refusedByServer && !neverConnected
  })
}
