/** Random numbers from a seed: the same seed always throws the same dice (mulberry32). For tests alone. */
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

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  of<Item>(items: ReadonlyArray<Item>): Item {
    return items[this.below(items.length)] as Item
  }
}
