/** Names as mdtest gives them: so many ranks create in one directory at a time, each counting its own files. */
const RANKS = 16

/** The name of the nth file when the ranks take turns. */
export const nameOf = (n: number): string => `file.mdtest.${n % RANKS}.${Math.floor(n / RANKS)}`

/** A permutation of 0..count-1 that jumps about: the order of scattered creates and of random lookups. */
export const scattered = (count: number): (index: number) => number => {
  let step = Math.floor(count * 0.618_033_988_75) | 1
  while (greatestCommonDivisor(step, count) > 1) step += 2
  return (index) => (index * step) % count
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b))
