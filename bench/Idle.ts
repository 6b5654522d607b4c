/**
 * `bench idle`: what a zone costs that nobody asks for: a runner, its database beside it, grows by so much memory for each
 * zone that was woken and came to rest. It runs in a process of its own, so that nothing else is counted.
 */
import type { IdleMeasured } from "#bench/IdleProbe.ts"
import type { Bench } from "#bench/Report.ts"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const ZONES_BY_DEFAULT = 1024
const KIB = 1024

export const idle: Bench = async (options, say) => {
  const zones = options.zones ?? ZONES_BY_DEFAULT
  say(`idle: a runner and its database, ${zones} zones woken one after the other`)
  const program = fileURLToPath(new URL("./IdleProbe.ts", import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", program, JSON.stringify({ zones })])
  const { cpuPercent, few, fewBytes, allBytes, wakeMillis } = JSON.parse(stdout) as IdleMeasured
  return {
    bench: "idle",
    figures: {
      kibPerIdleZone: (allBytes - fewBytes) / (zones - few) / KIB,
      wakeMillisPerZone: wakeMillis / (zones - few),
      cpuPercent
    },
    beside: { zones, runnerMib: allBytes / KIB / KIB },
    ratios: {}
  }
}
