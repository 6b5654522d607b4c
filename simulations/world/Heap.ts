/** What is due next: a binary heap by time, then by the order of arrival. */
export interface Due {
  readonly at: number
  readonly order: number
}

export class Heap<Item extends Due> {
  private readonly items: Array<Item> = []

  get size(): number {
    return this.items.length
  }

  get first(): Item | undefined {
    return this.items[0]
  }

  push(item: Item): void {
    const { items } = this
    let index = items.length
    items.push(item)
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = items[above] as Item
      if (!before(item, parent)) break
      items[index] = parent
      index = above
    }
    items[index] = item
  }

  pop(): Item | undefined {
    const { items } = this
    const first = items[0]
    const last = items.pop()
    if (last === undefined || items.length === 0) return first
    let index = 0
    for (;;) {
      let below = 2 * index + 1
      if (below >= items.length) break
      if (below + 1 < items.length && before(items[below + 1] as Item, items[below] as Item)) below++
      const child = items[below] as Item
      if (!before(child, last)) break
      items[index] = child
      index = below
    }
    items[index] = last
    return first
  }
}

const before = (a: Due, b: Due): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
