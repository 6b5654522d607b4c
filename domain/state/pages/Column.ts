/**
 * One column of a page: up to 128 whole numbers in the form that takes the fewest bytes, each readable by its rank
 * without unpacking the rest. What a number means, and whose it is, the page knows.
 *
 *     kind | width << 3 | reference << 6, base, then by kind, every value being base + an offset of `width` bytes:
 *     CONSTANT    nothing: all are the base
 *     OFFSETS     an offset each
 *     DICTIONARY  count - 1, up to 16 offsets, a code of 1, 2 or 4 bits each
 *     EXCEPTIONS  count, the usual offset, the ranks of the others, their offsets
 *     STEPS       count, the rank after each run of equal values, the runs' offsets
 *     VARYING     four bits of length each, then the offsets' bytes
 *
 * The base is a sign and a length (one byte), then its magnitude. Of two forms of one size the first wins, so the
 * bytes follow from the values alone.
 */
import { readUint, widthOf, writeUint } from "#domain/state/pages/Bytes.ts"

/** Values of one column at most, and so ranks. */
export const RANKS = 128

const CONSTANT = 0
const OFFSETS = 1
const DICTIONARY = 2
const EXCEPTIONS = 3
const STEPS = 4
const VARYING = 5

const DICTIONARY_MAX = 16
const STEPS_MAX = 24
const NEGATIVE = 8

/** How `plan` would write the column. One for all: nothing here waits. */
const best = { kind: 0, width: 0, base: 0, usual: 0, count: 0, bytes: 0 }
/** The distinct values that `plan` met, or that a dictionary holds, ascending. */
const distinct = new Float64Array(DICTIONARY_MAX)

/** Finds the smallest form of `count` values, at least one, and answers its bytes. `write` then writes it. */
export const plan = (values: Float64Array, from: number, count: number): number => {
  const first = values[from] as number
  let low = first
  let high = first
  let steps = 1
  let last = first
  // By Boyer and Moore: a value that more than half have survives as the candidate.
  let usual = first
  let votes = 0
  for (let i = from; i < from + count; i++) {
    const value = values[i] as number
    if (value !== last) {
      steps++
      last = value
      if (value < low) low = value
      else if (value > high) high = value
    }
    if (value === usual) votes++
    else if (votes > 0) votes--
    else {
      usual = value
      votes = 1
    }
  }
  best.base = low
  best.usual = usual
  best.width = widthOf(high - low)
  best.kind = CONSTANT
  best.bytes = 2 + widthOf(Math.abs(low))
  if (high > low) planVarious(values, from, count, steps)
  return best.bytes
}

const planVarious = (values: Float64Array, from: number, count: number, steps: number): void => {
  const { base, usual, width } = best
  const head = best.bytes
  best.bytes = Number.POSITIVE_INFINITY
  offer(OFFSETS, 0, head + count * width)
  const different = countDistinct(values, from, count)
  if (different > 0) {
    offer(DICTIONARY, different, head + 1 + different * width + Math.ceil((count * codeBits(different)) / 8))
  }
  let others = 0
  let varying = (count + 1) >> 1
  for (let i = from; i < from + count; i++) {
    const value = values[i] as number
    if (value !== usual) others++
    varying += widthOf(value - base)
  }
  if (2 * others < count) offer(EXCEPTIONS, others, head + 1 + width + others * (1 + width))
  if (steps <= STEPS_MAX) offer(STEPS, steps, head + 1 + steps * (1 + width))
  // It is the slowest to read: a little less is not worth it.
  if (head + varying + (count >> 3) < best.bytes) offer(VARYING, 0, head + varying)
}

const offer = (kind: number, count: number, bytes: number): void => {
  if (bytes >= best.bytes) return
  best.kind = kind
  best.count = count
  best.bytes = bytes
}

/** Fills `distinct` and answers how many values there are; 0 when a dictionary cannot hold them. */
const countDistinct = (values: Float64Array, from: number, count: number): number => {
  let known = 0
  for (let i = from; i < from + count; i++) {
    const value = values[i] as number
    if (i > from && value === values[i - 1]) continue
    let at = 0
    while (at < known && (distinct[at] as number) < value) at++
    if (at < known && distinct[at] === value) continue
    if (known === DICTIONARY_MAX) return 0
    for (let i = known++; i > at; i--) distinct[i] = distinct[i - 1] as number
    distinct[at] = value
  }
  return known
}

const codeBits = (count: number): number => (count <= 2 ? 1 : count <= 4 ? 2 : 4)

