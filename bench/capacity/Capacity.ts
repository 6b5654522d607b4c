/**
 * `bench capacity --from FILE`: reads what `bench mdtest --json` said, and computes what a large cluster would do with
 * those costs (`Model.ts`, docs/capacity.md). It measures nothing itself.
 */
import { boundsOf, clientCores, type Cluster, type Costs, zonesPerThread } from "#bench/capacity/Model.ts"
import { type Bench, type BenchOptions, refused } from "#bench/Report.ts"
import { readFileSync } from "node:fs"

const GIB = 2 ** 30

/** The cluster that the largest published figures are of, with machines that are common in 2026. */
export const SIXTY_NODES: Cluster = {
  nodes: 60,
  zones: 1024,
  runnerCores: 16,
  databases: 4,
  databaseCores: 32,
  walBytesPerSecond: GIB,
  networkBytesPerSecond: 2.5 * GIB,
  networkBytes: 160,
  share: 0.7
}

export const capacity: Bench = (options, say) => {
  const costs = costsOf(options)
  const cluster = clusterOf(options)
  const bounds = boundsOf(costs, cluster)
  for (const { createsPerSecond, what } of bounds) {
    say(`  ${what.padEnd(36)} ${Math.round(createsPerSecond).toLocaleString("en-US").padStart(14)} creates a second`)
  }
  const [first] = bounds
  const createsPerSecond = first?.createsPerSecond ?? 0
  return Promise.resolve({
    bench: "capacity",
    figures: {
      createsPerSecond,
      clientCores: clientCores(costs, createsPerSecond),
      zonesPerThread: zonesPerThread(cluster)
    },
    beside: { ...costs },
    ratios: Object.fromEntries(
      bounds.slice(1).map(({ createsPerSecond: most, what }) => [`${what} over the tightest`, most / createsPerSecond])
    )
  })
}

const clusterOf = ({ databases, nodes, zones }: BenchOptions): Cluster => ({
  ...SIXTY_NODES,
  nodes: nodes ?? SIXTY_NODES.nodes,
  zones: zones ?? SIXTY_NODES.zones,
  databases: databases ?? SIXTY_NODES.databases
})

/** The figures of a run of `bench mdtest`, its last line or all of a file. */
const costsOf = ({ from }: BenchOptions): Costs => {
  if (from === undefined) throw refused("--from FILE is wanted: what `cadastre bench mdtest --json` printed")
  const last = textIn(from).trimEnd().split("\n").at(-1) ?? ""
  let figures: Readonly<Record<string, unknown>>
  try {
    figures = (JSON.parse(last) as { readonly figures?: Readonly<Record<string, unknown>> }).figures ?? {}
  } catch (cause) {
    throw refused(
      `${from}: its last line is not what \`cadastre bench mdtest --json\` prints: ${(cause as Error).message}`
    )
  }
  const figure = (name: string): number => {
    const value = figures[name]
    if (typeof value === "number" && value > 0) return value
    throw refused(
      `${from}: it has no figure ${name}; a run of \`cadastre bench mdtest --json\` on its own cluster has it`
    )
  }
  return {
    runnerMicros: figure("createCpuMicrosRunners"),
    postgresMicros: figure("createCpuMicrosPostgres"),
    clientMicros: figure("createCpuMicrosTasks"),
    walBytes: figure("walBytesPerFile")
  }
}

const textIn = (file: string): string => {
  try {
    return readFileSync(file, "utf8")
  } catch (cause) {
    throw refused(`${file}: ${(cause as Error).message}`)
  }
}
