/** What `bench peers` found, and what it makes of it: ratios, where both sides were measured. */
import type { Report } from "#bench/Report.ts"

const FIGURES = [
  "batchedCreatesPerSecond",
  "singleCreatesPerSecond",
  "batchedStatsPerSecond",
  "singleStatsPerSecond",
  "onep50Millis",
  "p99AtHalfLoadMillis",
  "batchedP99AtHalfLoadMillis",
  "createsPerAppend",
  "bytesPerAppend"
] as const

const BESIDE = [
  "sqlCreatesPerSecond",
  "sqlStatsPerSecond",
  "juicefsPostgresCreatesPerSecond",
  "juicefsRedisCreatesPerSecond",
  "juicefsRedisDefaultCreatesPerSecond",
  "commitP50Millis",
  "appendsPerSecond",
  "appendedCreatesPerSecond",
  "fdatasyncP50Millis"
] as const

type Figure = (typeof FIGURES)[number]
type Beside = (typeof BESIDE)[number]
export type Finding = Figure | Beside
export type Findings = Partial<Record<Finding, number>>

const RATIOS: Readonly<Record<string, readonly [Figure, Beside]>> = {
  createsOverSql: ["batchedCreatesPerSecond", "sqlCreatesPerSecond"],
  singleCreatesOverSql: ["singleCreatesPerSecond", "sqlCreatesPerSecond"],
  statsOverSql: ["batchedStatsPerSecond", "sqlStatsPerSecond"],
  singleStatsOverSql: ["singleStatsPerSecond", "sqlStatsPerSecond"],
  createsOverJuicefsPostgres: ["batchedCreatesPerSecond", "juicefsPostgresCreatesPerSecond"],
  createsOverJuicefsRedis: ["batchedCreatesPerSecond", "juicefsRedisCreatesPerSecond"],
  createsOverJuicefsRedisDefault: ["batchedCreatesPerSecond", "juicefsRedisDefaultCreatesPerSecond"],
  onep50OverCommit: ["onep50Millis", "commitP50Millis"],
  createsOverAppended: ["batchedCreatesPerSecond", "appendedCreatesPerSecond"]
}

export const reportOf = (findings: Findings): Report => {
  const ratios: Record<string, number> = {}
  for (const [name, [ours, theirs]] of Object.entries(RATIOS)) {
    const [above, below] = [findings[ours], findings[theirs]]
    if (above !== undefined && below !== undefined) ratios[name] = above / below
  }
  return { bench: "peers", figures: chosen(findings, FIGURES), beside: chosen(findings, BESIDE), ratios }
}

const chosen = (findings: Findings, names: ReadonlyArray<Finding>): Readonly<Record<string, number>> =>
  Object.fromEntries(names.flatMap((name) => {
    const value = findings[name]
    return value === undefined ? [] : [[name, value] as const]
  }))