/** Writes the values as `plan` just found best, with a number from 0 to 3 beside, and answers where it ended. */
export const write = (
  values: Float64Array,
  from: number,
  count: number,
  reference: number,
  bytes: Uint8Array,
  at: number
): number => {
  const { kind, width, base, usual } = best
  const magnitude = widthOf(Math.abs(base))
  bytes[at] = kind | (width << 3) | (reference << 6)
  bytes[at + 1] = base < 0 ? magnitude | NEGATIVE : magnitude
  writeUint(bytes, at + 2, magnitude, Math.abs(base))
  const body = at + 2 + magnitude
  const end = at + best.bytes
  switch (kind) {
    case OFFSETS:
      for (let i = 0; i < count; i++) writeUint(bytes, body + i * width, width, (values[from + i] as number) - base)
      break
    case DICTIONARY:
      writeDictionary(values, from, count, bytes, body, end)
      break
    case EXCEPTIONS: {
      bytes[body] = best.count
      writeUint(bytes, body + 1, width, usual - base)
      let rank = body + 1 + width
      let to = rank + best.count
      for (let i = 0; i < count; i++) {
        const value = values[from + i] as number
        if (value === usual) continue
        bytes[rank++] = i
        writeUint(bytes, to, width, value - base)
        to += width
      }
      break
    }
    case STEPS: {
      bytes[body] = best.count
      let rank = body + 1
      let to = rank + best.count
      for (let i = 0; i < count; i++) {
        const value = values[from + i] as number
        if (i + 1 < count && values[from + i + 1] === value) continue
        bytes[rank++] = i + 1
        writeUint(bytes, to, width, value - base)
        to += width
      }
      break
    }
    case VARYING:
      writeVarying(values, from, count, bytes, body)
      break
  }
  return end
}

const writeDictionary = (
  values: Float64Array,
  from: number,
  count: number,
  bytes: Uint8Array,
  body: number,
  end: number
): void => {
  const { width, base, count: known } = best
  bytes[body] = known - 1
  for (let i = 0; i < known; i++) writeUint(bytes, body + 1 + i * width, width, (distinct[i] as number) - base)
  const codes = body + 1 + known * width
  bytes.fill(0, codes, end)
  const bits = codeBits(known)
  for (let i = 0; i < count; i++) {
    const value = values[from + i] as number
    let code = 0
    while (distinct[code] !== value) code++
    const bit = i * bits
    bytes[codes + (bit >> 3)] = (bytes[codes + (bit >> 3)] as number) | (code << (bit & 7))
  }
}

const writeVarying = (values: Float64Array, from: number, count: number, bytes: Uint8Array, body: number): void => {
  const { base } = best
  const offsets = body + ((count + 1) >> 1)
  bytes.fill(0, body, offsets)
  let to = offsets
  for (let i = 0; i < count; i++) {
    const value = (values[from + i] as number) - base
    const width = widthOf(value)
    writeUint(bytes, to, width, value)
    to += width
    bytes[body + (i >> 1)] = (bytes[body + (i >> 1)] as number) | (width << ((i & 1) << 2))
  }
}

/** The number that `write` was given beside the values. */
export const referenceAt = (bytes: Uint8Array, at: number): number => (bytes[at] as number) >> 6

/** The value of one rank in the column at `at`. */
export const valueAt = (bytes: Uint8Array, at: number, count: number, rank: number): number => {
  const head = bytes[at] as number
  const kind = head & 7
  const width = (head >> 3) & 7
  const base = baseAt(bytes, at)
  const body = at + 2 + ((bytes[at + 1] as number) & 7)
  if (kind === CONSTANT) return base
  if (kind === OFFSETS) return base + readUint(bytes, body + rank * width, width)
  if (kind === DICTIONARY) {
    const known = (bytes[body] as number) + 1
    const bits = codeBits(known)
    const bit = rank * bits
    const byte = bytes[body + 1 + known * width + (bit >> 3)] as number
    return base + readUint(bytes, body + 1 + ((byte >> (bit & 7)) & ((1 << bits) - 1)) * width, width)
  }
  if (kind === VARYING) return base + varyingAt(bytes, body, count, rank)
  const listed = bytes[body] as number
  if (kind === EXCEPTIONS) {
    const ranks = body + 1 + width
    for (let i = 0; i < listed; i++) {
      if (bytes[ranks + i] === rank) return base + readUint(bytes, ranks + listed + i * width, width)
    }
    return base + readUint(bytes, body + 1, width)
  }
  let step = 0
  while ((bytes[body + 1 + step] as number) <= rank) step++
  return base + readUint(bytes, body + 1 + listed + step * width, width)
}

const baseAt = (bytes: Uint8Array, at: number): number => {
  const sign = bytes[at + 1] as number
  if (sign === 0) return 0
  const magnitude = readUint(bytes, at + 2, sign & 7)
  return (sign & NEGATIVE) === 0 ? magnitude : -magnitude
}

const varyingAt = (bytes: Uint8Array, body: number, count: number, rank: number): number => {
  let at = body + ((count + 1) >> 1)
  const whole = body + (rank >> 1)
  let i = body
  for (; i + 4 <= whole; i += 4) {
    // Eight lengths of at most 7 at a time: their sum ends up in the topmost byte.
    const lengths = (bytes[i] as number) | ((bytes[i + 1] as number) << 8) | ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24)
    at += Math.imul((lengths & 0x0f0f_0f0f) + ((lengths >>> 4) & 0x0f0f_0f0f), 0x0101_0101) >>> 24
  }
  for (; i < whole; i++) at += ((bytes[i] as number) & 15) + ((bytes[i] as number) >> 4)
  const pair = bytes[whole] as number
  return (rank & 1) === 0 ? readUint(bytes, at, pair & 15) : readUint(bytes, at + (pair & 15), pair >> 4)
}

