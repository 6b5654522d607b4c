/**
 * The pages of records that follow one another, each by the inode of its first record, and a cursor over them. One
 * inode may start several pages. They lie in blocks, which are pages themselves: finding one is two binary searches,
 * adding one moves at most a block. It knows no page's contents.
 *
 *     pages 2 | 0 6 | the inode of each first record, 8 each, a float | page numbers, 4 each
 */
import { PageKind, type Pages } from "#domain/state/pages/Pages.ts"

const BLOCK = 256
const HEADER_BYTES = 8

const countOf = (bytes: Uint8Array, at: number): number => (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
const lengthFor = (count: number): number => HEADER_BYTES + 12 * count

export const lengthOf = (bytes: Uint8Array, at: number): number => lengthFor(countOf(bytes, at))

/** A block, and the inode that its first page begins with. */
export interface OrderBlock {
  first: number
  readonly page: number
}

/** A block that is being read or changed; the rest are bytes. */
const keys = new Float64Array(BLOCK + 1)
const numbers = new Uint32Array(BLOCK + 1)
const keyBytes = new Uint8Array(keys.buffer)
const keyWords = new Uint32Array(keys.buffer)
const numberBytes = new Uint8Array(numbers.buffer)

export class PageOrder {
  private readonly pages: Pages
  private blocks: Array<OrderBlock> = []
  private block = 0
  private at = 0
  private markedBlock = 0
  private markedAt = 0

  constructor(pages: Pages) {
    this.pages = pages
  }

  /** The blocks in order, which find the rest. */
  get roots(): ReadonlyArray<OrderBlock> {
    return this.blocks
  }

  /** Takes back what `roots` was. */
  open(roots: ReadonlyArray<OrderBlock>): void {
    this.blocks = [...roots]
  }

  /** The page that the cursor is on. */
  get page(): number {
    return this.number(this.block, this.at)
  }

  /** To the last page that starts before the inode, or else the first; false when there are no pages. */
  seek(inode: number): boolean {
    const { blocks } = this
    if (blocks.length === 0) return false
    let low = 0
    let high = blocks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((blocks[middle] as OrderBlock).first < inode) low = middle
      else high = middle - 1
    }
    this.block = low
    const count = this.count(low)
    low = 0
    high = count - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.key(this.block, middle) < inode) low = middle
      else high = middle - 1
    }
    this.at = low
    return true
  }

  /** To the last page; false when there are no pages. */
  last(): boolean {
    if (this.blocks.length === 0) return false
    this.block = this.blocks.length - 1
    this.at = this.count(this.block) - 1
    return true
  }

  /** The first inode of the page after the cursor's; infinite when there is none. */
  nextKey(): number {
    if (this.at + 1 < this.count(this.block)) return this.key(this.block, this.at + 1)
    return this.blocks[this.block + 1]?.first ?? Number.POSITIVE_INFINITY
  }

  /** To the next page; false when there is none. */
  next(): boolean {
    if (this.at + 1 < this.count(this.block)) {
      this.at++
      return true
    }
    if (this.block + 1 >= this.blocks.length) return false
    this.block++
    this.at = 0
    return true
  }

  /** Remembers where the cursor is. Until `reset`, pages must not come or go. */
  mark(): void {
    this.markedBlock = this.block
    this.markedAt = this.at
  }

  reset(): void {
    this.block = this.markedBlock
    this.at = this.markedAt
  }

  setKey(inode: number): void {
    if (this.key(this.block, this.at) === inode) return
    this.load(this.block)
    keys[this.at] = inode
    this.store(this.block, this.count(this.block))
  }

  /** Adds a page after the cursor's, or the first of all, and goes to it. */
  insertNext(inode: number, page: number): void {
    if (this.blocks.length === 0) {
      keys[0] = inode
      numbers[0] = page
      this.block = 0
      this.at = 0
      this.add(0, 1)
      return
    }
    if (this.count(this.block) === BLOCK) this.split()
    const count = this.load(this.block)
    const at = ++this.at
    keys.copyWithin(at + 1, at, count)
    numbers.copyWithin(at + 1, at, count)
    keys[at] = inode
    numbers[at] = page
    this.store(this.block, count + 1)
  }

  /** Removes the cursor's page and goes to the one after it, which there may not be. */
  remove(): void {
    const count = this.load(this.block) - 1
    keys.copyWithin(this.at, this.at + 1, count + 1)
    numbers.copyWithin(this.at, this.at + 1, count + 1)
    if (count === 0) {
      this.pages.release((this.blocks[this.block] as OrderBlock).page)
      this.blocks.splice(this.block, 1)
    } else {
      this.store(this.block, count)
      if (this.at < count) return
      this.block++
    }
    this.at = 0
  }

  /** All pages in order. */
  list(): Array<number> {
    return this.blocks.flatMap((_, block) => {
      const count = this.load(block)
      return [...numbers.subarray(0, count)]
    })
  }

  /** Makes room in the cursor's block. One that grows at its end stays full: pages mostly come in order. */
  private split(): void {
    const half = this.at === BLOCK - 1 ? BLOCK : BLOCK / 2
    if (half < BLOCK) {
      this.load(this.block)
      const rest = BLOCK - half
      this.store(this.block, half)
      keys.copyWithin(0, half, BLOCK)
      numbers.copyWithin(0, half, BLOCK)
      this.add(this.block + 1, rest)
      if (this.at >= half) {
        this.block++
        this.at -= half
      }
      return
    }
    // The block behind begins with what is about to be added: until then it is empty.
    this.add(this.block + 1, 0)
    this.block++
    this.at = -1
  }

  private count(block: number): number {
    this.pages.locate((this.blocks[block] as OrderBlock).page)
    return countOf(this.pages.bytes, this.pages.at)
  }

  private key(block: number, at: number): number {
    const { pages, pages: { slab } } = this
    const address = pages.addressOf((this.blocks[block] as OrderBlock).page)
    const words = slab.wordsOf(address)
    const place = (slab.offsetOf(address) + HEADER_BYTES + 8 * at) >>> 2
    keyWords[2 * BLOCK] = words[place] as number
    keyWords[2 * BLOCK + 1] = words[place + 1] as number
    return keys[BLOCK] as number
  }

  private number(block: number, at: number): number {
    const { pages, pages: { slab } } = this
    const address = pages.addressOf((this.blocks[block] as OrderBlock).page)
    const start = slab.offsetOf(address)
    const count = countOf(slab.chunkOf(address), start)
    return slab.wordsOf(address)[(start + HEADER_BYTES + 8 * count + 4 * at) >>> 2] as number
  }

  /** Reads a block, and answers how many pages it has. */
  private load(block: number): number {
    const count = this.count(block)
    const { at, bytes } = this.pages
    const start = at + HEADER_BYTES
    keyBytes.set(bytes.subarray(start, start + 8 * count))
    numberBytes.set(bytes.subarray(start + 8 * count, start + 12 * count))
    return count
  }

  /** Writes a block of the first `count` pages that were read. */
  private store(block: number, count: number): void {
    const { pages } = this
    const there = this.blocks[block] as OrderBlock
    const length = lengthFor(count)
    if (length > pages.capacity(there.page)) pages.resize(there.page, Math.min(lengthFor(BLOCK), 2 * length), 0)
    else pages.touch(there.page)
    there.first = keys[0] as number
    this.write(there.page, count)
  }

  private add(block: number, count: number): void {
    const page = this.pages.create(lengthFor(Math.max(1, count)), PageKind.recordOrder)
    this.blocks.splice(block, 0, { first: keys[0] as number, page })
    this.write(page, count)
  }

  private write(page: number, count: number): void {
    const { pages } = this
    pages.locate(page)
    const { at, bytes } = pages
    const start = at + HEADER_BYTES
    bytes.fill(0, at, start)
    bytes[at] = count
    bytes[at + 1] = count >>> 8
    bytes.set(keyBytes.subarray(0, 8 * count), start)
    bytes.set(numberBytes.subarray(0, 4 * count), start + 8 * count)
  }
}
