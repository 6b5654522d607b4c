/**
 * `cadastre simulate`: runs seeds, tells how far it is, and for each that failed what happened and how to see it
 * again. Its options come as one JSON text from the command line, which has parsed them.
 */
import { type CampaignOptions, run, type Summary } from "#simulations/campaign/Campaign.ts"
import type { Finding } from "#simulations/campaign/Job.ts"
import { missing } from "#simulations/campaign/Probes.ts"
import { reportOf } from "#simulations/campaign/Report.ts"
import { load, names } from "#simulations/scenarios/Library.ts"
import * as Either from "effect/Either"
import { availableParallelism } from "node:os"

export interface SimulateOptions {
  readonly seed?: number
  readonly seeds?: readonly [number, number]
  readonly minutes?: number
  readonly scenario?: string
  readonly json?: boolean
  readonly failures?: number
}

const MINUTE = 60_000
const SEEDS_BY_DEFAULT = 20
/** So many runs must have reached every rare path. */
const RUNS_THAT_REACH_ALL = 2000

const main = async (options: SimulateOptions): Promise<number> => {
  const scenarios = options.scenario === undefined ? names : [options.scenario]
  for (const name of scenarios) {
    const loaded = load(name)
    if (Either.isLeft(loaded)) {
      say(`cadastre: ${loaded.left.message}`)
      return 2
    }
  }
  const single = options.seed !== undefined
  const campaign: CampaignOptions = {
    scenarios,
    firstSeed: options.seed ?? options.seeds?.[0] ?? 1,
    lastSeed: options.seed ?? options.seeds?.[1] ?? (options.minutes === undefined ? SEEDS_BY_DEFAULT : undefined),
    millisMax: options.minutes === undefined ? undefined : options.minutes * MINUTE,
    workers: single && scenarios.length === 1 ? 1 : availableParallelism(),
    failuresMax: options.failures ?? 1,
    onProgress: progress
  }
  const summary = await run(campaign)
  clearProgress()
  for (const finding of summary.failures) say(explain(finding))
  const unreached = summary.runs >= RUNS_THAT_REACH_ALL ? missing(summary.probes) : []
  if (unreached.length > 0) say(`never reached: ${unreached.join(", ")}`)
  if (options.json === true) print(JSON.stringify(jsonOf(summary, unreached)))
  else print(textOf(summary))
  return summary.failures.length > 0 || unreached.length > 0 ? 1 : 0
}

const explain = ({ scenario, seed, violations }: Finding): string => {
  const loaded = Either.getOrThrow(load(scenario))
  const [first] = violations
  const heading = `seed ${seed} of ${scenario}: ${first?.rule}: ${first?.text}`
  return `${heading}\n${reportOf(loaded, seed)}\nRepeat: cadastre simulate --scenario ${scenario} --seed ${seed}\n`
}

const total = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((sum, count) => sum + count, 0)

const jsonOf = (summary: Summary, unreached: ReadonlyArray<string>) => {
  const hours = summary.millis / (60 * MINUTE)
  return {
    bench: "simulate",
    figures: {
      runs: summary.runs,
      repeated: summary.repeated,
      failures: summary.failures.length,
      operations: summary.operations,
      faults: total(summary.faults),
      runsPerHour: Math.round(summary.runs / hours),
      faultsPerHour: Math.round(total(summary.faults) / hours)
    },
    beside: { realSeconds: summary.millis / 1000, simulatedSeconds: Math.round(summary.seconds) },
    ratios: {
      timesRealTime: (1000 * summary.seconds) / summary.millis,
      checkersShare: summary.checkMillis / summary.workMillis
    },
    faults: Object.fromEntries(summary.faults),
    probes: Object.fromEntries(summary.probes),
    unreached,
    failed: summary.failures
  }
}

const textOf = (summary: Summary): string => {
  const { millis, operations, repeated, runs, seconds } = summary
  const kinds = [...summary.faults].sort(([, a], [, b]) => b - a).map(([name, count]) => `${count} ${name}`)
  return [
    `${runs} runs (${repeated} of them twice), ${operations} operations, ${total(summary.faults)} faults, ` +
    `${summary.failures.length} failed`,
    `${Math.round(seconds)} s of the worlds in ${(millis / 1000).toFixed(1)} s: ` +
    `${Math.round((1000 * seconds) / millis)} times real time; ` +
    `${Math.round((100 * summary.checkMillis) / summary.workMillis)} % of it on checking histories`,
    `faults: ${kinds.join(", ") || "none"}`
  ].join("\n")
}

let shownAt = 0

const progress = (summary: Summary): void => {
  if (!process.stderr.isTTY || summary.millis - shownAt < 200) return
  shownAt = summary.millis
  const failed = summary.failures.length === 0 ? "" : `, ${summary.failures.length} FAILED`
  process.stderr.write(
    `\r${summary.runs} runs, ${total(summary.faults)} faults, ${summary.operations} operations` +
      `${failed}, ${(summary.millis / 1000).toFixed(0)} s `
  )
}

const clearProgress = (): void => {
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")
}

const say = (text: string): void => void process.stderr.write(`${text}\n`)
const print = (text: string): void => void process.stdout.write(`${text}\n`)

process.exitCode = await main(JSON.parse(process.argv[2] ?? "{}") as SimulateOptions)
