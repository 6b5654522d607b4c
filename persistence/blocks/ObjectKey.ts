/**
 * The keys of objects: `[A-Za-z0-9._-]` segments joined by `/`, so that each is a path, a URL and an S3 key as it is.
 * It gives keys no meaning; a key that breaks the rule is a mistake in the program, not a refusal.
 */
import * as Effect from "effect/Effect"

/** Bytes of one segment; a file name holds it with the mark of an object. */
const segmentBytesMax = 240
/** Bytes of a key; S3 takes 1,024 with the prefix of the store. */
export const keyBytesMax = 768

const rule =
  `segments of A-Z a-z 0-9 . _ - joined by /, none of them . or .., each of 1 to ${segmentBytesMax} bytes, ` +
  `${keyBytesMax} together`

/** Dies with the rule if this is no key. */
export const checkKey = (key: string): Effect.Effect<void> =>
  isKey(key) ? Effect.void : Effect.dieMessage(`${JSON.stringify(key)} is not the key of an object: a key is ${rule}`)

/** Dies with the rule if no key can start with this. */
export const checkPrefix = (prefix: string): Effect.Effect<void> =>
  isPrefix(prefix)
    ? Effect.void
    : Effect.dieMessage(`no key of an object starts with ${JSON.stringify(prefix)}: a key is ${rule}`)

export const isKey = (key: string): boolean => key.length <= keyBytesMax && key.split("/").every(isSegment)

const isPrefix = (prefix: string): boolean => {
  const segments = prefix.split("/")
  const unfinished = segments.pop() ?? ""
  return prefix.length <= keyBytesMax && segments.every(isSegment) && /^[A-Za-z0-9._-]*$/.test(unfinished)
}

const isSegment = (segment: string): boolean =>
  segment.length <= segmentBytesMax && /^[A-Za-z0-9._-]+$/.test(segment) && segment !== "." && segment !== ".."