/** All values of the column at `at`. */
export const readAll = (bytes: Uint8Array, at: number, count: number, values: Float64Array, from: number): void => {
  const head = bytes[at] as number
  const kind = head & 7
  const width = (head >> 3) & 7
  const base = baseAt(bytes, at)
  const body = at + 2 + ((bytes[at + 1] as number) & 7)
  switch (kind) {
    case CONSTANT:
      values.fill(base, from, from + count)
      return
    case OFFSETS:
      readOffsets(bytes, body, width, base, values, from, count)
      return
    case EXCEPTIONS: {
      const listed = bytes[body] as number
      const ranks = body + 1 + width
      values.fill(base + readUint(bytes, body + 1, width), from, from + count)
      for (let i = 0; i < listed; i++) {
        const rank = bytes[ranks + i] as number
        if (rank < count) values[from + rank] = base + readUint(bytes, ranks + listed + i * width, width)
      }
      return
    }
    case STEPS: {
      const listed = bytes[body] as number
      for (let step = 0, i = 0; step < listed; step++) {
        const value = base + readUint(bytes, body + 1 + listed + step * width, width)
        for (const end = Math.min(count, bytes[body + 1 + step] as number); i < end; i++) values[from + i] = value
      }
      return
    }
    case VARYING: {
      let offset = body + ((count + 1) >> 1)
      for (let i = 0; i < count; i++) {
        const bytesOf = ((bytes[body + (i >> 1)] as number) >> ((i & 1) << 2)) & 15
        values[from + i] = base + readUint(bytes, offset, bytesOf)
        offset += bytesOf
      }
      return
    }
    default:
      readDictionary(bytes, body, width, base, values, from, count)
  }
}

/** With a loop for each of the usual widths: here most of the time of a fold would go. */
const readOffsets = (
  bytes: Uint8Array,
  body: number,
  width: number,
  base: number,
  values: Float64Array,
  from: number,
  count: number
): void => {
  let at = body
  const end = from + count
  if (width === 1) {
    for (let i = from; i < end; i++) values[i] = base + (bytes[at++] as number)
  } else if (width === 2) {
    for (let i = from; i < end; i++, at += 2) {
      values[i] = base + ((bytes[at] as number) | ((bytes[at + 1] as number) << 8))
    }
  } else if (width === 3) {
    for (let i = from; i < end; i++, at += 3) values[i] = base + readUint(bytes, at, 3)
  } else if (width === 4) {
    for (let i = from; i < end; i++, at += 4) values[i] = base + readUint(bytes, at, 4)
  } else {
    for (let i = from; i < end; i++, at += width) values[i] = base + readUint(bytes, at, width)
  }
}

const readDictionary = (
  bytes: Uint8Array,
  body: number,
  width: number,
  base: number,
  values: Float64Array,
  from: number,
  count: number
): void => {
  const known = (bytes[body] as number) + 1
  for (let i = 0; i < known; i++) distinct[i] = base + readUint(bytes, body + 1 + i * width, width)
  const codes = body + 1 + known * width
  const bits = codeBits(known)
  const mask = (1 << bits) - 1
  for (let i = 0, bit = 0; i < count; i++, bit += bits) {
    const code = ((bytes[codes + (bit >> 3)] as number) >> (bit & 7)) & mask
    values[from + i] = code < known ? distinct[code] as number : Number.NaN
  }
}

/**
 * Bytes of the column at `at`, or 0 when there is none of that many values before `limit`. What it then reads as
 * may still not be what `write` wrote: whoever doubts writes the values again and compares.
 */
export const lengthAt = (bytes: Uint8Array, at: number, limit: number, count: number): number => {
  if (at + 2 > limit) return 0
  const head = bytes[at] as number
  const width = (head >> 3) & 7
  const magnitude = (bytes[at + 1] as number) & 7
  const body = at + 2 + magnitude
  // Beyond the last byte there is nothing: no comparison with `undefined` holds.
  const listed = bytes[body] as number
  let end = body
  switch (head & 7) {
    case CONSTANT:
      break
    case OFFSETS:
      end += count * width
      break
    case DICTIONARY:
      if (listed >= DICTIONARY_MAX) return 0
      end += 1 + (listed + 1) * width + Math.ceil((count * codeBits(listed + 1)) / 8)
      break
    case EXCEPTIONS:
      end += 1 + width + listed * (1 + width)
      break
    case STEPS:
      // The last run ends at the end, or reading would run on.
      if (listed === 0 || body + listed >= limit || bytes[body + listed] !== count) return 0
      end += 1 + listed * (1 + width)
      break
    case VARYING:
      end += (count + 1) >> 1
      if (end > limit) return 0
      for (let i = body, last = end; i < last; i++) {
        const pair = bytes[i] as number
        if ((pair & 15) > 7 || pair >> 4 > 7) return 0
        end += (pair & 15) + (pair >> 4)
      }
      break
    default:
      return 0
  }
  return end <= limit ? end - at : 0
}
