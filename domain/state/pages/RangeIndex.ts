/**
 * Which page holds a range of inode numbers: a radix tree of three levels of pages, each a table of up to 128 page
 * numbers, and the tables of the first level by the range's upper bits. Dense numbers cost less than a bit each, a
 * number from far away three small tables. It knows no page's contents.
 *
 *     entries 2 | in use 2 | page numbers, 4 each, 0 for none
 */
import { PageKind, type Pages } from "#domain/state/pages/Pages.ts"

const TABLE = 128
const SHIFT = 7
const TOP_SHIFT = 2 * SHIFT
/** Ranges below a table of the first level. */
const RANGES = TABLE ** 3
const HEADER_BYTES = 4
const ENTRIES_LEAST = 14

const entriesOf = (bytes: Uint8Array, at: number): number => (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
const usedOf = (bytes: Uint8Array, at: number): number => (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8)

export const lengthOf = (bytes: Uint8Array, at: number): number => HEADER_BYTES + 4 * entriesOf(bytes, at)

export class RangeIndex {
  private readonly pages: Pages
  /** Tables of the first level, by the upper bits. */
  private readonly tops = new Map<number, number>()

  constructor(pages: Pages) {
    this.pages = pages
  }

  /** The tables of the first level, which find the rest. */
  get roots(): ReadonlyMap<number, number> {
    return this.tops
  }

  /** Takes back what `roots` was. */
  open(roots: Iterable<readonly [number, number]>): void {
    for (const [top, table] of roots) this.tops.set(top, table)
  }

  /** The page of a range, 0 if it has none. */
  get(range: number): number {
    const top = Math.floor(range / RANGES)
    const rest = range - top * RANGES
    let page = this.tops.get(top) ?? 0
    for (let shift = TOP_SHIFT; shift >= 0 && page !== 0; shift -= SHIFT) page = this.entry(page, indexOf(rest, shift))
    return page
  }

  set(range: number, page: number): void {
    const top = Math.floor(range / RANGES)
    const rest = range - top * RANGES
    let table = this.tops.get(top)
    if (table === undefined) this.tops.set(top, table = this.create())
    for (let shift = TOP_SHIFT; shift > 0; shift -= SHIFT) {
      let below = this.entry(table, indexOf(rest, shift))
      if (below === 0) {
        below = this.create()
        this.put(table, indexOf(rest, shift), below)
      }
      table = below
    }
    this.put(table, indexOf(rest, 0), page)
  }

  delete(range: number): void {
    const top = Math.floor(range / RANGES)
    const table = this.tops.get(top)
    if (table === undefined || this.get(range) === 0) return
    if (this.clearBelow(table, range - top * RANGES, TOP_SHIFT)) this.tops.delete(top)
  }

  /** Visits ranges from `from` on in ascending order, until `visit` answers false. */
  walk(from: number, visit: (range: number, page: number) => boolean): void {
    for (const top of [...this.tops.keys()].sort((a, b) => a - b)) {
      const first = top * RANGES
      if (first + RANGES <= from) continue
      if (!this.walkBelow(this.tops.get(top) as number, first, TOP_SHIFT, from, visit)) return
    }
  }

  /** Empties an entry below a table; whether the table has gone, being empty then. */
  private clearBelow(table: number, rest: number, shift: number): boolean {
    const index = indexOf(rest, shift)
    if (shift > 0 && !this.clearBelow(this.entry(table, index), rest, shift - SHIFT)) return false
    if (this.put(table, index, 0) > 0) return false
    this.pages.release(table)
    return true
  }

  private walkBelow(
    table: number,
    first: number,
    shift: number,
    from: number,
    visit: (range: number, page: number) => boolean
  ): boolean {
    const width = 2 ** shift
    const entries = this.entries(table)
    for (let i = Math.max(0, Math.floor((from - first) / width)); i < entries; i++) {
      const page = this.entry(table, i)
      if (page === 0) continue
      const start = first + i * width
      if (!(shift === 0 ? visit(start, page) : this.walkBelow(page, start, shift - SHIFT, from, visit))) return false
    }
    return true
  }

  private entries(table: number): number {
    const address = this.pages.addressOf(table)
    return entriesOf(this.pages.slab.chunkOf(address), this.pages.slab.offsetOf(address))
  }

  private entry(table: number, index: number): number {
    const { pages, pages: { slab } } = this
    const address = pages.addressOf(table)
    const at = slab.offsetOf(address)
    if (index >= entriesOf(slab.chunkOf(address), at)) return 0
    return slab.wordsOf(address)[(at >>> 2) + 1 + index] as number
  }

  /** Answers how many entries are in use then. */
  private put(table: number, index: number, page: number): number {
    const { pages, pages: { slab } } = this
    pages.touch(table)
    if (index >= this.entries(table)) this.extend(table, index)
    const address = pages.addressOf(table)
    const bytes = slab.chunkOf(address)
    const at = slab.offsetOf(address)
    const words = slab.wordsOf(address)
    const place = (at >>> 2) + 1 + index
    const used = usedOf(bytes, at) + (page === 0 ? 0 : 1) - (words[place] === 0 ? 0 : 1)
    words[place] = page
    bytes[at + 2] = used
    bytes[at + 3] = used >>> 8
    return used
  }

  private create(): number {
    const table = this.pages.create(HEADER_BYTES + 4 * ENTRIES_LEAST, PageKind.inodeRanges)
    this.clear(table, 0, ENTRIES_LEAST)
    return table
  }

  private extend(table: number, index: number): void {
    const before = this.entries(table)
    const entries = Math.min(TABLE, Math.max(2 * before, index + 1))
    this.pages.resize(table, HEADER_BYTES + 4 * entries, HEADER_BYTES + 4 * before)
    this.clear(table, before, entries)
  }

  /** Empties entries from `before` on, of `entries` that there are now. */
  private clear(table: number, before: number, entries: number): void {
    const { pages } = this
    pages.locate(table)
    const { at, bytes } = pages
    bytes.fill(0, at + (before === 0 ? 0 : HEADER_BYTES + 4 * before), at + HEADER_BYTES + 4 * entries)
    bytes[at] = entries
    bytes[at + 1] = entries >>> 8
  }
}

const indexOf = (rest: number, shift: number): number => (rest >>> shift) & (TABLE - 1)
