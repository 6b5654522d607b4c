/**
 * Which page holds a range of inode numbers. Ranges lie side by side in leaves of 16, and a hash table finds the
 * leaf: dense numbers cost less than a bit each, a number from far away one leaf. It knows no page's contents.
 */
const LEAF = 16
const NONE = -1

export class RangeIndex {
  /** Open addressing: leaf keys plus 1 (0 is free), and which leaf. At most half full. */
  private keys = new Float64Array(16)
  private places = new Uint32Array(16)
  /** By leaf: its pages, 0 for none; how many there are. */
  private pages = new Uint32Array(8 * LEAF)
  private counts = new Uint8Array(8)
  private top = 0
  private readonly released: Array<number> = []
  private leaves = 0
  /** Leaf keys in ascending order, while no leaf comes or goes. */
  private sorted: Float64Array | undefined

  /** The page of a range, 0 if it has none. */
  get(range: number): number {
    const key = Math.floor(range / LEAF)
    const found = this.find(key)
    return found === NONE ? 0 : this.pages[(this.places[found] as number) * LEAF + (range - key * LEAF)] as number
  }

  set(range: number, page: number): void {
    const key = Math.floor(range / LEAF)
    const found = this.find(key)
    const leaf = found === NONE ? this.addLeaf(key) : this.places[found] as number
    const at = leaf * LEAF + (range - key * LEAF)
    if (this.pages[at] === 0) this.counts[leaf] = (this.counts[leaf] as number) + 1
    this.pages[at] = page
  }

  delete(range: number): void {
    const key = Math.floor(range / LEAF)
    const found = this.find(key)
    if (found === NONE) return
    const leaf = this.places[found] as number
    const at = leaf * LEAF + (range - key * LEAF)
    if (this.pages[at] === 0) return
    this.pages[at] = 0
    const count = (this.counts[leaf] as number) - 1
    this.counts[leaf] = count
    if (count === 0) this.removeLeaf(found, leaf)
  }

  /** Visits ranges from `from` on in ascending order, until `visit` answers false. */
  walk(from: number, visit: (range: number, page: number) => boolean): void {
    const first = Math.floor(from / LEAF)
    const keys = this.inOrder()
    for (let i = lowerBound(keys, first); i < keys.length; i++) {
      const key = keys[i] as number
      const leaf = (this.places[this.find(key)] as number) * LEAF
      for (let j = key === first ? from - key * LEAF : 0; j < LEAF; j++) {
        const page = this.pages[leaf + j] as number
        if (page !== 0 && !visit(key * LEAF + j, page)) return
      }
    }
  }

  private inOrder(): Float64Array {
    if (this.sorted === undefined) {
      this.sorted = this.keys.filter((key) => key !== 0).map((key) => key - 1)
      this.sorted.sort()
    }
    return this.sorted
  }

  private find(key: number): number {
    const { keys } = this
    const mask = keys.length - 1
    for (let at = hash(key) & mask;; at = (at + 1) & mask) {
      const there = keys[at] as number
      if (there === key + 1) return at
      if (there === 0) return NONE
    }
  }

  private addLeaf(key: number): number {
    const leaf = this.released.pop() ?? this.top++
    if (leaf >= this.counts.length) {
      this.counts = grown(this.counts, new Uint8Array(2 * leaf))
      this.pages = grown(this.pages, new Uint32Array(2 * leaf * LEAF))
    }
    this.leaves++
    this.sorted = undefined
    if (2 * this.leaves > this.keys.length) this.rehash(2 * this.keys.length)
    this.place(key, leaf)
    return leaf
  }

  /** Closes the gap that the leaf leaves in the hash table, so that look-ups need no marks of what was there. */
  private removeLeaf(found: number, leaf: number): void {
    const { keys, places } = this
    const mask = keys.length - 1
    this.released.push(leaf)
    this.leaves--
    this.sorted = undefined
    let gap = found
    for (let at = (gap + 1) & mask; keys[at] !== 0; at = (at + 1) & mask) {
      const home = hash((keys[at] as number) - 1) & mask
      if (((at - home) & mask) < ((at - gap) & mask)) continue
      keys[gap] = keys[at] as number
      places[gap] = places[at] as number
      gap = at
    }
    keys[gap] = 0
    if (this.leaves === 0) this.clear()
    else if (8 * this.leaves < keys.length && keys.length > 16) this.rehash(keys.length / 2)
  }

  private clear(): void {
    this.keys = new Float64Array(16)
    this.places = new Uint32Array(16)
    this.pages = new Uint32Array(8 * LEAF)
    this.counts = new Uint8Array(8)
    this.top = 0
    this.released.length = 0
  }

  private rehash(size: number): void {
    const { keys, places } = this
    this.keys = new Float64Array(size)
    this.places = new Uint32Array(size)
    for (let at = 0; at < keys.length; at++) {
      if (keys[at] !== 0) this.place((keys[at] as number) - 1, places[at] as number)
    }
  }

  private place(key: number, leaf: number): void {
    const mask = this.keys.length - 1
    let at = hash(key) & mask
    while (this.keys[at] !== 0) at = (at + 1) & mask
    this.keys[at] = key + 1
    this.places[at] = leaf
  }
}

const hash = (key: number): number => {
  let mixed = Math.imul((key >>> 0) ^ Math.imul((key / 2 ** 32) | 0, 0x9e37_79b1), 0x85eb_ca6b)
  mixed ^= mixed >>> 15
  return mixed
}

const lowerBound = (keys: Float64Array, key: number): number => {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as number) < key) low = middle + 1
    else high = middle
  }
  return low
}

const grown = <A extends Uint8Array | Uint32Array>(from: A, to: A): A => {
  to.set(from)
  return to
}
