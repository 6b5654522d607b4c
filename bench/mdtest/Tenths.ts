/** How steady a phase was: the rates of its tenths by items, from what was told every second. Pure. */

/** How far a phase was at a moment. */
export interface Sample {
  /** Seconds since the phase began. */
  readonly seconds: number
  /** Items done, never fewer than before. */
  readonly items: number
}

/** Fewer tell nothing of tenths. */
const SAMPLES_LEAST = 50

/** Items a second of each tenth, first to last; undefined where the samples are too few. */
export const tenthsOf = (samples: ReadonlyArray<Sample>): ReadonlyArray<number> | undefined => {
  const items = samples.at(-1)?.items ?? 0
  if (samples.length < SAMPLES_LEAST || items === 0) return undefined
  const ends = Array.from({ length: 11 }, (_, tenth) => secondsAt(samples, (items * tenth) / 10))
  return ends.slice(1).map((end, tenth) => items / 10 / (end - (ends[tenth] as number)))
}

/** When so many items were done, between two samples in proportion. */
export const secondsAt = (samples: ReadonlyArray<Sample>, items: number): number => {
  let before: Sample = { seconds: 0, items: 0 }
  for (const sample of samples) {
    if (sample.items >= items && sample.items > before.items) {
      const share = (items - before.items) / (sample.items - before.items)
      return before.seconds + share * (sample.seconds - before.seconds)
    }
    before = sample
  }
  return before.seconds
}
