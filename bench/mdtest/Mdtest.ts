/**
 * `bench mdtest`: the phases and the table of the well-known mdtest, over the client SDK: tasks that are processes of
 * their own create, stat, read and remove directories and files in the zones of a whole cluster. Clients keep no
 * attributes: every stat travels to its zone.
 */
import { fdatasyncMicros, loopbackMicros } from "#bench/Floors.ts"
import { untilSignalled } from "#bench/Interruptible.ts"
import * as Cluster from "#bench/mdtest/Cluster.ts"
import { DIRECTORIES_MAX, type GivenOptions, type MdtestOptions, optionsOf, type Shape } from "#bench/mdtest/Options.ts"
import { phases, selected } from "#bench/mdtest/Phases.ts"
import * as Plan from "#bench/mdtest/Plan.ts"
import { Run } from "#bench/mdtest/Run.ts"
import { cpuMicros, type Kind, kinds, type PhaseResult, spreadOf, summaryOf } from "#bench/mdtest/Summary.ts"
import * as TaskProcess from "#bench/mdtest/TaskProcess.ts"
import { type Bench, type BenchEnded, refused, type Report } from "#bench/Report.ts"
import * as Client from "#client/Client.ts"
import { root } from "#domain/Credentials.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import { hostname, tmpdir } from "node:os"

export const mdtest: Bench = (given, say) => {
  const options = optionsOf(given as GivenOptions)
  checkRecord(options.record)
  return untilSignalled(
    "mdtest",
    Effect.scoped(Effect.flatMap(clusterOf(options, say), (cluster) => measure(options, cluster, say)))
  )
}

/** Better now than after hours. */
const checkRecord = (file: string | undefined): void => {
  if (file === undefined) return
  try {
    Fs.appendFileSync(file, "")
  } catch (cause) {
    throw refused(`mdtest: --record: ${(cause as Error).message}`)
  }
}

const clusterOf = (
  options: MdtestOptions,
  say: (line: string) => void
): Effect.Effect<Cluster.Cluster, Cluster.OwnError | BenchEnded, Scope.Scope> => {
  const { connect, data, profile, runners, secretFile, tls, zones } = options
  return connect === undefined && data === undefined
    ? Cluster.own({ zones: zones ?? 1, runners, tls, profile, say })
    : Cluster.running({ endpoint: connect, data, secretFile })
}

const RETRY = Duration.seconds(10)

/** The run's shape, once the cluster has told how many zones it has. */
const shapeOf = ({ itemsGiven, shape, zones }: MdtestOptions, { endpoints, secret, tls }: Cluster.Cluster) =>
  Effect.scoped(Effect.gen(function*() {
    const { info } = yield* Client.make({
      endpoints,
      secret: Redacted.make(secret),
      tls,
      who: root,
      descriptor: { client: "cadastre-mdtest", host: hostname(), user: "root", uid: 0, pid: process.pid },
      retryFor: RETRY
    })
    if (zones !== undefined && zones > info.zones) {
      return yield* Effect.fail(refused(`mdtest: --zones ${zones}: the cluster has ${info.zones}`))
    }
    const rest = { ...shape, zones: zones ?? info.zones }
    const whole: Shape = { ...rest, items: itemsGiven ?? Plan.itemsFor(rest, shape.itemsPerDirectory ?? 1) }
    const known = Plan.directoriesOfTask(whole, 0)
    if (known > DIRECTORIES_MAX) {
      const mend = "fewer items, more of them in a directory (-I), or a smaller tree (-b, -z)"
      return yield* Effect.fail(
        refused(`mdtest: a task would need ${known} directories, at most ${DIRECTORIES_MAX}: ${mend}`)
      )
    }
    return whole
  }))

