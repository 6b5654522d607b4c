/**
 * Whether a history could have happened one operation after the other, each at some moment between its beginning
 * and its end: linearizability, after Wing and Gong, Lowe, and Porcupine. It knows no file system; models do.
 */
import { isDecided, type Observation, render } from "#simulations/history/History.ts"

/** What operations do to a state that people can hold in their head. States never change; a step makes another. */
export interface Model<State, Step extends Observation = Observation> {
  initial(): State
  /**
   * The state after the operation; undefined if its outcome is impossible here. Of an undecided one (`isDecided`)
   * the state if it happens now, which may be the same; that it never happens is the search's affair.
   */
  step(state: State, observation: Step): State | undefined
  /** The same for two states exactly if no operation can tell them apart. */
  key(state: State): string | number
  /** Parts that can be judged each on its own. A part may hold views of operations that touch several parts. */
  partition(observations: ReadonlyArray<Observation>): ReadonlyArray<ReadonlyArray<Step>>
  /** For people. */
  describe(state: State): string
}

export interface Options {
  /** Steps of the model after which a part is given up. */
  readonly stepsMax?: number
}

export interface Linearizable {
  readonly _tag: "Linearizable"
  /** Steps of the model that it took. */
  readonly steps: number
}

export interface Violation {
  readonly _tag: "Violation"
  /** The order that explains the history for the longest time. */
  readonly prefix: ReadonlyArray<Observation>
  /** Those of which one would have to come next, and none can. */
  readonly stuck: ReadonlyArray<Observation>
  /** Undecided ones that have begun and that the prefix does without; they do not help either. */
  readonly unused: ReadonlyArray<Observation>
  /** After the prefix. */
  readonly state: string
  readonly steps: number
}

/** Neither shown to be right nor wrong. */
export interface Exhausted {
  readonly _tag: "Exhausted"
  /** The part that was given up. */
  readonly part: ReadonlyArray<Observation>
  /** What would be wrong if no more than `run` undecided operations happened right after each other; likely so. */
  readonly suspicion: (Omit<Violation, "_tag" | "steps"> & { readonly run: number }) | undefined
  readonly steps: number
}

export type Result = Linearizable | Violation | Exhausted

/** Some ten seconds. */
const STEPS_MAX = 1_000_000

/** Judges every part; a violation counts more than a part that was given up. */
export const check = <State, Step extends Observation>(
  model: Model<State, Step>,
  observations: ReadonlyArray<Observation>,
  { stepsMax = STEPS_MAX }: Options = {}
): Result => {
  for (const observation of observations) assertWellFormed(observation)
  let steps = 0
  let exhausted: Exhausted | undefined
  for (const part of model.partition(observations)) {
    const result = checkPart(model, part, stepsMax)
    steps += result.steps
    if (result._tag === "Violation") return { ...result, steps }
    if (result._tag === "Exhausted") exhausted ??= result
  }
  return exhausted === undefined ? { _tag: "Linearizable", steps } : { ...exhausted, steps }
}

/**
 * Few histories need two undecided operations between two decided ones, and searches that allow for many are long:
 * they are allowed for step by step.
 */
const checkPart = <State, Step extends Observation>(
  model: Model<State, Step>,
  part: ReadonlyArray<Step>,
  stepsMax: number
): Result => {
  let steps = 0
  let suspicion: Exhausted["suspicion"]
  for (let run = 1;; run *= 2) {
    const search = new Search(model, part, stepsMax - steps, run)
    const end = search.go()
    steps += search.steps
    if (end === "found") return { _tag: "Linearizable", steps }
    if (end === "given up") return { _tag: "Exhausted", part, suspicion, steps }
    const deadEnd = search.deadEnd()
    if (end === "none at all") return { _tag: "Violation", ...deadEnd, steps }
    suspicion = { ...deadEnd, run }
  }
}

/** A failure for people: the end of what could be explained, what could not, and the state between. */
export const report = (result: Result): string => {
  if (result._tag === "Linearizable") return `linearizable (${result.steps} steps)`
  if (result._tag === "Violation") return `not linearizable: ${reportOf(result)}`
  const { part, steps, suspicion } = result
  const given = `given up after ${steps} steps for ${part.length} operations`
  if (suspicion === undefined) return given
  return `${given}. If at most ${suspicion.run} undecided ones happen in a row: ${reportOf(suspicion)}`
}

