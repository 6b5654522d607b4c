/**
 * Many seeds of many scenarios on all cores, until there are no more or the time is over. Some are run twice, on
 * whichever core is free: the same seed must end in the same digest everywhere.
 */
import type { Finding, Job, Outcome } from "#simulations/campaign/Job.ts"
import { once } from "node:events"
import { Worker } from "node:worker_threads"

export interface CampaignOptions {
  /** Names or files of scenarios; each seed is run on each. */
  readonly scenarios: ReadonlyArray<string>
  readonly firstSeed: number
  /** Undefined: as many as the time allows. */
  readonly lastSeed: number | undefined
  /** Real milliseconds; undefined: until the last seed. */
  readonly millisMax: number | undefined
  readonly workers: number
  /** Stops after so many seeds that failed. */
  readonly failuresMax: number
  readonly onProgress: (summary: Summary) => void
}

export interface Summary {
  readonly startedAt: number
  millis: number
  runs: number
  /** Seeds run a second time, to compare. */
  repeated: number
  operations: number
  /** Seconds of the worlds. */
  seconds: number
  /** Of one core: all of it, and that spent on checking histories. */
  workMillis: number
  checkMillis: number
  readonly faults: Map<string, number>
  readonly probes: Map<string, number>
  readonly failures: Array<Finding>
}

/** One run in so many is repeated. */
const REPEAT_ONE_IN = 20

export const run = async (options: CampaignOptions): Promise<Summary> => {
  const summary: Summary = {
    startedAt: performance.now(),
    millis: 0,
    runs: 0,
    repeated: 0,
    operations: 0,
    seconds: 0,
    workMillis: 0,
    checkMillis: 0,
    faults: new Map(),
    probes: new Map(),
    failures: []
  }
  const jobs = jobsOf(options, () => performance.now() - summary.startedAt)
  await Promise.all(Array.from({ length: options.workers }, () => work(jobs, options, summary)))
  summary.millis = performance.now() - summary.startedAt
  return summary
}

/** A job may be one of before, to be compared with what it gave then. */
interface Order {
  readonly job: Job
  expected?: string
}

function* jobsOf(
  { firstSeed, lastSeed, millisMax, scenarios }: CampaignOptions,
  elapsed: () => number
): Generator<Order> {
  let count = 0
  // Those to run again, once their first result is in.
  const repeats: Array<Order> = []
  for (let seed = firstSeed; seed <= (lastSeed ?? Infinity); seed++) {
    for (const scenario of scenarios) {
      if (millisMax !== undefined && elapsed() > millisMax) return
      const order: Order = { job: { scenario, seed } }
      yield order
      if (count++ % REPEAT_ONE_IN === 0) repeats.push(order)
      while (repeats[0]?.expected !== undefined) yield { ...repeats.shift() as Order }
    }
  }
  while (repeats[0]?.expected !== undefined) yield { ...repeats.shift() as Order }
}

/** A world is short-lived garbage: with room for it, little of it is ever looked at. */
const YOUNG_MIB = 192

const work = async (jobs: Generator<Order>, options: CampaignOptions, summary: Summary): Promise<void> => {
  let worker = start()
  try {
    for (const order of jobs) {
      try {
        settle(order, await ask(worker, order.job), summary)
      } catch (cause) {
        const text = cause instanceof Error ? cause.stack ?? cause.message : String(cause)
        summary.failures.push({ ...order.job, violations: [{ rule: "a run ends", text }] })
        await worker.terminate()
        worker = start()
      }
      summary.millis = performance.now() - summary.startedAt
      options.onProgress(summary)
      if (summary.failures.length >= options.failuresMax) return
    }
  } finally {
    await worker.terminate()
  }
}

const start = (): Worker =>
  new Worker(new URL("Worker.ts", import.meta.url), { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB } })

/** Its outcome, or the error that ended the worker. */
const ask = async (worker: Worker, job: Job): Promise<Outcome> => {
  const answered = once(worker, "message")
  worker.postMessage(job)
  const [outcome] = await answered
  return outcome as Outcome
}

const settle = (order: Order, outcome: Outcome, summary: Summary): void => {
  const { job } = order
  if (order.expected !== undefined) {
    summary.repeated++
    if (order.expected !== outcome.digest) {
      const text = `digest ${order.expected} the first time, ${outcome.digest} the second time`
      summary.failures.push({ ...job, violations: [{ rule: "the same seed, the same run", text }] })
    }
    return
  }
  order.expected = outcome.digest
  summary.runs++
  summary.operations += outcome.operations
  summary.seconds += outcome.seconds
  summary.workMillis += outcome.workMillis
  summary.checkMillis += outcome.checkMillis
  add(summary.faults, outcome.faults)
  add(summary.probes, outcome.probes)
  if (outcome.violations.length > 0) summary.failures.push({ ...job, violations: outcome.violations })
}

const add = (into: Map<string, number>, counts: ReadonlyMap<string, number>): void => {
  for (const [name, count] of counts) into.set(name, (into.get(name) ?? 0) + count)
}
