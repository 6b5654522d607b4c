/**
 * The deterministic world: one seed, one line of time, and everything that is due on it. What different processes do
 * at one moment happens in any order, by the dice; each of them does its own tasks first come first served, as Node
 * does. No real time passes, and nothing outside the seed decides anything.
 *
 * It knows no file system: processes, network, database and stores live in it (`Process`, `Network`, ...).
 */
import { Dice } from "#domain/testing/Dice.ts"
import { Heap } from "#simulations/world/Heap.ts"
import type { Process } from "#simulations/world/Process.ts"

/** A microsecond, a millisecond and a second of the world's time. */
export const MICRO = 1
export const MILLI = 1000 * MICRO
export const SECOND = 1000 * MILLI

interface Timer {
  readonly at: number
  readonly order: number
  /** Whose it is; one of a dead process is never run, one of a frozen process when it wakes. */
  readonly process: Process | undefined
  run: (() => void) | undefined
}

/** A process with something to do, or a task that is nobody's. */
type Ready = Process | (() => void)

/** The world came to a state that no seed should reach, such as a loop that lets no time pass. */
export class WorldBroken extends Error {
  override readonly name = "WorldBroken"
}

/** Tasks without any time passing between them: far more than any batch of real work takes. */
const TASKS_AT_ONE_MOMENT_MAX = 2_000_000

export class World {
  readonly seed: number
  readonly dice: Dice
  /** Microseconds since the world began. */
  now = 0
  /** Tasks run so far. */
  tasks = 0
  /** Faults that took effect, by kind. */
  readonly faults = new Map<string, number>()
  /** Rare paths that were reached, by name. */
  readonly probes = new Map<string, number>()
  /** Those that live. */
  readonly processes = new Set<Process>()
  /** What people may want to read of this run, when it is kept. */
  readonly story: Array<string> = []
  private readonly keepsStory: boolean
  private readonly timers = new Heap<Timer>()
  private ready: Array<Ready> = []
  private order = 0
  private digestA = 0x811c_9dc5
  private digestB = 0x1234_5677

  constructor(seed: number, options: { readonly story?: boolean } = {}) {
    this.seed = seed
    this.dice = new Dice(seed)
    this.keepsStory = options.story === true
    this.note(seed)
  }

  /** Runs it at this moment, after what the process has to do already. */
  soon(process: Process | undefined, run: () => void): void {
    if (process === undefined) this.ready.push(run)
    else if (process.enqueue(run)) this.ready.push(process)
  }

  /** A process that woke up has something to do. */
  woke(process: Process): void {
    this.ready.push(process)
  }

  /** Runs it later; the result takes it back. */
  later(delay: number, process: Process | undefined, run: () => void): () => boolean {
    const timer: Timer = { at: this.now + Math.max(0, Math.round(delay)), order: this.order++, process, run }
    this.timers.push(timer)
    return () => {
      if (timer.run === undefined) return false
      timer.run = undefined
      return true
    }
  }

  /** Lets everything happen that is due, until `done` says so or the time is over. Returns whether it was done. */
  run(done: () => boolean, until: number): boolean {
    let atThisMoment = 0
    for (;;) {
      while (this.ready.length > 0) {
        const run = this.draw()
        if (run === undefined) continue
        this.tasks++
        if (++atThisMoment > TASKS_AT_ONE_MOMENT_MAX) throw new WorldBroken(`no time passes any more at ${this.now}`)
        run()
      }
      if (done()) return true
      const timer = this.timers.first
      if (timer === undefined || timer.at > until) {
        this.now = Math.max(this.now, Math.min(until, timer?.at ?? until))
        return false
      }
      this.timers.pop()
      if (timer.run === undefined || timer.process?.isDead === true) continue
      if (timer.at > this.now) atThisMoment = 0
      this.now = timer.at
      this.note(timer.at)
      const { run } = timer
      timer.run = undefined
      this.soon(timer.process, run)
    }
  }

  /** Nothing happens any more. */
  end(): void {
    for (const process of this.processes) process.kill()
    this.ready = []
  }

  /** A whole number of microseconds between both. */
  between(least: number, most: number): number {
    return least + this.dice.below(most - least + 1)
  }

  /** Adds what happened to the digest of this run. */
  note(value: number): void {
    this.digestA = Math.imul(this.digestA ^ (value >>> 0), 0x0100_0193) >>> 0
    this.digestB = (Math.imul(this.digestB ^ ((value / 0x1_0000_0000) >>> 0), 0x85eb_ca6b) + this.digestA) >>> 0
  }

  noteBytes(bytes: Uint8Array): void {
    this.note(bytes.length)
    for (let at = 0; at + 4 <= bytes.length; at += 4) {
      this.note(
        (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) |
          ((bytes[at + 3] as number) << 24)
      )
    }
  }

  /** Everything that happened, as 16 hexadecimal digits. */
  get digest(): string {
    const hex = (value: number): string => value.toString(16).padStart(8, "0")
    return hex(this.digestA) + hex(this.digestB)
  }

  /** A fault takes effect. */
  fault(kind: string, text = ""): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1)
    this.tell(() => `fault: ${kind}${text === "" ? "" : ` ${text}`}`)
  }

  /** A rare path was reached. */
  probe(name: string): void {
    this.probes.set(name, (this.probes.get(name) ?? 0) + 1)
  }

  tell(text: () => string): void {
    if (this.keepsStory) this.story.push(`${(this.now / SECOND).toFixed(6).padStart(12)} ${text()}`)
  }

  /** Any one of what may happen now; undefined if that was a process that can do nothing any more. */
  private draw(): (() => void) | undefined {
    const { ready } = this
    const index = ready.length === 1 ? 0 : this.dice.below(ready.length)
    const drawn = ready[index] as Ready
    const run = typeof drawn === "function" ? drawn : drawn.dequeue()
    if (typeof drawn === "function" || !drawn.isBusy) {
      const last = ready.pop() as Ready
      if (index < ready.length) ready[index] = last
    }
    return run
  }
}
