/**
 * Parameters and columns of the simulated Postgres as the driver sends and gives them: what a column cannot hold is
 * refused, eight-byte integers come back as text, bytes are copies of the server's.
 */
import type { Value } from "#persistence/Database.ts"
import { PostgresRefused } from "#simulations/world/PostgresMessages.ts"

const SMALLINT_MAX = 2 ** 15 - 1
const INT_MAX = 2 ** 31 - 1

export const smallint = (value: Value | undefined): number => integer(value, SMALLINT_MAX, "smallint")
export const int = (value: Value | undefined): number => integer(value, INT_MAX, "integer")
/** The world keeps what a double holds exactly; the product never goes beyond. */
export const bigint = (value: Value | undefined): number => integer(value, Number.MAX_SAFE_INTEGER, "bigint")

export const double = (value: Value | undefined): number => typeof value === "number" ? value : wrong(value, "double")
export const text = (value: Value | undefined): string => typeof value === "string" ? value : wrong(value, "text")
export const bool = (value: Value | undefined): boolean => typeof value === "boolean" ? value : wrong(value, "boolean")
export const bytea = (value: Value | undefined): Uint8Array =>
  value instanceof Uint8Array ? value : wrong(value, "bytea")
export const texts = (value: Value | undefined): ReadonlyArray<string> =>
  Array.isArray(value) ? value.map(text) : wrong(value, "text[]")

/** An eight-byte integer as a column of an answer. */
export const bigintColumn = (value: number): string => String(value)

/** Bytes as a column of an answer: not the server's own. */
export const byteaColumn = (bytes: Uint8Array): Uint8Array => Buffer.from(bytes)

const integer = (value: Value | undefined, most: number, type: string): number => {
  const number = typeof value === "number" ? value : typeof value === "bigint" ? Number(value) : wrong(value, type)
  if (!Number.isInteger(number)) return wrong(value, type)
  if (number > most || number < -most - 1) throw new PostgresRefused("22003", `value out of range for type ${type}`)
  return number
}

const wrong = (value: Value | undefined, type: string): never => {
  throw new PostgresRefused("22P02", `invalid input syntax for type ${type}: "${String(value)}"`)
}
