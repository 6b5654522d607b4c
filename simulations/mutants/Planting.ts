/**
 * Plants a bug in this thread: every module that it loads from here on is what the file says, but for the one that
 * the bug is in. Production carries nothing of it.
 */
import { type Mutant, plantedIn } from "#simulations/mutants/Mutant.ts"
import { registerHooks } from "node:module"

export const plant = (mutant: Mutant): void => {
  const place = new URL(`../../${mutant.file}`, import.meta.url).href
  registerHooks({
    load: (url, context, next) => {
      const loaded = next(url, context)
      if (url !== place) return loaded
      return { ...loaded, source: plantedIn(String(textOf(loaded.source)), mutant) }
    }
  })
}

const textOf = (source: unknown): string =>
  typeof source === "string" ? source : new TextDecoder().decode(source as Uint8Array)
