/**
 * Looks for the first seed that a planted bug makes fail, each bug in a thread of its own, so that each seed runs as
 * it would in a campaign. Whatever goes wrong counts: a broken rule, a crash, a run without an end.
 */
import type { Job, Outcome } from "#simulations/campaign/Job.ts"
import type { Mutant } from "#simulations/mutants/Mutant.ts"
import { load } from "#simulations/scenarios/Library.ts"
import * as Either from "effect/Either"
import { Worker } from "node:worker_threads"

export interface SearchOptions {
  readonly seedsMax: number
  /** Real milliseconds for one mutant; undefined: as long as its seeds take. */
  readonly millisMax: number | undefined
}

export interface Search {
  readonly mutant: Mutant
  /** Runs until it was found, or all of them. */
  readonly seeds: number
  /** The rule that it broke; undefined if it was not found. */
  readonly rule: string | undefined
  /** What was seen. */
  readonly text: string
  /** Whether the time was over before the seeds were. */
  readonly cutShort: boolean
  readonly millis: number
}

/** A world is short-lived garbage: with room for it, little of it is ever looked at. */
const YOUNG_MIB = 192
/** Real time that no run of a sound world takes. */
const RUN_MILLIS_MAX = 60_000

export const search = async (mutant: Mutant, { millisMax, seedsMax }: SearchOptions): Promise<Search> => {
  const begun = performance.now()
  // Whatever fails below is the bug's doing, so the rest must be known to be sound.
  Either.getOrThrowWith(load(mutant.scenario), (error) => error)
  const worker = new Worker(new URL("MutantWorker.ts", import.meta.url), {
    workerData: mutant,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB }
  })
  const end = (seeds: number, rule: string | undefined, text = "", cutShort = false): Search => ({
    mutant,
    seeds,
    rule,
    text,
    cutShort,
    millis: performance.now() - begun
  })
  try {
    for (let seed = 1; seed <= seedsMax; seed++) {
      const { rule, text } = await verdictOf(worker, { scenario: mutant.scenario, seed })
      if (rule !== undefined) return end(seed, rule, text)
      if (millisMax !== undefined && performance.now() - begun > millisMax) return end(seed, undefined, "", true)
    }
    return end(seedsMax, undefined)
  } finally {
    await worker.terminate()
  }
}

interface Verdict {
  readonly rule: string | undefined
  readonly text: string
}

const verdictOf = (worker: Worker, job: Job): Promise<Verdict> =>
  new Promise((resolve) => {
    const settle = (rule: string | undefined, text: string): void => {
      clearTimeout(timer)
      worker.off("message", onMessage).off("error", onError).off("exit", onExit)
      resolve({ rule, text })
    }
    const onMessage = ({ violations: [first] }: Outcome): void => settle(first?.rule, first?.text ?? "")
    const onError = (error: unknown): void => settle("nothing crashes", String(error))
    const onExit = (code: number): void => settle("nothing crashes", `the worker ended with code ${code}`)
    const timer = setTimeout(() => settle("a run ends", `it does not, in ${RUN_MILLIS_MAX / 1000} s`), RUN_MILLIS_MAX)
    worker.on("message", onMessage).on("error", onError).on("exit", onExit)
    worker.postMessage(job)
  })
