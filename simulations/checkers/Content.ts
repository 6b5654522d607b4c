/**
 * Bytes of a file as runs of slices: what was written where last. Runs that continue each other are one, so that the
 * same bytes always look the same. Not the extents of `domain/`: as plain as can be, each change looks at every run.
 */

/** Bytes of a slice in a file. */
export interface Run {
  /** First byte in the file. */
  readonly offset: number
  readonly length: number
  readonly slice: number
  /** First byte in the slice. */
  readonly sliceOffset: number
  readonly sliceBytes: number
}

export interface Content {
  readonly size: number
  readonly runs: ReadonlyArray<Run>
  /** Bytes that the runs hold. */
  readonly dataBytes: number
  /** The same for the same size and runs, and otherwise different but for an accident. */
  readonly key: number
}

const make = (size: number, runs: ReadonlyArray<Run>): Content => {
  let dataBytes = 0
  let low = mix(LOW_SEED, size)
  let high = mix(HIGH_SEED, size)
  for (const { length, offset, slice, sliceOffset } of runs) {
    dataBytes += length
    low = mix(mix(mix(mix(low, offset), length), slice), sliceOffset)
    high = mix(mix(mix(mix(high, offset), length), slice), sliceOffset)
  }
  return { size, runs, dataBytes, key: (high >>> 11) * 2 ** 32 + (low >>> 0) }
}

/** The content with other bytes from `offset` on for `length`; what no run covers there becomes a hole. */
export const replaced = (
  { runs, size }: Content,
  offset: number,
  length: number,
  inserted: ReadonlyArray<Run>
): Content => {
  const before = cut(runs, 0, offset)
  const behind = cut(runs, offset + length, Number.MAX_SAFE_INTEGER)
  return make(Math.max(size, offset + length), joined([...before, ...inserted, ...behind]))
}

export const resized = (content: Content, size: number): Content => make(size, cut(content.runs, 0, size))

/** The parts of the runs from one byte on, before another. */
export const cut = (runs: ReadonlyArray<Run>, from: number, limit: number): ReadonlyArray<Run> => {
  const parts: Array<Run> = []
  for (const run of runs) {
    const start = Math.max(run.offset, from)
    const end = Math.min(run.offset + run.length, limit)
    if (start >= end) continue
    const whole = start === run.offset && end === run.offset + run.length
    const sliceOffset = run.sliceOffset + start - run.offset
    parts.push(whole ? run : { ...run, offset: start, length: end - start, sliceOffset })
  }
  return parts
}

export const joined = (runs: ReadonlyArray<Run>): ReadonlyArray<Run> => {
  const out: Array<Run> = []
  for (const run of runs) {
    const last = out.at(-1)
    const continues = last !== undefined && last.slice === run.slice && last.sliceBytes === run.sliceBytes &&
      last.offset + last.length === run.offset && last.sliceOffset + last.length === run.sliceOffset
    if (continues) out[out.length - 1] = { ...last, length: last.length + run.length }
    else out.push(run)
  }
  return out
}

export const same = (some: ReadonlyArray<Run>, others: ReadonlyArray<Run>): boolean =>
  some.length === others.length && some.every((run, index) => {
    const other = others[index]
    return other !== undefined && run.offset === other.offset && run.length === other.length &&
      run.slice === other.slice && run.sliceOffset === other.sliceOffset && run.sliceBytes === other.sliceBytes
  })

const LOW_SEED = 0x811c_9dc5
const HIGH_SEED = 0x9747_b28c

const mix = (hash: number, value: number): number => {
  const mixed = Math.imul(hash ^ (value | 0), 0x85eb_ca6b) ^ Math.imul(Math.floor(value / 2 ** 32) + 1, 0xc2b2_ae35)
  return Math.imul(mixed ^ (mixed >>> 15), 0x0100_0193)
}

export const empty: Content = make(0, [])
