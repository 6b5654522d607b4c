/**
 * One connection of a process to the simulated Postgres, opened when it is needed: a statement at a time. It behaves
 * as `persistence/Database` and the driver below it do, and fails with the errors that they give.
 */
import { DatabaseError, type Row, type Value } from "#persistence/Database.ts"
import type { End, Hello, Network } from "#simulations/world/Network.ts"
import {
  type PostgresRefusal,
  type PostgresReply,
  type PostgresRequest,
  refusalOf
} from "#simulations/world/PostgresMessages.ts"
import type { Process } from "#simulations/world/Process.ts"
import { MILLI } from "#simulations/world/World.ts"

/** After it is lost, a connection is opened again no sooner. */
const RECONNECT = 200 * MILLI
/** The driver does not pause at all here, see `refused`; the world cannot afford that. */
const KNOCK = 20 * MILLI
const PORT = 5432
const HELLO: Hello = { purpose: "postgres", secret: "" }

export interface PostgresStatement {
  readonly operation: string
  readonly text: string
  readonly values: ReadonlyArray<Value>
  /** Takes what became of it, though whoever asked may not care any more. */
  readonly succeed: (rows: ReadonlyArray<Row>) => void
  readonly fail: (error: DatabaseError) => void
}

export interface ConnectionOptions {
  readonly network: Network
  readonly process: Process
  readonly host: string
  /** In milliseconds; a connection on which nothing moves for twice as long goes. */
  readonly statementMillisMax: number
  /** The server's own limit of a statement, in milliseconds. */
  readonly serverMillisMax: number
  readonly onReady: (connection: PostgresConnection) => void
  readonly onLost: (connection: PostgresConnection) => void
}

export class PostgresConnection {
  private readonly options: ConnectionOptions
  private end: End | undefined
  private statement: PostgresStatement | undefined
  /** Whether a statement was at work when the last connection went. */
  private wasBroken = false
  private refusedWith: PostgresRefusal | undefined
  private attempt = 0
  private movedAt = 0
  private reopenAt = 0

  constructor(options: ConnectionOptions) {
    this.options = options
  }

  get isBusy(): boolean {
    return this.statement !== undefined
  }

  /** Connects for a statement, which gets the error if that fails. */
  open(statement: PostgresStatement): void {
    const { process } = this.options
    this.statement = statement
    const wait = this.reopenAt - process.world.now
    if (wait > 0) process.world.later(wait, process, () => this.connect())
    else this.connect()
  }

  /** Bytes are copied here, no sooner. */
  send(statement: PostgresStatement): void {
    this.statement = statement
    this.movedAt = this.options.process.world.now
    this.end?.send(
      {
        operation: statement.operation,
        text: statement.text,
        values: statement.values.map(copied),
        millisMax: this.options.serverMillisMax
      } satisfies PostgresRequest
    )
  }

  /** Ends it whatever it does. */
  destroy(): void {
    this.lose("CONNECTION_DESTROYED")
  }

  private connect(): void {
    const { host, network, process } = this.options
    if (this.statement === undefined) return
    const attempt = ++this.attempt
    process.world.later(this.silenceMax, process, () => {
      if (this.attempt === attempt && this.end === undefined) this.lose("ETIMEDOUT")
    })
    network.connect(process, host, HELLO, (connected) => {
      if (this.attempt !== attempt) {
        if ("end" in connected) connected.end.close()
      } else if ("end" in connected) this.connected(connected.end)
      else if (connected.absent) this.lose("ECONNREFUSED")
      else this.refused(refusalOf(connected.refused))
    })
  }

  private connected(end: End): void {
    const { statement } = this
    // It may have come and gone meanwhile; nothing was sent.
    if (!end.isOpen) return this.connect()
    this.end = end
    end.onMessage = (reply) => this.take(reply as PostgresReply)
    end.onClose.push(() => {
      if (this.end === end) this.lose("CONNECTION_CLOSED")
    })
    this.movedAt = this.options.process.world.now
    this.watch(end)
    this.wasBroken = false
    const { refusedWith } = this
    this.refusedWith = undefined
    if (refusedWith !== undefined) this.take(refusedWith)
    else if (statement !== undefined) this.send(statement)
  }

  private take(reply: PostgresReply): void {
    const { statement } = this
    this.statement = undefined
    this.movedAt = this.options.process.world.now
    if (statement !== undefined) {
      if ("rows" in reply) statement.succeed(reply.rows)
      else statement.fail(refusal(statement, reply))
    }
    this.options.onReady(this)
  }

  /**
   * Whoever waits is told. Not so if the last connection broke under a statement: then the driver takes the refusal
   * for that one's, knocks until it is let in, and only then tells whoever waits that he was refused.
   */
  private refused(reason: PostgresRefusal): void {
    const { process } = this.options
    if (this.wasBroken) {
      this.refusedWith = reason
      process.world.probe("postgres: a statement waits out a recovery")
      process.world.later(KNOCK, process, () => this.connect())
      return
    }
    const { statement } = this
    this.statement = undefined
    if (statement !== undefined) statement.fail(refusal(statement, reason))
    this.lose("CONNECTION_CLOSED")
  }

  private lose(code: string): void {
    const { end, options: { host, onLost, process }, statement } = this
    this.wasBroken ||= end !== undefined && statement !== undefined
    this.refusedWith = undefined
    this.end = undefined
    this.statement = undefined
    this.attempt++
    this.reopenAt = process.world.now + RECONNECT
    end?.close()
    if (statement !== undefined) {
      const { operation } = statement
      const reason = REASONS.get(code) ?? `write ${code} ${host}:${PORT}`
      statement.fail(new DatabaseError({ operation, reason, code, uncertain: code !== "ECONNREFUSED" }))
    }
    onLost(this)
  }

  /** Lets it go once nothing has moved for too long, idle or not. */
  private watch(end: End): void {
    const { process } = this.options
    const silentUntil = this.movedAt + this.silenceMax
    process.world.later(silentUntil - process.world.now, process, () => {
      if (this.end !== end) return
      if (process.world.now >= this.movedAt + this.silenceMax) this.lose("ETIMEDOUT")
      else this.watch(end)
    })
  }

  private get silenceMax(): number {
    return 2 * this.options.statementMillisMax * MILLI
  }
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", `connect ECONNREFUSED`],
  ["ETIMEDOUT", "nothing came for too long (ETIMEDOUT)"]
])

const refusal = ({ operation }: PostgresStatement, { code, reason }: PostgresRefusal): DatabaseError =>
  new DatabaseError({ operation, reason: `${reason} (${code})`, code, uncertain: false })

const copied = (value: Value): Value => value instanceof Uint8Array ? Buffer.from(value) : value
