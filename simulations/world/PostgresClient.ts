/**
 * The database as one process of the world sees it: a pool of connections to the simulated Postgres. Nobody who asks
 * can tell it from `persistence/Database`; it keeps no row.
 *
 * A statement that was given up or interrupted goes its way all the same, from the queue too, as with the driver.
 */
import { Database, DatabaseError, type DatabaseService, type Row, type Value } from "#persistence/Database.ts"
import type { Network } from "#simulations/world/Network.ts"
import { PostgresConnection, type PostgresStatement } from "#simulations/world/PostgresConnection.ts"
import { POSTGRES_HOST } from "#simulations/world/PostgresServer.ts"
import type { Process } from "#simulations/world/Process.ts"
import { MILLI } from "#simulations/world/World.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

export interface PostgresClientOptions {
  readonly host?: string
  readonly connectionsMax: number
  /** How long one statement may take, in milliseconds, connecting included. */
  readonly statementMillisMax: number
  /** The server's own limit of a statement, in milliseconds: the same, if not given. */
  readonly serverMillisMax?: number
}

const CLOSE_TIME_MAX = Duration.seconds(5)

/** A pool that is closed with its scope. Connects when first used. */
export const layer = (network: Network, process: Process, options: PostgresClientOptions): Layer.Layer<Database> =>
  Layer.scoped(Database, make(network, process, options))

export const make = (
  network: Network,
  process: Process,
  options: PostgresClientOptions
): Effect.Effect<DatabaseService, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(Effect.sync(() => new Pool(network, process, options)), (pool) => pool.close),
    (pool): DatabaseService => ({
      query: (operation, text, values = []) => pool.ask(operation, text, values),
      script: (operation, text) => Effect.asVoid(pool.ask(operation, text, []))
    })
  )

type Answer = Effect.Effect<ReadonlyArray<Row>, DatabaseError>

/** Whoever asked and, as long as he waits, how to tell him. */
interface Asked {
  readonly operation: string
  readonly deadline: number
  resume: ((answer: Answer) => void) | undefined
}

class Pool {
  private readonly process: Process
  private readonly statementMillisMax: number
  private readonly closed: Array<PostgresConnection> = []
  private readonly idle: Array<PostgresConnection> = []
  private readonly connections: ReadonlyArray<PostgresConnection>
  private readonly queue: Array<PostgresStatement> = []
  /** In the order of asking, and so of deadlines. */
  private readonly asked: Array<Asked> = []
  private isTimed = false
  private isClosing = false
  private onClosed: (() => void) | undefined

  constructor(network: Network, process: Process, options: PostgresClientOptions) {
    const { connectionsMax, host = POSTGRES_HOST, statementMillisMax } = options
    this.process = process
    this.statementMillisMax = statementMillisMax
    const connection = {
      network,
      process,
      host,
      statementMillisMax,
      serverMillisMax: options.serverMillisMax ?? statementMillisMax,
      onReady: (connection: PostgresConnection) => this.ready(connection),
      onLost: (connection: PostgresConnection) => this.lost(connection)
    }
    for (let index = 0; index < connectionsMax; index++) this.closed.push(new PostgresConnection(connection))
    this.connections = [...this.closed]
  }

  ask(
    operation: string,
    text: string,
    values: ReadonlyArray<Value>
  ): Answer {
    return Effect.async((resume) => {
      const asked: Asked = { operation, resume, deadline: this.process.world.now + this.statementMillisMax * MILLI }
      this.expect(asked)
      this.submit({
        operation,
        text,
        values,
        succeed: (rows) => this.settle(asked, Effect.succeed(rows)),
        fail: (error) => this.settle(asked, Effect.fail(error))
      })
      return Effect.sync(() => {
        asked.resume = undefined
      })
    })
  }

  /** Waits for the statements at work, but not for long. */
  readonly close: Effect.Effect<void> = Effect.async<void>((resume) => {
    this.isClosing = true
    for (const connection of this.idle.splice(0)) connection.destroy()
    this.onClosed = () => resume(Effect.void)
    this.closeIfDone()
  }).pipe(
    Effect.timeoutOption(CLOSE_TIME_MAX),
    Effect.zipRight(Effect.sync(() => {
      for (const connection of this.connections) connection.destroy()
      for (const statement of this.queue.splice(0)) statement.fail(ended(statement, "CONNECTION_DESTROYED"))
    }))
  )

  private settle(asked: Asked, result: Answer): void {
    asked.resume?.(result)
    asked.resume = undefined
    while (this.asked.length > 0 && this.asked[0]?.resume === undefined) this.asked.shift()
  }

  /** One timer for all, because the first who asked is the first whose time is over. */
  private expect(asked: Asked): void {
    this.asked.push(asked)
    this.time()
  }

  private time(): void {
    const { process } = this
    const first = this.asked[0]
    if (this.isTimed || first === undefined) return
    this.isTimed = true
    process.world.later(first.deadline - process.world.now, process, () => {
      this.isTimed = false
      this.giveUp()
      this.time()
    })
  }

  private giveUp(): void {
    const reason = `no answer in ${this.statementMillisMax} ms`
    for (let first = this.asked[0]; first !== undefined; first = this.asked[0]) {
      if (first.deadline > this.process.world.now) return
      const { operation } = first
      this.settle(first, Effect.fail(new DatabaseError({ operation, reason, code: "timeout", uncertain: true })))
    }
  }

  private submit(statement: PostgresStatement): void {
    if (this.isClosing) return statement.fail(ended(statement, "CONNECTION_ENDED"))
    const idle = this.idle.shift()
    if (idle !== undefined) return idle.send(statement)
    const closed = this.closed.shift()
    if (closed !== undefined) return closed.open(statement)
    this.queue.push(statement)
  }

  private ready(connection: PostgresConnection): void {
    if (this.isClosing) return connection.destroy()
    const next = this.queue.shift()
    if (next === undefined) this.idle.push(connection)
    else connection.send(next)
  }

  private lost(connection: PostgresConnection): void {
    if (this.isClosing) return this.closeIfDone()
    const index = this.idle.indexOf(connection)
    if (index >= 0) this.idle.splice(index, 1)
    const next = this.queue.shift()
    if (next === undefined) this.closed.push(connection)
    else connection.open(next)
  }

  private closeIfDone(): void {
    if (this.queue.length === 0 && !this.connections.some(({ isBusy }) => isBusy)) this.onClosed?.()
  }
}

const ended = ({ operation }: PostgresStatement, code: string): DatabaseError =>
  new DatabaseError({ operation, reason: `write ${code}`, code, uncertain: true })
