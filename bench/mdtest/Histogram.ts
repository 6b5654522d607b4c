/**
 * Counts durations in bins that are each 1/32 of their value wide at most: 960 numbers, however many are counted, from
 * 1 microsecond to 71 minutes.
 */
const STEPS_BITS = 5
const STEPS = 1 << STEPS_BITS
const MICROS_MAX = 0xffff_ffff
const BINS = (32 - STEPS_BITS + 1) * STEPS

export class Histogram {
  private readonly counts = new Float64Array(BINS)
  private total = 0

  get count(): number {
    return this.total
  }

  /** So many things took this long. */
  add(micros: number, times: number): void {
    const at = binOf(micros)
    this.counts[at] = (this.counts[at] as number) + times
    this.total += times
  }

  /** Microseconds that this share of all took at most, 0 if there are none: the middle of the bin. */
  quantile(share: number): number {
    const wanted = share * this.total
    let seen = 0
    for (let at = 0; at < BINS; at++) {
      seen += this.counts[at] as number
      if (seen >= wanted && seen > 0) return (lowestOf(at) + lowestOf(at + 1) - 1) / 2
    }
    return 0
  }

  merge(bins: ReadonlyArray<number>): void {
    for (let i = 0; i + 1 < bins.length; i += 2) this.addBin(bins[i] as number, bins[i + 1] as number)
  }

  /** What was counted, as pairs of a bin and its count: how it travels. */
  bins(): ReadonlyArray<number> {
    const pairs: Array<number> = []
    for (let at = 0; at < BINS; at++) if (this.counts[at] !== 0) pairs.push(at, this.counts[at] as number)
    return pairs
  }

  private addBin(at: number, times: number): void {
    if (!(at >= 0 && at < BINS)) throw new RangeError(`a histogram has no bin ${at}`)
    this.counts[at] = (this.counts[at] as number) + times
    this.total += times
  }
}

const binOf = (micros: number): number => {
  const value = micros >= MICROS_MAX ? MICROS_MAX : micros > 0 ? Math.floor(micros) : 0
  if (value < STEPS) return value
  const shift = 31 - Math.clz32(value) - STEPS_BITS
  return (shift + 1) * STEPS + ((value >>> shift) & (STEPS - 1))
}

/** The least value of a bin. */
const lowestOf = (at: number): number => {
  if (at < STEPS) return at
  const shift = Math.floor(at / STEPS) - 1
  return (STEPS + (at % STEPS)) * 2 ** shift
}
