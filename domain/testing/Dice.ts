/**
 * Random numbers from a seed: the same seed always throws the same dice (mulberry32).
 * Good enough to choose test steps; not for secrets or statistics.
 */
export class Dice {
  private state: number

  constructor(seed: number) {
    this.state = Math.imul(seed, 0x9e37_79b1) >>> 0
  }

  /** A whole number from 0, below the limit. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b_79f5) >>> 0
    let mixed = this.state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }

  /** So many bytes, of any value. */
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256))
  }

  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  of<Item>(items: ReadonlyArray<Item>): Item {
    return items[this.below(items.length)] as Item
  }

  /** By weight: `[3, "a"], [1, "b"]` gives "a" in three of four cases. */
  weighted<Item>(items: ReadonlyArray<readonly [number, Item]>): Item {
    let rest = this.below(items.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, item] of items) {
      rest -= weight
      if (rest < 0) return item
    }
    throw new Error("no item has a weight")
  }
}
