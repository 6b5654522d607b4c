/** A slab for tests in which a page that moves mostly changes chunks: who holds on to old bytes is found out. */
import { Slab, SLOT_BYTES_MAX } from "#domain/state/pages/Slab.ts"

/** Memory in two chunks whose runs are handed out in turn. */
export const scatteredSlab = (): Slab => {
  const slab = new Slab()
  const runs = Array.from({ length: 500 }, () => slab.allocate(SLOT_BYTES_MAX))
  for (let i = 0; i < 250; i++) {
    slab.free(runs[i] as number)
    slab.free(runs[499 - i] as number)
  }
  return slab
}
