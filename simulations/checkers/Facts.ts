/**
 * What is true of a model's world, as numbers by name. Changing a fact makes another version and keeps the old one:
 * the newest holds a map, older ones the difference to the next (Baker's trick), which suits a search that goes a
 * step forth and a step back. It is not for versions that are used in turns far apart.
 */
export class Facts {
  /** Of the version that holds it. */
  private map: Map<string, number> | undefined
  /** Of the others: where the map is closer, and what is different here. */
  private closer: Facts | undefined
  private name = ""
  private value: number | undefined
  /** Sums over all facts that do not depend on their order, 32 bits each. */
  private readonly low: number
  private readonly high: number

  private constructor(map: Map<string, number>, low: number, high: number) {
    this.map = map
    this.low = low
    this.high = high
  }

  static empty(): Facts {
    return new Facts(new Map(), 0, 0)
  }

  get(name: string): number | undefined {
    return (this.map ?? this.fetched()).get(name)
  }

  /** The version in which the fact is so; undefined for no such fact. */
  with(name: string, value: number | undefined): Facts {
    const map = this.map ?? this.fetched()
    const old = map.get(name)
    if (old === value) return this
    let { high, low } = this
    if (old !== undefined) {
      low ^= digest(name, old, LOW_SEED)
      high ^= digest(name, old, HIGH_SEED)
    }
    if (value !== undefined) {
      low ^= digest(name, value, LOW_SEED)
      high ^= digest(name, value, HIGH_SEED)
    }
    const next = new Facts(map, low, high)
    put(map, name, value)
    this.leave(next, name, old)
    return next
  }

  /** 53 bits that are the same for the same facts, and otherwise differ but for an accident. */
  get key(): number {
    return (this.high >>> 11) * 2 ** 32 + (this.low >>> 0)
  }

  all(): ReadonlyArray<readonly [name: string, value: number]> {
    return [...this.map ?? this.fetched()]
  }

  private leave(closer: Facts, name: string, value: number | undefined): void {
    this.map = undefined
    this.closer = closer
    this.name = name
    this.value = value
  }

  /** Brings the map here, turning the differences on its way. */
  private fetched(): Map<string, number> {
    const way = wayFrom<Facts>(this, (version) => version.closer)
    let at = way.pop() as Facts
    const map = at.map as Map<string, number>
    for (let version = way.pop(); version !== undefined; version = way.pop()) {
      const { name, value } = version
      at.leave(version, name, map.get(name))
      put(map, name, value)
      version.map = map
      version.closer = undefined
      at = version
    }
    return map
  }
}

const wayFrom = <Item>(first: Item, next: (item: Item) => Item | undefined): Array<Item> => {
  const way: Array<Item> = []
  for (let item: Item | undefined = first; item !== undefined; item = next(item)) way.push(item)
  return way
}

const put = (map: Map<string, number>, name: string, value: number | undefined): void => {
  if (value === undefined) map.delete(name)
  else map.set(name, value)
}

const LOW_SEED = 0x811c_9dc5
const HIGH_SEED = 0x9747_b28c

/** FNV-1a over the name and the number, then the mixing of MurmurHash3. */
const digest = (name: string, value: number, seed: number): number => {
  let hash = seed
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x0100_0193)
  hash = Math.imul(hash ^ (value | 0), 0x0100_0193)
  hash = Math.imul(hash ^ Math.floor(value / 2 ** 32), 0x0100_0193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}
