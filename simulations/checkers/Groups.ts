/**
 * Things in groups by the numbers that they touch: whatever shares a number, also through others, is together.
 */
export class Groups<Item> {
  /** Towards the number that stands for its group. */
  private readonly towards = new Map<number, number>()
  private readonly items: Array<{ readonly number: number; readonly item: Item }> = []

  /** An item that touches no number is left out. */
  add(numbers: ReadonlyArray<number>, item: Item): void {
    const [number] = numbers
    if (number === undefined) return
    this.join(numbers)
    this.items.push({ number, item })
  }

  join(numbers: ReadonlyArray<number>): void {
    const [first] = numbers
    if (first === undefined) return
    const standing = this.standing(first)
    for (const number of numbers) this.towards.set(this.standing(number), standing)
  }

  /** The groups, each in the order in which its items came. */
  all(): ReadonlyArray<ReadonlyArray<Item>> {
    const groups = new Map<number, Array<Item>>()
    for (const { item, number } of this.items) {
      const standing = this.standing(number)
      const group = groups.get(standing)
      if (group === undefined) groups.set(standing, [item])
      else group.push(item)
    }
    return [...groups.values()]
  }

  private standing(number: number): number {
    let at = number
    for (let next = this.towards.get(at); next !== undefined && next !== at; next = this.towards.get(at)) {
      const beyond = this.towards.get(next) ?? next
      this.towards.set(at, beyond)
      at = next
    }
    return at
  }
}
