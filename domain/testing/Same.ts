/**
 * Whether two plain values are the same, for harnesses that may not know a test framework. Not for values with
 * cycles, and not for maps.
 */

/** What was found is not what was expected. Its fields are what a test runner shows as a difference. */
export class Different extends Error {
  override readonly name = "Different"
  readonly actual: unknown
  readonly expected: unknown

  constructor(what: string, actual: unknown, expected: unknown) {
    super(`${what}: found ${shown(actual)}, expected ${shown(expected)}`)
    this.actual = actual
    this.expected = expected
  }
}

export const same = (what: string, actual: unknown, expected: unknown): void => {
  if (textOf(actual) !== textOf(expected)) throw new Different(what, actual, expected)
}

export const sameBytes = (what: string, actual: Uint8Array, expected: Uint8Array): void => {
  if (Buffer.compare(actual, expected) === 0) return
  let at = 0
  while (at < actual.length && actual[at] === expected[at]) at++
  throw new Error(`${what}: ${actual.length} and ${expected.length} bytes that differ from byte ${at} on`)
}

const SHOWN_MAX = 400

const shown = (value: unknown): string => {
  const text = textOf(value)
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}...`
}

/** Fields in the order of their names; what is undefined stays visible. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => {
    if (part === undefined) return "(undefined)"
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }) ?? "(undefined)"
