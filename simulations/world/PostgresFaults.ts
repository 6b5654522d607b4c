/**
 * What may befall a statement in the simulated Postgres, by chance or because a test asks for it. It does not know
 * how the server suffers it.
 */
import type { PostgresRequest } from "#simulations/world/PostgresMessages.ts"
import type { World } from "#simulations/world/World.ts"

/** A statement that only reads has no commit: it suffers those faults when it has its rows. */
export type PostgresFault =
  | "crash on receipt"
  | "crash before commit"
  | "crash during commit"
  | "crash before reply"
  /** The connection breaks instead of carrying the reply. */
  | "lose the reply"
  /** Its connection breaks at once; it begins some time later, when whoever sent it may have gone on. */
  | "begin late"
  /** Its connection breaks once it has its locks; it commits some time later. */
  | "commit late"
  /** Its commit, and all that come after it, are slow to reach the disk. */
  | "flush slowly"
  /** Somebody cancels it: it is refused, and nothing of it is done. */
  | "cancel"
  /** It does nothing more until its time limit is over. */
  | "stick at once"
  | "stick with its locks"

/** One statement in so many suffers it; 0: none. */
export interface PostgresChances {
  readonly crash: number
  readonly loseReply: number
  readonly stick: number
  /** Everything is slow for a while, from this statement on. */
  readonly slow: number
}

export const NO_CHANCES: PostgresChances = { crash: 0, loseReply: 0, stick: 0, slow: 0 }

const CRASHES = ["crash on receipt", "crash before commit", "crash during commit", "crash before reply"] as const
const STICKS = ["stick at once", "stick with its locks"] as const

interface Armed {
  readonly fault: PostgresFault
  readonly operation: string | undefined
}

export class PostgresFaults {
  chances: PostgresChances
  private readonly world: World
  private readonly armed: Array<Armed> = []

  constructor(world: World, chances: PostgresChances) {
    this.world = world
    this.chances = chances
  }

  /** The next statement suffers it; the next one of the operation, if one is given. */
  arm(fault: PostgresFault, operation: string | undefined): void {
    this.armed.push({ fault, operation })
  }

  /** Neither by chance nor because it was asked for. */
  clear(): void {
    this.chances = NO_CHANCES
    this.armed.length = 0
  }

  /** What this statement will suffer. */
  draw({ operation }: PostgresRequest): PostgresFault | undefined {
    if (this.armed.length > 0) {
      const index = this.armed.findIndex((armed) => armed.operation === undefined || armed.operation === operation)
      if (index >= 0) return this.armed.splice(index, 1)[0]?.fault
    }
    const { crash, loseReply, stick } = this.chances
    if (this.happens(crash)) return this.world.dice.of(CRASHES)
    if (this.happens(stick)) return this.world.dice.of(STICKS)
    return this.happens(loseReply) ? "lose the reply" : undefined
  }

  /** Whether a time of slowness begins. */
  drawSlowness(): boolean {
    return this.happens(this.chances.slow)
  }

  private happens(oneIn: number): boolean {
    return oneIn > 0 && this.world.dice.below(oneIn) === 0
  }
}
