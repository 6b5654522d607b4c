/**
 * What goes over a connection to the simulated Postgres: one statement at a time, and its answer. It knows no table.
 */
import type { Row, Value } from "#persistence/Database.ts"

export interface PostgresRequest {
  /** Names the statement in stories and faults; Postgres itself would not know it. */
  readonly operation: string
  readonly text: string
  readonly values: ReadonlyArray<Value>
  /** `statement_timeout` of the connection, in milliseconds; infinite for none. */
  readonly millisMax: number
}

export type PostgresReply = { readonly rows: ReadonlyArray<Row> } | PostgresRefusal

export interface PostgresRefusal {
  readonly code: string
  readonly reason: string
}

/** The server will not do the statement. Everything that it did is undone. */
export class PostgresRefused extends Error implements PostgresRefusal {
  override readonly name = "PostgresRefused"
  readonly code: string

  constructor(code: string, reason: string) {
    super(reason)
    this.code = code
  }

  get reason(): string {
    return this.message
  }
}

export const UNIQUE_VIOLATION = "23505"
export const STATEMENT_TIMEOUT = "57014"
export const DEADLOCK = "40P01"
export const CANNOT_CONNECT_NOW = "57P03"
export const TOO_MANY_CONNECTIONS = "53300"

/** A refusal of a whole connection, as the network carries it. */
export const refusalText = ({ code, reason }: PostgresRefusal): string => `${code} ${reason}`

export const refusalOf = (text: string): PostgresRefusal => ({ code: text.slice(0, 5), reason: text.slice(6) })