const PREFIX_SHOWN = 12

const reportOf = ({ prefix, state, stuck, unused }: Omit<Violation, "_tag" | "steps">): string =>
  [
    `after ${prefix.length} operations in the best order, one of these must come next and none can:`,
    render(stuck),
    "",
    `the state there: ${state}`,
    ...(unused.length === 0 ? [] : ["", "undecided operations that do not help:", render(unused)]),
    "",
    `the last operations before, at most ${PREFIX_SHOWN}, in that order:`,
    ...prefix.slice(-PREFIX_SHOWN).map((observation) => render([observation]))
  ].join("\n")

const assertWellFormed = (observation: Observation): void => {
  const { begun, ended, outcome } = observation
  if (ended !== undefined && !(ended > begun)) {
    throw new Error(`an operation ends before it began: ${render([observation])}`)
  }
  if (outcome !== undefined && ended === undefined) {
    throw new Error(`an operation has an outcome and no end: ${render([observation])}`)
  }
}

const NONE = -1

/** A visit to a place of the search: the undecided operations that had happened, and how many of them just now. */
interface Visit {
  readonly happened: Int32Array
  readonly run: number
}

/**
 * The search through the orders of one part, depth first, without recursion. Beginnings and ends of decided
 * operations stand in a linked list in order of time; whatever begins before the first end in the list may come
 * next. Undecided operations have no end, so nothing ever waits for them. Decided ones are tried first.
 *
 * Three things keep it small. A place (decided operations done, state) is entered again only with undecided
 * operations left that were not left before. An undecided operation that changes nothing does not happen. And of two
 * orders that come to the same, only one is tried: an undecided operation happens as late as it can, so if it could
 * as well happen after the next one, it does not happen before; of two undecided ones, the one with the lower number
 * comes first. Any order that explains the history can be turned into one that keeps to this, by such exchanges.
 */
class Search<State, Step extends Observation> {
  steps = 0
  private readonly model: Model<State, Step>
  private readonly stepsMax: number
  /** Undecided operations that may happen right after each other. */
  private readonly runMax: number
  /** Whether more of them were wanted. */
  private limited = false

  /** Decided ones by their beginning, then undecided ones by theirs. */
  private readonly all: ReadonlyArray<Step>
  private readonly decided: number

  /** The list: entries from 1 in order of time, 0 before the first. */
  private readonly next: Int32Array
  private readonly previous: Int32Array
  /** The operation that begins with an entry; NONE where one ends. */
  private readonly beginning: Int32Array
  private readonly momentOf: Float64Array
  private readonly callOf: Int32Array
  private readonly returnOf: Int32Array

  /** What has happened, one bit an operation, undecided ones from a word of their own. */
  private readonly done: Int32Array
  private readonly undecidedWord: number
  private readonly visits = new Map<string, Array<Visit>>()

  /** Where the search stands. */
  private state: State
  private left: number
  /** Undecided operations that happened last, with no decided one after them. */
  private run = 0
  /** The next candidate: an entry of the list, or past its end an undecided operation. */
  private cursor: number

  /** How it came there. */
  private depth = 0
  private readonly pathStep: Int32Array
  private readonly pathCursor: Int32Array
  private readonly pathRun: Int32Array
  private readonly pathState: Array<State> = []

  /** The dead end that lies latest. */
  private best: { readonly entry: number; readonly path: Int32Array; readonly state: State } | undefined

