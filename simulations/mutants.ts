/**
 * `cadastre simulate mutants`: whether the simulation finds bugs that are known to be there, and how many seeds each
 * takes. Its options come as one JSON text from the command line, which has parsed them.
 */
import type { Mutant } from "#simulations/mutants/Mutant.ts"
import { mutants } from "#simulations/mutants/Mutants.ts"
import { type Search, search } from "#simulations/mutants/Search.ts"
import { availableParallelism } from "node:os"

export interface MutantsOptions {
  /** For each mutant, at most. */
  readonly seeds?: number
  /** For each mutant, at most. */
  readonly minutes?: number
  /** Names of the mutants to look for, with commas between them, or beginnings of names with a star. */
  readonly only?: string
  readonly json?: boolean
}

const MINUTE = 60_000
const SEEDS_BY_DEFAULT = 1000

const main = async (options: MutantsOptions): Promise<number> => {
  const chosen = mutants.filter(chosenBy(options.only))
  if (chosen.length === 0) {
    say(`cadastre: no mutant is called ${options.only}; there are ${mutants.map(({ name }) => name).join(", ")}`)
    return 2
  }
  const searches = await searchAll(chosen, options)
  const figures = figuresOf(searches)
  const summary = {
    bench: "simulate mutants",
    figures,
    beside: { realSeconds: performance.now() / 1000, cutShort: searches.filter(({ cutShort }) => cutShort).length },
    ratios: { plantedFoundShare: figures.found / figures.planted },
    mutants: searches.map(({ cutShort, mutant: { name }, rule, seeds, text }) => ({
      name,
      seeds,
      rule: rule ?? null,
      ...(rule === undefined ? { cutShort } : { saw: text.split("\n", 1)[0]?.slice(0, SEEN_MAX) })
    }))
  }
  print(options.json === true ? JSON.stringify(summary) : textOf(searches))
  return figures.found === figures.planted ? 0 : 1
}

const SEEN_MAX = 200

const chosenBy = (only: string | undefined) => ({ name }: Mutant): boolean =>
  only === undefined ||
  only.split(",").some((wanted) => wanted.endsWith("*") ? name.startsWith(wanted.slice(0, -1)) : name === wanted)

/** One mutant a core, each from its first seed on. */
const searchAll = async (
  chosen: ReadonlyArray<Mutant>,
  { json, minutes, seeds }: MutantsOptions
): Promise<ReadonlyArray<Search>> => {
  const limits = {
    seedsMax: seeds ?? SEEDS_BY_DEFAULT,
    millisMax: minutes === undefined ? undefined : minutes * MINUTE
  }
  const found = new Map<Mutant, Search>()
  const waiting = [...chosen]
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const result = await search(mutant, limits)
      found.set(mutant, result)
      if (json !== true || process.stderr.isTTY) say(`${found.size}/${chosen.length}  ${lineOf(result)}`)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  return chosen.map((mutant) => found.get(mutant) as Search)
}

const figuresOf = (searches: ReadonlyArray<Search>) => {
  const seeds = searches.filter(({ rule }) => rule !== undefined).map((found) => found.seeds).sort((a, b) => a - b)
  return {
    planted: searches.length,
    found: seeds.length,
    seedsMedian: seeds[Math.floor(seeds.length / 2)] ?? 0,
    seedsMost: seeds.at(-1) ?? 0
  }
}

const lineOf = ({ cutShort, millis, mutant: { name, scenario }, rule, seeds }: Search): string => {
  const outcome = rule === undefined
    ? `NOT FOUND in ${seeds} seeds${cutShort ? ", its time is over" : ""}`
    : `seed ${seeds}: ${rule}`
  return `${name} (${scenario}, ${(millis / 1000).toFixed(0)} s): ${outcome}`
}

const textOf = (searches: ReadonlyArray<Search>): string => {
  const { found, planted, seedsMedian, seedsMost } = figuresOf(searches)
  const missed = searches.filter(({ rule }) => rule === undefined)
  return [
    `${found} of ${planted} planted bugs found, half of them within ${seedsMedian} seeds, all within ${seedsMost}`,
    ...missed.map((one) => `  ${lineOf(one)}\n    ${one.mutant.about}`)
  ].join("\n")
}

const say = (text: string): void => void process.stderr.write(`${text}\n`)
const print = (text: string): void => void process.stdout.write(`${text}\n`)

process.exitCode = await main(JSON.parse(process.argv[2] ?? "{}") as MutantsOptions)
