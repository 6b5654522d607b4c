/**
 * `cadastre bench NAME`: runs one benchmark. Its options come as one JSON text from the command line. With `json` the
 * last line of standard output is one object.
 */
import { capacity } from "#bench/capacity/Capacity.ts"
import { engine } from "#bench/Engine.ts"
import { failover } from "#bench/failover/Failover.ts"
import { idle } from "#bench/Idle.ts"
import { load } from "#bench/Load.ts"
import { mdtest } from "#bench/mdtest/Mdtest.ts"
import { memory } from "#bench/Memory.ts"
import { pauses } from "#bench/Pauses.ts"
import { peers } from "#bench/peers/Peers.ts"
import { recovery } from "#bench/Recovery.ts"
import { replay } from "#bench/Replay.ts"
import { type Bench, BenchEnded, type BenchOptions, rounded, textOf } from "#bench/Report.ts"

const benches = new Map<string, Bench>([
  ["capacity", capacity],
  ["engine", engine],
  ["idle", idle],
  ["failover", failover],
  ["load", load],
  ["mdtest", mdtest],
  ["memory", memory],
  ["pauses", pauses],
  ["peers", peers],
  ["recovery", recovery],
  ["replay", replay]
])

interface MainOptions extends BenchOptions {
  readonly name: string
  readonly json?: boolean
}

const main = async (options: MainOptions): Promise<number> => {
  const bench = benches.get(options.name)
  if (bench === undefined) {
    tell(`cadastre: there is no benchmark ${options.name}; there are ${[...benches.keys()].join(", ")}`)
    return 2
  }
  const report = await bench(options, tell)
  const values = (all: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(all).map(([key, value]) => [key, rounded(value)]))
  const { beside, figures, ratios } = report
  process.stdout.write(
    options.json === true
      ? `${
        JSON.stringify({
          bench: report.bench,
          figures: values(figures),
          beside: values(beside),
          ratios: values(ratios)
        })
      }\n`
      : `${textOf(report)}\n`
  )
  return 0
}

const tell = (line: string): void => void process.stderr.write(`${line}\n`)

try {
  process.exitCode = await main(JSON.parse(process.argv[2] ?? "{}") as MainOptions)
} catch (cause) {
  if (!(cause instanceof BenchEnded)) throw cause
  tell(`cadastre: ${cause.message}`)
  process.exitCode = cause.code
}