  constructor(model: Model<State, Step>, part: ReadonlyArray<Step>, stepsMax: number, runMax: number) {
    this.model = model
    this.stepsMax = stepsMax
    this.runMax = runMax
    const byBeginning = part.toSorted((a, b) => a.begun - b.begun)
    const decided = byBeginning.filter(isDecided)
    this.all = [...decided, ...byBeginning.filter((observation) => !isDecided(observation))]
    this.decided = this.left = decided.length

    const entries = 2 * this.decided + 1
    this.next = new Int32Array(entries)
    this.previous = new Int32Array(entries)
    this.beginning = new Int32Array(entries).fill(NONE)
    this.momentOf = new Float64Array(entries)
    this.callOf = new Int32Array(this.decided)
    this.returnOf = new Int32Array(this.decided)
    this.string(decided)

    this.undecidedWord = (this.decided + 31) >>> 5
    this.done = new Int32Array(this.undecidedWord + ((this.all.length - this.decided + 31) >>> 5))
    this.state = model.initial()
    this.cursor = this.next[0] as number
    this.pathStep = new Int32Array(this.all.length)
    this.pathCursor = new Int32Array(this.all.length)
    this.pathRun = new Int32Array(this.all.length)
  }

  /** `none`: no order with no more undecided operations in a row than it may try. */
  go(): "found" | "none" | "none at all" | "given up" {
    while (this.left > 0) {
      if (this.steps >= this.stepsMax) return "given up"
      const candidate = this.candidate()
      if (candidate === NONE) {
        this.remember()
        if (this.depth === 0) return this.limited ? "none" : "none at all"
        this.undo()
        continue
      }
      const state = this.after(this.state, candidate)
      if (state !== undefined && !this.isIdle(candidate, state)) this.enter(candidate, state)
    }
    return "found"
  }

  /** Puts the beginnings and ends into the list. */
  private string(decided: ReadonlyArray<Step>): void {
    const events: Array<{ readonly moment: number; readonly step: number; readonly ends: boolean }> = []
    for (const [step, { begun, ended }] of decided.entries()) {
      events.push({ moment: begun, step, ends: false }, { moment: ended as number, step, ends: true })
    }
    events.sort((a, b) => a.moment - b.moment)
    for (const [index, { ends, moment, step }] of events.entries()) {
      const entry = index + 1
      this.momentOf[entry] = moment
      this.next[index] = entry
      this.previous[entry] = index
      if (ends) this.returnOf[step] = entry
      else {
        this.callOf[step] = entry
        this.beginning[entry] = step
      }
    }
  }

  private after(state: State, step: number): State | undefined {
    this.steps++
    return this.model.step(state, this.all[step] as Step)
  }

  /** The next operation that could come here, and the cursor behind it; NONE when there is no other. */
  private candidate(): number {
    const entries = this.next.length
    if (this.cursor < entries) {
      const step = this.beginning[this.cursor] as number
      if (step !== NONE) {
        this.cursor = this.next[this.cursor] as number
        return step
      }
      this.cursor = entries
    }
    let step = this.cursor - entries + this.decided
    if (step >= this.all.length) return NONE
    const limit = this.momentOf[this.firstReturn()] as number
    while (step < this.all.length && this.isDone(step)) step++
    if (step >= this.all.length || (this.all[step] as Step).begun > limit) return NONE
    if (this.run >= this.runMax) {
      this.limited = true
      return NONE
    }
    this.cursor = step + 1 - this.decided + entries
    return step
  }

  /** The first end in the list, which whatever comes next must have begun before. */
  private firstReturn(): number {
    let entry = this.next[0] as number
    while (this.beginning[entry] !== NONE) entry = this.next[entry] as number
    return entry
  }

  /** Whether this step is not worth trying, since without it, or in another order, all comes to the same. */
  private isIdle(step: number, state: State): boolean {
    if (step >= this.decided && this.isSame(state, this.state)) return true
    if (this.run === 0) return false
    const last = this.pathStep[this.depth - 1] as number
    if (step > last) return false
    const first = this.after(this.pathState[this.depth - 1] as State, step)
    const both = first === undefined ? undefined : this.after(first, last)
    return both !== undefined && this.isSame(both, state)
  }

  private isSame(some: State, other: State): boolean {
    return some === other || this.model.key(some) === this.model.key(other)
  }

  /** Goes on from there, unless it was there before. */
  private enter(step: number, state: State): void {
    const run = step < this.decided ? 0 : this.run + 1
    this.flip(step)
    if (this.wasVisited(step, state, run)) return this.flip(step)
    this.pathStep[this.depth] = step
    this.pathCursor[this.depth] = this.cursor
    this.pathRun[this.depth] = this.run
    this.pathState[this.depth] = this.state
    this.depth++
    if (step < this.decided) {
      this.unlink(this.callOf[step] as number)
      this.unlink(this.returnOf[step] as number)
      this.left--
    }
    this.state = state
    this.run = run
    this.cursor = this.next[0] as number
  }

