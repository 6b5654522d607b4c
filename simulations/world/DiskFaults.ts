/**
 * What may befall a call to a simulated disk, by chance or because a test asks for it. It does not know how the disk
 * suffers it.
 */
import { MILLI, SECOND, type World } from "#simulations/world/World.ts"

/** Each is told to the world under this name when it takes effect. */
export type DiskFault =
  /** ENOSPC, of a call that needs room. */
  | "disk full"
  /** A write takes a part of its bytes; the next one of the same file finds the disk full. */
  | "disk full midway"
  /** EIO of a datasync; what was not durable is forgotten. */
  | "disk sync fails"
  /** EIO of a folder's fsync: the journal is broken, and nothing can be changed any more until the next power cut. */
  | "disk journal fails"
  /** EIO of a read. */
  | "disk read fails"
  /** One bit of the file that is read has turned. */
  | "disk bit rots"
  /** The call takes far longer than usual. */
  | "disk slow"

/** One call in so many that could suffer it does; never, if there is none. */
export type DiskChances = { readonly [Fault in DiskFault]?: number }

interface Armed {
  readonly fault: DiskFault
  readonly path: string
}

const SLOW_MIN = 20 * MILLI
const SLOW_MAX = 10 * SECOND

export class DiskFaults {
  chances: DiskChances
  private readonly world: World
  private readonly armed: Array<Armed> = []

  constructor(world: World, chances: DiskChances) {
    this.world = world
    this.chances = chances
  }

  /** The next call that can suffer it does; the next one of a path that contains this, if it is given. */
  arm(fault: DiskFault, path = ""): void {
    this.armed.push({ fault, path })
  }

  /** Neither by chance nor because it was asked for. */
  clear(): void {
    this.chances = {}
    this.armed.length = 0
  }

  /** Whether this call suffers it. */
  strikes(fault: DiskFault, path: string): boolean {
    const index = this.armed.findIndex((armed) => armed.fault === fault && path.includes(armed.path))
    if (index >= 0) this.armed.splice(index, 1)
    else if (!this.happens(this.chances[fault])) return false
    this.world.fault(fault, path)
    return true
  }

  /** How much longer than usual this call takes. */
  delay(path: string): number {
    return this.strikes("disk slow", path) ? this.world.between(SLOW_MIN, SLOW_MAX) : 0
  }

  private happens(oneIn: number | undefined): boolean {
    return oneIn !== undefined && this.world.dice.below(oneIn) === 0
  }
}
