/**
 * Times as people write them on a command line.
 */
import * as Timestamp from "#domain/Timestamp.ts"

const NANOS_DIGITS = 9
const ISO = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?(Z|[+-]\d{2}:?\d{2})?)?$/
const AGO = /^(\d+)\s*(s|m|h|d)(?:\s+ago)?$/
const SECONDS: { readonly [unit: string]: number } = { s: 1, m: 60, h: 3600, d: 86_400 }

/** ISO 8601 (local time without a zone), `@` seconds since 1970, or an age such as `15m`; undefined if it is none. */
export const parseTime = (text: string, now = Date.now()): Timestamp.Timestamp | undefined => {
  const [, amount, unit = ""] = AGO.exec(text) ?? []
  if (amount !== undefined) {
    return Timestamp.make(Math.floor(now / 1000) - Number(amount) * (SECONDS[unit] ?? 0), 0)
  }
  const [, seconds, decimals = ""] = /^@(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text) ?? []
  if (seconds !== undefined) return Timestamp.make(Number(seconds), fraction(decimals))
  const [, date, time = "00:00:00", parts = "", zone = ""] = ISO.exec(text) ?? []
  if (date === undefined) return undefined
  const millis = Date.parse(`${date}T${time}${zone}`)
  return Number.isNaN(millis) ? undefined : Timestamp.make(Math.floor(millis / 1000), fraction(parts))
}

const fraction = (decimals: string): number => Number(decimals.padEnd(NANOS_DIGITS, "0"))
