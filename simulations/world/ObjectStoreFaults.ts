/**
 * What may befall a request to a simulated object store, by chance or because a test asks for it. It does not know how
 * the store suffers it.
 */
import type { World } from "#simulations/world/World.ts"

/** Each is told to the world under this name when it takes effect. */
export type ObjectStoreFault =
  /** 503 for this request, which has no effect. */
  | "object store unavailable"
  /** 503 for this request and for all others that want the bytes of the same object, for ever. */
  | "object store refuses"
  /** 503 for all requests for a while. */
  | "object store down"
  /** The request has its effect; its answer never comes, or the connection breaks instead. */
  | "object store answer lost"
  /** One bit of the bytes turns on their way back; those in the store are whole. */
  | "object store answer corrupt"
  /** No room for a put. */
  | "object store full"
  /** The answer takes far longer than usual. */
  | "object store slow"

/** One request in so many that could suffer it does; never, if there is none. */
export type ObjectStoreChances = { readonly [Fault in ObjectStoreFault]?: number }

interface Armed {
  readonly fault: ObjectStoreFault
  readonly key: string
}

export class ObjectStoreFaults {
  chances: ObjectStoreChances
  private readonly world: World
  private readonly armed: Array<Armed> = []

  constructor(world: World, chances: ObjectStoreChances) {
    this.world = world
    this.chances = chances
  }

  /** The next request that can suffer it does; the next one of a key that begins so, if it is given. */
  arm(fault: ObjectStoreFault, key = ""): void {
    this.armed.push({ fault, key })
  }

  /** Neither by chance nor because it was asked for. */
  clear(): void {
    this.chances = {}
    this.armed.length = 0
  }

  /** Whether this request suffers it. */
  strikes(fault: ObjectStoreFault, key: string): boolean {
    const index = this.armed.findIndex((armed) => armed.fault === fault && key.startsWith(armed.key))
    if (index >= 0) this.armed.splice(index, 1)
    else if (!this.happens(this.chances[fault])) return false
    this.world.fault(fault, key)
    return true
  }

  private happens(oneIn: number | undefined): boolean {
    return oneIn !== undefined && this.world.dice.below(oneIn) === 0
  }
}
