/**
 * What is under way, by number, the oldest first: few at a time, and new ones for ever. No `Map` or `Set`: one that is
 * filled and emptied all the time moves from table to table, and each table that it has left points to the next. Once
 * one of them is old, V8's collector of young objects keeps all that were ever in those after it, and copies them.
 */
export class InFlight<A> {
  private numbers: Array<number> = []
  private values: Array<A> = []

  get size(): number {
    return this.numbers.length
  }

  get oldest(): A | undefined {
    return this.values[0]
  }

  add(number: number, value: A): void {
    this.numbers.push(number)
    this.values.push(value)
  }

  /** Takes it out; undefined if it is not there (any more). */
  take(number: number): A | undefined {
    const place = this.numbers.indexOf(number)
    if (place === -1) return undefined
    this.numbers.splice(place, 1)
    const [value] = this.values.splice(place, 1)
    return value
  }

  /** Takes out all. */
  takeAll(): ReadonlyArray<A> {
    const { values } = this
    this.numbers = []
    this.values = []
    return values
  }

  /** All, as they are now. */
  all(): ReadonlyArray<A> {
    return [...this.values]
  }
}
