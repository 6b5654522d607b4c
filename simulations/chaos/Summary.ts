/** What a run tells at its end, for people and for programs. */
import type { Violation } from "#simulations/checks/Violation.ts"

export interface Summary {
  readonly seconds: number
  readonly rounds: number
  readonly operations: number
  readonly faults: ReadonlyMap<string, number>
  readonly probes: ReadonlyMap<string, number>
  readonly violations: ReadonlyArray<Violation>
  /** Faults that could not be had, and why. */
  readonly skipped: ReadonlyMap<string, string>
}

/** Rules that something acknowledged breaks when it is lost. */
const LOSSES: ReadonlySet<string> = new Set([
  "directories are linearizable",
  "files are linearizable",
  "listings are whole",
  "history is what happened",
  "clients see what was promised"
])

const total = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((sum, count) => sum + count, 0)

export const jsonOf = (summary: Summary) => ({
  bench: "chaos",
  figures: {
    minutes: Math.round(summary.seconds / 6) / 10,
    operations: summary.operations,
    faults: total(summary.faults),
    lost: summary.violations.filter(({ rule }) => LOSSES.has(rule)).length,
    violations: summary.violations.length
  },
  beside: { rounds: summary.rounds },
  ratios: {},
  faults: Object.fromEntries(summary.faults),
  skipped: Object.fromEntries(summary.skipped),
  probes: Object.fromEntries(summary.probes),
  failed: summary.violations
})

export const textOf = (summary: Summary): string => {
  const kinds = [...summary.faults].sort(([, a], [, b]) => b - a).map(([name, count]) => `${count} ${name}`)
  return [
    `${summary.rounds} rounds in ${(summary.seconds / 60).toFixed(1)} minutes, ${summary.operations} operations, ` +
    `${total(summary.faults)} faults, ${summary.violations.length} violations`,
    `faults: ${kinds.join(", ") || "none"}`,
    ...[...summary.probes].filter(([name]) => name.startsWith("not judged")).map(([name, count]) => `${count} ${name}`)
  ].join("\n")
}
