/** What this machine does at best at this moment: the floors that a benchmark's figures stand on. */
/** Milliseconds that the work takes. */
export const millisOf = (work: () => void): number => {
  const start = process.hrtime.bigint()
  work()
  return Number(process.hrtime.bigint() - start) / 1e6
}

/** GiB a second that `memcpy` moves between two buffers larger than the caches. */
export const copyGibPerSecond = (): number => {
  const from = Buffer.alloc(64 * 2 ** 20, 1)
  const to = Buffer.alloc(from.length, 2)
  from.copy(to)
  const rounds = 8
  const millis = millisOf(() => {
    for (let round = 0; round < rounds; round++) from.copy(to)
  })
  return (rounds * from.length) / 2 ** 30 / (millis / 1000)
}

/** Nanoseconds of one dependent read at a random place of as many bytes: what a cache miss costs. */
export const missNanos = (bytes: number): number => {
  const words = new Uint32Array(Math.max(1024, bytes / 4))
  // A walk by a full-period congruence visits every word once, in an order that no prefetcher guesses.
  const mask = 2 ** Math.floor(Math.log2(words.length)) - 1
  for (let i = 0; i <= mask; i++) words[i] = (Math.imul(i, 1_664_525) + 1_013_904_223) & mask
  let at = 0
  const reads = 2_000_000
  const millis = millisOf(() => {
    for (let i = 0; i < reads; i++) at = words[at] as number
  })
  return at < 0 ? 0 : (millis * 1e6) / reads
}

/** Events a second that a bare loop folds: one add and one store in a typed array each. */
export const foldsPerSecond = (): number => {
  const counts = new Float64Array(4096)
  const events = 50_000_000
  const millis = millisOf(() => {
    for (let i = 0; i < events; i++) counts[i & 4095] = (counts[i & 4095] as number) + i
  })
  return events / (millis / 1000)
}
