/**
 * `cadastre chaos`: real runners, a real Postgres and real faults, with the workloads and the checkers of the
 * simulation. Its options come as one JSON text from the command line, which has parsed them.
 */
import { Chronicle, fromText } from "#simulations/chaos/Chronicle.ts"
import { clientNames, type Cluster, type Ledger } from "#simulations/chaos/Cluster.ts"
import * as ComposeCluster from "#simulations/chaos/ComposeCluster.ts"
import { type FaultName, faultNames, isFaultName } from "#simulations/chaos/Faults.ts"
import { interruptible } from "#simulations/chaos/Interruptible.ts"
import * as ProcessCluster from "#simulations/chaos/ProcessCluster.ts"
import * as Round from "#simulations/chaos/Round.ts"
import { jsonOf, type Summary, textOf } from "#simulations/chaos/Summary.ts"
import { load, names } from "#simulations/scenarios/Library.ts"
import type { Scenario } from "#simulations/scenarios/Scenario.ts"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface ChaosOptions {
  readonly minutes?: number
  readonly scenario?: string
  /** With commas, or `none`. */
  readonly faults?: string
  readonly target?: string
  readonly seed?: number
  readonly keep?: boolean
  readonly json?: boolean
  /** A kept history to judge; nothing runs then. */
  readonly history?: string
}

const MINUTE = 60
/** A history must not be too long to be judged. */
const ROUND_SECONDS_MAX = 120
const ROUND_SECONDS_MIN = 5
const RUNNERS = 3
const SEEDS = 1_000_000
const TARGETS = ["processes", "namespaces", "compose"]
/** The scenario with all workloads first. */
const FIRST = "mixed"

interface Plan {
  readonly seconds: number
  readonly seed: number
  readonly scenarios: ReadonlyArray<Scenario>
  readonly faults: ReadonlyArray<FaultName>
  readonly target: string
  readonly folder: string
  /** Words of the command line that every round's repetition has. */
  readonly words: string
}

/** What is to be done, or what is wrong with the options. */
const planOf = (options: ChaosOptions): Either.Either<Omit<Plan, "folder">, string> =>
  Either.gen(function*() {
    const target = options.target ?? "processes"
    if (!TARGETS.includes(target)) yield* Either.left(`--target: ${TARGETS.join(", ")} are there`)
    if (target === "namespaces" && process.getuid?.() !== 0) yield* Either.left("--target namespaces: only root may")
    const given = options.faults === undefined ? faultNames : options.faults.split(",")
    const wanted = options.faults === "none" ? [] : given
    const unknown = wanted.find((name) => !isFaultName(name))
    if (unknown !== undefined) yield* Either.left(`no fault is called ${unknown}: there are ${faultNames.join(", ")}`)
    const chosen = options.scenario === undefined
      ? [FIRST, ...names.filter((name) => name !== FIRST)]
      : [options.scenario]
    const scenarios = yield* Either.mapLeft(Either.all(chosen.map(load)), ({ message }) => message)
    return {
      seconds: (options.minutes ?? 1) * MINUTE,
      seed: options.seed ?? Math.floor(Math.random() * SEEDS),
      scenarios,
      faults: wanted.filter(isFaultName),
      target,
      words: `--target ${target}${options.faults === undefined ? "" : ` --faults ${options.faults}`}`
    }
  })

const begun = performance.now()
const secondsSoFar = (): number => (performance.now() - begun) / 1000

/** What it knows so far, also when it is interrupted. */
class Campaign implements Ledger {
  readonly violations: Ledger["violations"] = []
  readonly faults = new Map<string, number>()
  readonly probes = new Map<string, number>()
  readonly skipped = new Map<string, string>()
  rounds = 0
  chronicle = new Chronicle()
  private before = 0
  private readonly log: string

  constructor(folder: string) {
    mkdirSync(join(folder, "logs"))
    this.log = join(folder, "logs", "chaos.log")
  }

  readonly tell = (text: string): void => {
    appendFileSync(this.log, `${secondsSoFar().toFixed(3).padStart(9)} ${text}\n`)
  }

  nextRound(): Chronicle {
    this.before += this.chronicle.operations
    this.rounds++
    return this.chronicle = new Chronicle()
  }

  get summary(): Summary {
    const { faults, probes, rounds, skipped, violations } = this
    const operations = this.before + this.chronicle.operations
    return { seconds: secondsSoFar(), rounds, operations, faults, probes, violations, skipped }
  }
}

const clusterOf = ({ faults, folder, target }: Plan) =>
  target === "compose"
    ? ComposeCluster.make(folder)
    : ProcessCluster.make({
      folder,
      runners: RUNNERS,
      clients: clientNames(Round.CLIENTS),
      namespaces: target === "namespaces",
      frailDisks: faults.includes("fillDisk") || faults.includes("powerCut")
    })

