/**
 * What a person reads of a seed that failed: the smallest world of the same seed that still fails for the same
 * reason, what befell it, and what was found.
 */
import type { Scenario } from "#simulations/scenarios/Scenario.ts"
import { type Result, simulate } from "#simulations/Simulation.ts"

const TRIES_MAX = 40
const STORY_LINES_MAX = 60

export const reportOf = (scenario: Scenario, seed: number): string => {
  const first = run(scenario, seed)
  const [violation] = first.violations
  if (violation === undefined) return "It does not fail again: the run depends on something besides its seed."
  const { result, scenario: small, tries } = shrink(scenario, first, violation.rule)
  const befell = result.story.filter((line) => / fault: |VIOLATION|is dead| ends: |restarts/.test(line))
  return [
    `smallest world that fails the same way (${tries} tries): ${describe(small)}`,
    ...result.violations.slice(0, 5).map(({ rule, text }) => `  ${rule}: ${text}`),
    "what befell it:",
    ...befell.slice(-STORY_LINES_MAX)
  ].join("\n")
}

const run = (scenario: Scenario, seed: number): Result =>
  simulate(scenario, seed, { story: true, now: () => performance.now() })

/** Takes away what the failure does not need: faults, workloads, clients, time. */
const shrink = (scenario: Scenario, first: Result, rule: string) => {
  let best = scenario
  let result = first
  let tries = 0
  const attempt = (smaller: Scenario): boolean => {
    if (tries >= TRIES_MAX) return false
    tries++
    const found = run(smaller, first.seed)
    if (!found.violations.some((violation) => violation.rule === rule)) return false
    best = smaller
    result = found
    return true
  }
  while (candidatesOf(best).some(attempt)) continue
  return { result, scenario: best, tries }
}

function candidatesOf(scenario: Scenario): ReadonlyArray<Scenario> {
  const { clients, faults, loops, runners, seconds, workloads } = scenario
  return [
    ...(seconds > 5 ? [{ ...scenario, seconds: seconds / 2 }] : []),
    ...faults.map((fault) => ({ ...scenario, faults: faults.filter((other) => other !== fault) })),
    ...(workloads.length > 1
      ? workloads.map((workload) => ({ ...scenario, workloads: workloads.filter((other) => other !== workload) }))
      : []),
    ...(clients > 1 ? [{ ...scenario, clients: clients - 1 }] : []),
    ...(loops > 1 ? [{ ...scenario, loops: loops - 1 }] : []),
    ...(runners > 1 ? [{ ...scenario, runners: runners - 1 }] : [])
  ]
}

const describe = ({ clients, faults, loops, runners, seconds, workloads, zones }: Scenario): string =>
  `${runners} runners, ${zones} zones, ${clients} clients with ${loops} loops, ${seconds} s, ` +
  `workloads ${workloads.map(([name]) => name).join(" ")}, faults ${faults.map(([name]) => name).join(" ") || "none"}`
