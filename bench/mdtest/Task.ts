/**
 * One task of mdtest, a process of its own with a client of its own: does the phases that it is ordered to do and tells
 * how long each took. The run keeps the tasks in step.
 */
import { drive, type ItemFailed, type Meter } from "#bench/mdtest/Drive.ts"
import * as FileData from "#bench/mdtest/FileData.ts"
import { Forest, type Ground } from "#bench/mdtest/Forest.ts"
import { Histogram } from "#bench/mdtest/Histogram.ts"
import { builderOf } from "#bench/mdtest/Phases.ts"
import * as Plan from "#bench/mdtest/Plan.ts"
import type { Done, Errand, FromTask, Order, ToTask } from "#bench/mdtest/Wire.ts"
import * as Client from "#client/Client.ts"
import type { ClientError } from "#client/ClientError.ts"
import type { Call } from "#client/ZoneLink.ts"
import { root } from "#domain/Credentials.ts"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { hostname } from "node:os"

type TaskError = ClientError | ItemFailed

const RETRY = Duration.seconds(60)
const PROGRESS_MILLIS = 250

const say = (word: FromTask): void => void process.send?.(word)

/** Milliseconds of the clock that all processes of this machine share. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6

/** All that the task's phases work with. */
interface Tools {
  readonly errand: Errand
  readonly forest: Forest
  /** Undefined where files are empty. */
  readonly data: FileData.FileData | undefined
}

const workOf = ({ data, errand, forest }: Tools, order: Order, meter: Meter): Effect.Effect<void, TaskError> => {
  const { iteration, phase, renamed } = order
  const { shape: { batch, callers }, task } = errand
  switch (phase) {
    case "setUp":
      return forest.makeTest(iteration, meter)
    case "tearDown":
      return forest.removeTest(iteration, meter)
    case "openTest":
      return forest.open(iteration, false, meter)
    case "openTrees":
      return forest.open(iteration, true, meter)
    case "treeCreation":
      return forest.makeTrees(meter)
    case "treeRemoval":
      return forest.removeTrees(meter)
    default: {
      const lanes = forest.grounds
      if (data !== undefined && (phase === "fileCreation" || phase === "fileRead")) {
        const send = phase === "fileCreation" ? data.create : data.read
        return drive({ lanes, callers, batch: Math.min(batch, data.batchMax), send }, meter)
      }
      const build = builderOf(phase, task, renamed, root)
      return drive({
        lanes,
        callers,
        batch,
        send: (ground, from, count) => {
          const calls: Array<Call> = []
          for (let item = from; item < from + count; item++) build(calls, forest.parentOf(ground, item), item)
          return ground.link.send(calls)
        }
      }, meter)
    }
  }
}

const perform = (tools: Tools, order: Order): Effect.Effect<Done, TaskError> =>
  Effect.suspend(() => {
    const meter: Meter = { latencies: new Histogram(), items: 0 }
    const progress = setInterval(() => say({ kind: "progress", items: meter.items }), PROGRESS_MILLIS)
    const begun = now()
    return workOf(tools, order, meter).pipe(
      Effect.map((): Done => ({
        kind: "done",
        items: meter.items,
        begun,
        ended: now(),
        bins: meter.latencies.bins()
      })),
      Effect.ensuring(Effect.sync(() => clearInterval(progress)))
    )
  })

const orders = new Array<Order>()
let ended = false
let wake = (): void => undefined

/** The next order, or undefined when there is none any more. */
const nextOrder: Effect.Effect<Order | undefined> = Effect.async((resume) => {
  wake = () => {
    if (orders.length === 0 && !ended) return
    wake = () => undefined
    resume(Effect.sync(() => orders.shift()))
  }
  wake()
})

const run = (errand: Errand): Effect.Effect<void, TaskError> =>
  Effect.scoped(Effect.gen(function*() {
    const { endpoints, secret, shape, task, tls } = errand
    const client = yield* Client.make({
      endpoints,
      secret: Redacted.make(secret),
      tls,
      who: root,
      descriptor: { client: "cadastre-mdtest", host: hostname(), user: "root", uid: 0, pid: process.pid },
      retryFor: RETRY
    })
    const links = yield* Effect.forEach(Plan.lanesOf(shape, task), ({ zone }) => client.zone(zone))
    const forest = new Forest(shape, task, links)
    const { writeBytes } = shape
    const parentOf = (ground: Ground, item: number) => forest.parentOf(ground, item)
    const data = writeBytes === 0 ? undefined : FileData.make(client, task, writeBytes, parentOf)
    say({ kind: "ready" })
    for (let order = yield* nextOrder; order !== undefined; order = yield* nextOrder) {
      say(yield* perform({ errand, forest, data }, order))
    }
  }))

const reasonOf = (cause: Cause.Cause<TaskError>): string => {
  const failure = Cause.failureOption(cause)
  return failure._tag === "Some" ? failure.value.message : Cause.pretty(cause)
}

process.on("message", (word: ToTask) => {
  if (word.kind === "errand") {
    void Effect.runPromiseExit(run(word)).then((exit) => {
      if (exit._tag === "Failure") say({ kind: "failed", reason: reasonOf(exit.cause) })
      process.disconnect()
    })
    return
  }
  if (word.kind === "end") ended = true
  else orders.push(word)
  wake()
})
// A terminal sends it to all; the run decides what ends.
process.on("SIGINT", () => undefined)
// Whoever ordered it is gone.
process.on("disconnect", () => {
  ended = true
  wake()
})
