/**
 * What each key of a store may hold, by what the store has acknowledged. It does not know the store.
 *
 *     put 1 |----ack|                 it holds 1
 *     put 2            |---- killed   it holds 1 or 2
 *     remove                |---ack|  it holds nothing, or 2 where that put was still running
 */

/** The number of what was put; `nothing` if the key is free. */
export type Value = number
export const nothing: Value = 0

/** A put or a removal that has begun. */
export interface Deed {
  readonly key: string
  readonly value: Value
  /** What ran at the same time may have come after it. */
  readonly others: Set<Value>
}

interface Page {
  may: Set<Value>
  readonly running: Set<Deed>
  /** Deeds begun so far. */
  begun: number
}

export class DiskLedger {
  private readonly pages = new Map<string, Page>()

  begin(key: string, value: Value): Deed {
    const page = this.pageOf(key)
    const deed: Deed = { key, value, others: new Set() }
    for (const other of page.running) {
      other.others.add(value)
      deed.others.add(other.value)
    }
    page.running.add(deed)
    page.begun++
    return deed
  }

  /** It was done, durably. */
  acknowledged(deed: Deed): void {
    const page = this.pageOf(deed.key)
    page.running.delete(deed)
    page.may = new Set([deed.value, ...deed.others])
  }

  /** It failed: it was done or not. */
  failed(deed: Deed): void {
    const page = this.pageOf(deed.key)
    page.running.delete(deed)
    page.may.add(deed.value)
  }

  /** It failed, and was not done. */
  refused(deed: Deed): void {
    this.pageOf(deed.key).running.delete(deed)
  }

  /** Whoever ran deeds is dead; those that had no end yet. */
  died(): ReadonlyArray<Deed> {
    const deeds = [...this.pages.values()].flatMap(({ running }) => [...running])
    for (const deed of deeds) this.failed(deed)
    return deeds
  }

  /** What the key may hold, if no deed of it is running. */
  holdings(key: string): ReadonlySet<Value> | undefined {
    const page = this.pageOf(key)
    return page.running.size === 0 ? page.may : undefined
  }

  /** Changes with each deed of the key that begins. */
  stampOf(key: string): number {
    return this.pageOf(key).begun
  }

  /** It was seen after a power cut, so that is what is on the disk. */
  settle(key: string, value: Value): void {
    this.pageOf(key).may = new Set([value])
  }

  private pageOf(key: string): Page {
    const known = this.pages.get(key)
    if (known !== undefined) return known
    const page: Page = { may: new Set([nothing]), running: new Set(), begun: 0 }
    this.pages.set(key, page)
    return page
  }
}
