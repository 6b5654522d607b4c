/**
 * A moment in nanoseconds since 1970, as two safe integers: a double cannot hold it, a BigInt is slow.
 * It is not a clock: the moment is always given from outside.
 */
export interface Timestamp {
  readonly seconds: number
  /** 0 to 999,999,999. */
  readonly nanos: number
}

const NANOS_PER_SECOND = 1_000_000_000

export const zero: Timestamp = { seconds: 0, nanos: 0 }

export const make = (seconds: number, nanos: number): Timestamp => ({ seconds, nanos })

export const fromNanos = (nanos: bigint): Timestamp => {
  const perSecond = BigInt(NANOS_PER_SECOND)
  const rest = ((nanos % perSecond) + perSecond) % perSecond
  return { seconds: Number((nanos - rest) / perSecond), nanos: Number(rest) }
}

export const isValid = (time: Timestamp): boolean =>
  Number.isSafeInteger(time.seconds) && Number.isInteger(time.nanos) && time.nanos >= 0 && time.nanos < NANOS_PER_SECOND

/** Seconds before and after 1970 that a file's times may be. The journal writes differences of two of them. */
const SECONDS_MAX = 2 ** 50

/** The nearest time that a file may have, as Linux clamps to what its file systems can keep. */
export const clamp = (time: Timestamp): Timestamp =>
  time.seconds > SECONDS_MAX
    ? make(SECONDS_MAX, 0)
    : time.seconds < -SECONDS_MAX
    ? make(-SECONDS_MAX, 0)
    : time

export const compare = (a: Timestamp, b: Timestamp): number => a.seconds - b.seconds || a.nanos - b.nanos

export const later = (a: Timestamp, b: Timestamp): Timestamp => (compare(a, b) >= 0 ? a : b)

/** ISO 8601 with nine decimals, in UTC. */
export const format = (time: Timestamp): string =>
  `${new Date(time.seconds * 1000).toISOString().slice(0, 19)}.${String(time.nanos).padStart(9, "0")}Z`