  private undo(): void {
    this.depth--
    const step = this.pathStep[this.depth] as number
    this.flip(step)
    if (step < this.decided) {
      this.relink(this.returnOf[step] as number)
      this.relink(this.callOf[step] as number)
      this.left++
    }
    this.state = this.pathState[this.depth] as State
    this.run = this.pathRun[this.depth] as number
    this.cursor = this.pathCursor[this.depth] as number
    this.pathState.length = this.depth
  }

  private unlink(entry: number): void {
    const next = this.next[entry] as number
    const previous = this.previous[entry] as number
    this.next[previous] = next
    if (next !== 0) this.previous[next] = previous
  }

  private relink(entry: number): void {
    const next = this.next[entry] as number
    this.next[this.previous[entry] as number] = entry
    if (next !== 0) this.previous[next] = entry
  }

  private wordOf(step: number): number {
    return step < this.decided ? step >>> 5 : this.undecidedWord + ((step - this.decided) >>> 5)
  }

  private bitOf(step: number): number {
    return 1 << ((step < this.decided ? step : step - this.decided) & 31)
  }

  private isDone(step: number): boolean {
    return ((this.done[this.wordOf(step)] as number) & this.bitOf(step)) !== 0
  }

  private flip(step: number): void {
    const word = this.wordOf(step)
    this.done[word] = (this.done[word] as number) ^ this.bitOf(step)
  }

  /**
   * Whether the search was here before with all that is left now. Notes the visit. After an undecided operation the
   * way on depends on the state before it as well, unless the place was also come to otherwise.
   */
  private wasVisited(step: number, state: State, run: number): boolean {
    const place = this.place(state)
    if (run === 0) return this.noted(place, run)
    const before = this.visits.get(place)
    if (before?.some((visit) => this.hasAll(visit.happened))) return true
    return this.noted(`${place}<${step}<${this.model.key(this.state)}`, run)
  }

  private noted(place: string, run: number): boolean {
    const before = this.visits.get(place)
    if (before?.some((visit) => visit.run <= run && this.hasAll(visit.happened))) return true
    const visit = { happened: this.done.slice(this.undecidedWord), run }
    if (before === undefined) this.visits.set(place, [visit])
    else before.push(visit)
    return false
  }

  private hasAll(happened: Int32Array): boolean {
    for (let word = 0; word < happened.length; word++) {
      if (((happened[word] as number) & ~(this.done[this.undecidedWord + word] as number)) !== 0) return false
    }
    return true
  }

  /** Which decided operations are done, without the many words that are all ones or all zeros, and the state. */
  private place(state: State): string {
    let first = 0
    let limit = this.undecidedWord
    while (first < limit && this.done[first] === ~0) first++
    while (limit > first && this.done[limit - 1] === 0) limit--
    let text = `${first}`
    for (let word = first; word < limit; word++) text += `,${this.done[word]}`
    return `${text}:${this.model.key(state)}`
  }

  /** Keeps this dead end if what cannot be explained ends later than in any before. */
  private remember(): void {
    const entry = this.firstReturn()
    const { best } = this
    if (best !== undefined && (entry < best.entry || (entry === best.entry && this.depth <= best.path.length))) return
    this.best = { entry, path: this.pathStep.slice(0, this.depth), state: this.state }
  }

  /** The best that could be done. */
  deadEnd(): Omit<Violation, "_tag" | "steps"> {
    if (this.best === undefined) throw new Error("the search came to no dead end")
    const { entry, path, state } = this.best
    const happened = new Set(path)
    const limit = this.momentOf[entry] as number
    const isMissing = (step: Step, index: number): boolean => step.begun < limit && !happened.has(index)
    return {
      prefix: [...path].map((index) => this.all[index] as Step),
      stuck: this.all.filter((step, index) => index < this.decided && isMissing(step, index)),
      unused: this.all.filter((step, index) => index >= this.decided && isMissing(step, index)),
      state: this.model.describe(state)
    }
  }
}
