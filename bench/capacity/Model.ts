/**
 * What a cluster could do by what a measured run says each create costs, and what is exhausted first. A model: every
 * assumption is a field of `Cluster`, and the answer is no better than they are.
 */

/** What one create costs, as `bench mdtest --json` tells. */
export interface Costs {
  /** Microseconds of CPU: of a runner, of Postgres, of the clients. */
  readonly runnerMicros: number
  readonly postgresMicros: number
  readonly clientMicros: number
  /** Bytes of Postgres's write-ahead log. */
  readonly walBytes: number
}

/** The machines, as one assumes them. */
export interface Cluster {
  readonly nodes: number
  readonly zones: number
  /** Cores of each node that runner processes may use: one thread each. */
  readonly runnerCores: number
  /** Databases that zones are spread over, on machines of their own, and the cores of each. */
  readonly databases: number
  readonly databaseCores: number
  /** Bytes a second that the log's disk of each database takes. */
  readonly walBytesPerSecond: number
  /** Bytes a second of each node's network, each way, and bytes that a create moves in or out of its node. */
  readonly networkBytesPerSecond: number
  readonly networkBytes: number
  /** The share of anything that may be in use before latencies grow. */
  readonly share: number
}

export interface Bound {
  readonly what: string
  /** Creates a second that it allows. */
  readonly createsPerSecond: number
}

const MICROS = 1e6

/** All bounds, the tightest first. Load is taken to be even over zones: moving it is the monitors' affair. */
export const boundsOf = (costs: Costs, cluster: Cluster): ReadonlyArray<Bound> => {
  const {
    databaseCores,
    databases,
    networkBytes,
    networkBytesPerSecond,
    nodes,
    runnerCores,
    share,
    walBytesPerSecond,
    zones
  } = cluster
  // A zone is one thread at a time; so is a runner process, whichever zones it has.
  const threads = Math.min(nodes * runnerCores, zones)
  const all: ReadonlyArray<readonly [string, number]> = [
    [
      zones < nodes * runnerCores ? "zones, one thread each" : "runner processes, one thread each",
      (threads * MICROS) / costs.runnerMicros
    ],
    ["cores of the databases", (databases * databaseCores * MICROS) / costs.postgresMicros],
    ["log bandwidth of the databases", (databases * walBytesPerSecond) / costs.walBytes],
    ["network of the nodes", (nodes * networkBytesPerSecond) / networkBytes]
  ]
  return all.map(([what, most]) => ({ what, createsPerSecond: most * share }))
    .sort((a, b) => a.createsPerSecond - b.createsPerSecond)
}

/** Client cores that it takes to ask for so many creates a second. */
export const clientCores = ({ clientMicros }: Costs, createsPerSecond: number): number =>
  (createsPerSecond * clientMicros) / MICROS

/** Zones of one node that a core of it has: more than one, or cores are idle. */
export const zonesPerThread = ({ nodes, runnerCores, zones }: Cluster): number => zones / (nodes * runnerCores)
