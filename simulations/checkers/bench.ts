/**
 * How long the checkers take for 1,000 operations of 8 clients: `node simulations/checkers/bench.ts`. Not a test.
 */
import { Dice } from "#domain/testing/Dice.ts"
import { DirectoryModel } from "#simulations/checkers/DirectoryModel.ts"
import { FileModel } from "#simulations/checkers/FileModel.ts"
import { check, type Model } from "#simulations/checkers/Linearizability.ts"
import { LockModel } from "#simulations/checkers/LockModel.ts"
import { lie } from "#simulations/checkers/testing/Lie.ts"
import {
  directoryKinds,
  fileKinds,
  type Kind,
  lockKinds,
  randomHistory
} from "#simulations/checkers/testing/RandomHistory.ts"
import type { Observation } from "#simulations/history/History.ts"

const SEEDS = 20
const OPERATIONS = 1000
const CLIENTS = 8

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const bench = <State, Step extends Observation>(
  name: string,
  model: Model<State, Step>,
  kinds: ReadonlyArray<Kind>,
  names: number,
  lostPermille: number,
  lies: boolean
): void => {
  const millis: Array<number> = []
  const counts: { [tag: string]: number } = {}
  let steps = 0
  let undecided = 0
  let length = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const right = randomHistory(seed, { clients: CLIENTS, operations: OPERATIONS, lostPermille, kinds, names })
    const history = lies ? lie(new Dice(seed), right, ({ operation }) => operation !== "open") ?? right : right
    length += history.length
    undecided += history.filter(({ outcome }) => outcome === undefined).length
    const begun = performance.now()
    const result = check(model, history)
    millis.push(performance.now() - begun)
    counts[result._tag] = (counts[result._tag] ?? 0) + 1
    steps += result.steps
  }
  millis.sort((a, b) => a - b)
  const at = (share: number): string => (millis[Math.floor((SEEDS - 1) * share)] ?? 0).toFixed(1).padStart(8)
  const mean = (sum: number): number => Math.round(sum / SEEDS)
  const what = `${mean(length)} on ${names} names of ${name}, ${mean(undecided)} undecided${lies ? ", one lie" : ""}`
  say(
    `${what.padEnd(54)} ms: median ${at(0.5)} worst ${at(1)}  steps ${mean(steps)}  ${JSON.stringify(counts)}`
  )
}

say(
  `${OPERATIONS} operations of ${CLIENTS} clients, or as many as it takes until all wait for locks; ${SEEDS} histories each`
)
for (const lies of [false, true]) {
  for (const lostPermille of [0, 5, 10, 30]) {
    bench("directories", new DirectoryModel(), directoryKinds, 8, lostPermille, lies)
    bench("directories", new DirectoryModel(), directoryKinds, 60, lostPermille, lies)
    bench("files", new FileModel(), fileKinds, 2, lostPermille, lies)
    bench("files", new FileModel(), fileKinds, 20, lostPermille, lies)
    bench("locks", new LockModel(), lockKinds.filter((kind) => kind !== "testLock"), 1, lostPermille, lies)
  }
}
