/**
 * Where random tests begin: fixed by default, so that a run repeats; CADASTRE_SEED names one seed, CADASTRE_SEEDS
 * how many of them to try instead of the usual ones.
 */
const SEEDS = 100

export interface Seeds {
  /** Of a test that draws a world from each. */
  readonly list: ReadonlyArray<number>
  /** For fast-check: so many runs usually, more or fewer as there are more or fewer seeds. */
  readonly runs: (usual: number) => { readonly seed: number; readonly numRuns: number }
}

export const seedsOf = (environment: { readonly [name: string]: string | undefined }): Seeds => {
  const { CADASTRE_SEED: only, CADASTRE_SEEDS: wanted } = environment
  const count = wanted === undefined ? SEEDS : Number(wanted)
  return {
    list: only === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(only)],
    runs: (usual) => ({ seed: Number(only ?? 1), numRuns: Math.max(1, Math.round((usual * count) / SEEDS)) })
  }
}
