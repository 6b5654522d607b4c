/**
 * One script on both sides, step by step, until they differ. A script that fails is made as short as it gets.
 * It does not say which side is right; Linux is, unless `Quirks` knows better.
 */
import { Dice } from "#domain/testing/Dice.ts"
import type * as Native from "#native/Posix.ts"
import { Comparison, type Found, treeOf } from "#simulations/oracle/Comparison.ts"
import { DomainSide, SKIP } from "#simulations/oracle/DomainSide.ts"
import { KernelSide, type Outcome } from "#simulations/oracle/KernelSide.ts"
import { Script } from "#simulations/oracle/Script.ts"
import { format, type Step } from "#simulations/oracle/Step.ts"
import type { Traits } from "#simulations/oracle/Traits.ts"
import * as fs from "node:fs"
import * as path from "node:path"

/** Steps from one look at names, attributes and contents to the next. */
const DEEP_EVERY = 10

export interface Failure {
  readonly steps: ReadonlyArray<Step>
  /** What each step came to, for the kernel. */
  readonly outcomes: ReadonlyArray<Outcome>
  readonly difference: string
}

export interface Bench {
  readonly posix: Native.Posix
  readonly traits: Traits
  /** An empty directory for trees; each trial makes and removes its own. */
  readonly directory: string
}

/** Runs the script that the seed writes; undefined if both sides agree to its end. */
export const run = (bench: Bench, seed: number, length: number): Failure | undefined => {
  const script = new Script(new Dice(seed), bench.traits)
  return trial(bench, (index, tree, slots) => (index < length ? script.next(tree, slots) : undefined), DEEP_EVERY)
}

/** The same difference with as few steps as leaving them out, ever more finely, comes to. */
export const shrink = (bench: Bench, failure: Failure): Failure => {
  let best = failure
  for (let size = Math.ceil(best.steps.length / 2); size >= 1;) {
    const shorter = without(bench, best, size)
    if (shorter === best) size = Math.floor(size / 2)
    best = shorter
  }
  return best
}

/** One attempt at each run of `size` steps: left out, if the failure stays the same without it. */
const without = (bench: Bench, failure: Failure, size: number): Failure => {
  let best = failure
  for (let at = failure.steps.length - size; at >= 0; at -= size) {
    const fewer = best.steps.toSpliced(at, size)
    const again = trial(bench, (index) => fewer[index], 1)
    if (again !== undefined && kindOf(again) === kindOf(failure)) best = again
  }
  return best
}

/** What makes two failures the same finding: what differs, and the call, unless it shows only later. */
export const kindOf = ({ difference, steps }: Failure): string => {
  const what = difference.replace(/ \(.*/, "").replaceAll(/0x[0-9a-f]+|\b\d+\b/g, "N")
  return /^(names|target|xattrs|contents)/.test(what) ? what.replace(/:.*/, "") : `${steps.at(-1)?.action.call} ${what}`
}

export const describe = ({ difference, outcomes, steps }: Failure): string =>
  [...steps.map((step, index) => `  ${format(step)} -> ${outcomes[index] ?? ""}`), `  ${difference}`].join("\n")

const trial = (
  { directory, posix, traits }: Bench,
  next: (index: number, tree: ReadonlyArray<Found>, slots: ReadonlyArray<number>) => Step | undefined,
  deepEvery: number
): Failure | undefined => {
  const root = path.join(directory, "tree")
  fs.mkdirSync(root)
  fs.chmodSync(root, 0o755)
  const kernel = new KernelSide(posix, root)
  try {
    const domain = new DomainSide(traits)
    const comparison = new Comparison(posix, kernel, domain, traits)
    const steps: Array<Step> = []
    const outcomes: Array<Outcome> = []
    let tree = treeOf(domain.state)
    comparison.shallow(tree, undefined)
    for (;;) {
      const step = next(steps.length, tree, [...domain.slots.keys()])
      const difference = step === undefined
        ? comparison.deep(tree)
        : played(step)
      if (step === undefined && difference === undefined) return undefined
      if (difference !== undefined) return { steps, outcomes, difference }
    }

    function played(step: Step): string | undefined {
      steps.push(step)
      const expected = domain.run(step)
      tree = treeOf(domain.state)
      if (expected === SKIP) {
        outcomes.push(SKIP)
        return undefined
      }
      const outcome = kernel.run(step)
      outcomes.push(outcome)
      const difference = outcomeDifference(outcome, expected, domain) ??
        comparison.shallow(tree, step.action)
      if (difference !== undefined || steps.length % deepEvery !== 0) return difference
      // The deep look moves atimes, so another shallow one takes note of them.
      return comparison.deep(tree) ?? comparison.shallow(tree, undefined)
    }
  } finally {
    kernel.dispose()
    fs.rmSync(root, { recursive: true })
  }
}

const outcomeDifference = (outcome: Outcome, expected: Outcome, domain: DomainSide): string | undefined => {
  if (outcome === expected || (domain.metSpecial && expected === "ok" && outcome === "ENXIO")) return undefined
  return `outcome: ${outcome} for the kernel, ${expected} for the domain`
}