const measure = (options: MdtestOptions, cluster: Cluster.Cluster, say: (line: string) => void) =>
  Effect.gen(function*() {
    const shape = yield* shapeOf(options, cluster)
    const { endpoints, secret, tls } = cluster
    const beside = {
      fdatasyncMicros: fdatasyncMicros(cluster.folder ?? tmpdir()),
      loopbackRoundTripMicros: yield* Effect.promise(loopbackMicros)
    }
    say(describe(shape))
    const tasks = yield* Effect.all(
      Array.from(
        { length: shape.tasks },
        (_, task) => TaskProcess.start({ kind: "errand", task, shape, endpoints, secret, tls }, options.profile)
      ),
      { concurrency: "unbounded" }
    )
    const run = new Run(cluster, tasks, options.record, say)
    yield* iterate(run, options)
    const memory = run.peakMemory()
    yield* Effect.forEach(tasks, ({ end }) => end, { discard: true, concurrency: "unbounded" })
    for (const line of summaryOf(run.results(), options.iterations)) say(line)
    return reportOf(run, memory, beside)
  })

/** As mdtest does: all phases of an iteration, then the next one's in another directory. */
const iterate = (run: Run, { iterations, selection }: MdtestOptions) =>
  Effect.gen(function*() {
    for (let iteration = 0; iteration < iterations; iteration++) {
      if (selection.create) yield* run.prepare("setUp", iteration)
      yield* run.prepare(selection.create ? "openTest" : "openTrees", iteration)
      for (const phase of selected(selection)) {
        yield* run.phase(phase, iteration)
        if (phase === "treeCreation") yield* run.prepare("openTrees", iteration)
      }
      if (selection.remove) yield* run.prepare("tearDown", iteration)
    }
  })

const describe = (shape: Shape): string => {
  const { directories, itemsPerDirectory, trees } = Plan.treesOf(shape)
  return `${shape.tasks} tasks x ${shape.items} items in ${shape.zones} zone(s); ${shape.callers} callers a task, ` +
    `${shape.batch} items a request; ${shape.unique ? "trees of each task's own" : "shared trees"}: ${trees} a zone, ` +
    `${directories} directories each, ${itemsPerDirectory} items of a task in each`
}

const reportOf = (
  run: Run,
  memory: Readonly<Partial<Record<Kind, number>>>,
  beside: Readonly<Record<string, number>>
): Report => {
  const figures: Record<string, number> = {}
  const ratios: Record<string, number> = {}
  for (const result of run.results()) Object.assign(figures, figuresOf(result))
  for (const kind of kinds) {
    const bytes = memory[kind]
    if (bytes !== undefined) figures[`peakMib${capital(kind)}`] = bytes / 2 ** 20
  }
  Object.assign(figures, run.journalPerFile())
  const creates = figures["createsPerSecond"]
  const syncs = 1e6 / (beside["fdatasyncMicros"] ?? 1)
  if (creates !== undefined) ratios["createsOverSyncs"] = creates / syncs
  const first = figures["createsPerSecondFirstTenth"]
  if (first !== undefined) ratios["lastTenthOverFirst"] = (figures["createsPerSecondLastTenth"] ?? 0) / first
  return { bench: "mdtest", figures, beside, ratios }
}

const figuresOf = (result: PhaseResult): Readonly<Record<string, number>> => {
  const { key } = phases[result.phase]
  const figures: Record<string, number> = { [`${key}sPerSecond`]: spreadOf(result.rates).mean }
  for (const [share, name] of [[0.5, "P50"], [0.99, "P99"], [0.999, "P999"]] as const) {
    figures[`${key}${name}Micros`] = result.latencies.quantile(share)
  }
  const { tenths } = result
  if (tenths !== undefined) {
    figures[`${key}sPerSecondFirstTenth`] = tenths[0] ?? 0
    figures[`${key}sPerSecondLastTenth`] = tenths.at(-1) ?? 0
  }
  for (const kind of kinds) {
    const micros = cpuMicros(result, kind)
    if (micros !== undefined) figures[`${key}CpuMicros${capital(kind)}`] = micros
  }
  return figures
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)