/** Rounds until the time is over or something is found. */
const live = (plan: Plan, campaign: Campaign) =>
  Effect.scoped(Effect.gen(function*() {
    const cluster = yield* clusterOf(plan)
    const able = plan.faults.filter((name) => !cluster.cannot.has(name))
    for (const name of plan.faults) {
      const why = cluster.cannot.get(name)
      if (why === undefined) continue
      campaign.skipped.set(name, why)
      say(`skipped: ${name}: ${why}`)
    }
    const until = secondsSoFar() + plan.seconds
    while (campaign.violations.length === 0 && (campaign.rounds === 0 || until - secondsSoFar() > ROUND_SECONDS_MIN)) {
      yield* oneRound(plan, campaign, cluster, able, Math.min(ROUND_SECONDS_MAX, until - secondsSoFar()))
    }
  }))

const oneRound = (
  plan: Plan,
  campaign: Campaign,
  cluster: Cluster,
  able: ReadonlyArray<FaultName>,
  seconds: number
): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { rounds } = campaign
    const scenario = plan.scenarios[rounds % plan.scenarios.length] as Scenario
    const seed = plan.seed + rounds
    const chronicle = campaign.nextRound()
    campaign.tell(`round ${campaign.rounds}: ${scenario.name}, seed ${seed}`)
    yield* Round.run({
      name: `round_${campaign.rounds}`,
      seed,
      scenario,
      faults: able,
      seconds,
      cluster,
      ledger: campaign,
      chronicle
    })
    if (campaign.violations.length === 0) return
    writeFileSync(join(plan.folder, "history.jsonl"), chronicle.text())
    clearProgress()
    for (const { rule, text } of campaign.violations) say(`${rule}: ${text}`)
    const minutes = (Math.ceil(seconds) / MINUTE).toFixed(2)
    say(`Repeat: cadastre chaos --seed ${seed} --scenario ${scenario.name} --minutes ${minutes} ${plan.words}`)
  })

const main = async (options: ChaosOptions): Promise<number> => {
  const parsed = planOf(options)
  if (Either.isLeft(parsed)) {
    say(`cadastre: ${parsed.left}`)
    return 2
  }
  if (options.history !== undefined) return judgeKept(options.history)
  const folder = mkdtempSync(join(tmpdir(), "cadastre-chaos-"))
  // Postgres is another user, and must pass.
  chmodSync(folder, 0o755)
  const campaign = new Campaign(folder)
  const shown = setInterval(() => progress(campaign), 2000)
  const logger = Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => campaign.tell(String(message))))
  const exit = await interruptible(Effect.provide(live({ ...parsed.right, folder }, campaign), logger))
  clearInterval(shown)
  clearProgress()
  const worked = Exit.isSuccess(exit)
  if (!worked && !Exit.isInterrupted(exit)) {
    campaign.tell(Cause.pretty(exit.cause))
    say(`cadastre: the run itself failed: ${(Cause.squash(exit.cause) as Error).message}`)
  }
  const { summary } = campaign
  const good = worked && summary.violations.length === 0
  if (options.keep === true || (!good && !Exit.isInterrupted(exit))) say(`logs and data: ${folder}`)
  else remove(folder)
  print(options.json === true ? JSON.stringify(jsonOf(summary)) : textOf(summary))
  if (Exit.isInterrupted(exit)) return 130
  return good ? 0 : 1
}

const remove = (folder: string): void => {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch (cause) {
    say(`cadastre: ${folder} stays: ${(cause as Error).message}`)
  }
}

const judgeKept = (file: string): number => {
  const ledger: Ledger = { violations: [], faults: new Map(), probes: new Map(), tell: () => undefined }
  const chronicle = fromText(readFileSync(file, "utf8"))
  Round.judge(chronicle, ledger)
  for (const { rule, text } of ledger.violations) say(`${rule}: ${text}`)
  for (const name of ledger.probes.keys()) say(name)
  print(`${chronicle.operations} operations, ${ledger.violations.length} violations`)
  return ledger.violations.length === 0 ? 0 : 1
}

const progress = ({ summary: { faults, operations, rounds, seconds, violations } }: Campaign): void => {
  if (!process.stderr.isTTY) return
  const befell = [...faults.values()].reduce((sum, count) => sum + count, 0)
  const failed = violations.length === 0 ? "" : `, ${violations.length} VIOLATIONS`
  process.stderr.write(
    `\r\u001b[Kround ${rounds}, ${befell} faults, ${operations} operations${failed}, ${seconds.toFixed(0)} s `
  )
}

const clearProgress = (): void => {
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")
}

const say = (text: string): void => void process.stderr.write(`${text}\n`)
const print = (text: string): void => void process.stdout.write(`${text}\n`)

const code = await main(JSON.parse(process.argv[2] ?? "{}") as ChaosOptions)
// Node's own way out waits for all that sockets asked of the system, and once did so for ever, on a full core.
process.stdout.write("", () => process.exit(code))
