/**
 * How long the event loop is held by one turn, from one `setImmediate` to the next: with it, nothing else of the process
 * gets its turn meanwhile. A turn counts by the thread's own CPU time where that is less than the wall's, so that a
 * machine with other work does not look like a pause. It does not tell who held it.
 */
import { PerformanceObserver } from "node:perf_hooks"

/** Turns of one phase, in milliseconds. */
export interface Turns {
  /** The longest, by CPU time where that is less. */
  readonly longest: number
  readonly longestWall: number
  /** Turns of more than `PAUSE_MILLIS`, by CPU time where that is less. */
  readonly pauses: number
  /** The longest turns, the longest first. */
  readonly worst: ReadonlyArray<Turn>
}

interface Turn {
  readonly millis: number
  readonly wall: number
  /** Milliseconds since the phase began. */
  readonly at: number
  /** Garbage collection in it, by the wall's time. */
  gc: number
}

/** What a zone must not hold the loop for. */
export const PAUSE_MILLIS = 10
const WORST_KEPT = 5

export class LoopProbe {
  /** The longest pause of garbage collection, in milliseconds. */
  gcLongest = 0
  private worst: Array<Turn> = []
  private longestWall = 0
  private pauses = 0
  private began = 0
  private last = 0
  private lastCpu = 0
  private next: NodeJS.Immediate | undefined
  private readonly observer = new PerformanceObserver((list) => {
    for (const { duration, startTime } of list.getEntries()) {
      this.gcLongest = Math.max(this.gcLongest, duration)
      const turn = this.worst.find(({ at, wall }) =>
        startTime <= this.began + at && startTime >= this.began + at - wall
      )
      if (turn !== undefined) turn.gc += duration
    }
  })

  start(): void {
    this.observer.observe({ entryTypes: ["gc"] })
    this.begin()
    this.turn()
  }

  stop(): void {
    clearImmediate(this.next)
    this.observer.disconnect()
  }

  /** Another phase begins. */
  begin(): void {
    this.worst = []
    this.longestWall = 0
    this.pauses = 0
    this.began = performance.now()
    this.last = this.began
    this.lastCpu = cpuMillis()
  }

  /** Work that is not part of its turn: the bench's own. */
  apart<A>(work: () => A): A {
    const wall = performance.now()
    const cpu = cpuMillis()
    const done = work()
    this.last += performance.now() - wall
    this.lastCpu += cpuMillis() - cpu
    return done
  }

  /** The turns since the phase began. */
  get turns(): Turns {
    const { longestWall, pauses, worst } = this
    return { longest: worst[0]?.millis ?? 0, longestWall, pauses, worst }
  }

  private readonly turn = (): void => {
    const now = performance.now()
    const wall = now - this.last
    const cpu = cpuMillis()
    const millis = Math.min(wall, cpu - this.lastCpu)
    this.last = now
    this.lastCpu = cpu
    this.longestWall = Math.max(this.longestWall, wall)
    if (millis > PAUSE_MILLIS) this.pauses++
    if (millis > (this.worst[WORST_KEPT - 1]?.millis ?? 0)) {
      this.worst.push({ millis, wall, at: now - this.began, gc: 0 })
      this.worst.sort((a, b) => b.millis - a.millis)
      this.worst.length = Math.min(this.worst.length, WORST_KEPT)
    }
    this.next = setImmediate(this.turn)
  }
}

/** CPU time of this thread so far. What the process has used is asked first: Linux brings the thread's up to date then. */
const cpuMillis = (): number => {
  process.cpuUsage()
  const { system, user } = process.threadCpuUsage()
  return (user + system) / 1000
}
