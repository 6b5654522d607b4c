/**
 * A snapshot's store for tests of pages: it knows what each page was when a snapshot began, holds what is kept of it
 * to that, and brings absent pages back.
 */
import { lengthOf } from "#domain/state/pages/PageFormat.ts"
import { PageFault, type Pages } from "#domain/state/pages/Pages.ts"

export class ShadowStore {
  private readonly pages: Pages
  private readonly stored = new Map<number, Uint8Array>()
  private truth = new Map<number, Uint8Array>()
  private changed: Uint32Array | undefined
  /** Absent pages that were asked for. */
  faults = 0

  constructor(pages: Pages) {
    this.pages = pages
  }

  get isOpen(): boolean {
    return this.changed !== undefined
  }

  /** Begins a snapshot. Nothing may be unpacked. */
  begin(): void {
    this.changed = this.pages.cut((page) => this.compare(page))
    this.truth = new Map()
    for (const page of this.changed) if (this.pages.isPending(page)) this.truth.set(page, this.bytesOf(page))
  }

  /** Ends it: it has all pages, or it failed and has none. */
  end(fails: boolean): void {
    const { changed = new Uint32Array(), pages } = this
    for (const page of fails ? [] : changed) {
      if (pages.isPending(page)) {
        this.compare(page)
        pages.copied(page)
      }
      const bytes = this.truth.get(page)
      if (bytes === undefined) this.stored.delete(page)
      else this.stored.set(page, bytes)
      pages.stored(page)
    }
    pages.endCut(changed)
    this.changed = undefined
  }

  /** A whole snapshot at once. */
  take(): void {
    this.begin()
    this.end(false)
  }

  /** Does what may need absent pages; whenever one is, it is brought back, and all is tried again. */
  retry<A>(action: () => A): A {
    for (;;) {
      try {
        return action()
      } catch (cause) {
        if (!(cause instanceof PageFault)) throw cause
        this.load(cause.page)
      }
    }
  }

  /** Brings back all that is absent. */
  loadAll(): void {
    for (const page of this.stored.keys()) if (this.pages.isAbsent(page)) this.load(page)
  }

  private load(page: number): void {
    const bytes = this.stored.get(page)
    if (bytes === undefined || !this.pages.isAbsent(page)) throw new Error(`page ${page} is nowhere`)
    this.faults++
    this.pages.adopt(page, bytes)
  }

  private compare(page: number): void {
    const bytes = this.truth.get(page)
    if (bytes === undefined || Buffer.compare(bytes, this.bytesOf(page)) !== 0) {
      throw new Error(`page ${page} was changed before it was kept`)
    }
  }

  private bytesOf(page: number): Uint8Array {
    const { pages, pages: { slab } } = this
    const address = pages.addressOf(page)
    const at = slab.offsetOf(address)
    return slab.chunkOf(address).slice(at, at + lengthOf(pages.kindOf(page), slab.chunkOf(address), at))
  }
}
