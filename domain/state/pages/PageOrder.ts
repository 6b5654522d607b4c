/**
 * The pages of records that follow one another, each by the inode of its first record, and a cursor over them. One
 * inode may start several pages. They lie in blocks of bounded length: finding one is two binary searches, adding one
 * moves at most a block. It knows no page's contents.
 */
const BLOCK = 256

class Block {
  count = 0
  readonly keys = new Float64Array(BLOCK)
  readonly pages = new Uint32Array(BLOCK)
}

export class PageOrder {
  private readonly blocks: Array<Block> = []
  private block = 0
  private at = 0
  private markedBlock = 0
  private markedAt = 0

  /** The page that the cursor is on. */
  get page(): number {
    return (this.blocks[this.block] as Block).pages[this.at] as number
  }

  /** To the last page that starts before the inode, or else the first; false when there are no pages. */
  seek(inode: number): boolean {
    const { blocks } = this
    if (blocks.length === 0) return false
    let low = 0
    let high = blocks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (((blocks[middle] as Block).keys[0] as number) < inode) low = middle
      else high = middle - 1
    }
    this.block = low
    const { count, keys } = blocks[low] as Block
    low = 0
    high = count - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((keys[middle] as number) < inode) low = middle
      else high = middle - 1
    }
    this.at = low
    return true
  }

  /** To the first page; false when there are no pages. */
  first(): boolean {
    this.block = 0
    this.at = 0
    return this.blocks.length > 0
  }

  /** To the last page; false when there are no pages. */
  last(): boolean {
    this.block = Math.max(0, this.blocks.length - 1)
    this.at = (this.blocks[this.block]?.count ?? 1) - 1
    return this.blocks.length > 0
  }

  /** The first inode of the page after the cursor's; infinite when there is none. */
  nextKey(): number {
    const block = this.blocks[this.block] as Block
    if (this.at + 1 < block.count) return block.keys[this.at + 1] as number
    return this.blocks[this.block + 1]?.keys[0] ?? Number.POSITIVE_INFINITY
  }

  /** To the next page; false when there is none. */
  next(): boolean {
    if (this.at + 1 < (this.blocks[this.block] as Block).count) {
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
    const { keys } = this.blocks[this.block] as Block
    keys[this.at] = inode
  }

  /** Adds a page after the cursor's, or the first of all, and goes to it. */
  insertNext(inode: number, page: number): void {
    if (this.blocks.length === 0) {
      this.blocks.push(new Block())
      this.block = 0
      this.at = -1
    }
    if ((this.blocks[this.block] as Block).count === BLOCK) this.split()
    const block = this.blocks[this.block] as Block
    const at = ++this.at
    block.keys.copyWithin(at + 1, at, block.count)
    block.pages.copyWithin(at + 1, at, block.count)
    block.keys[at] = inode
    block.pages[at] = page
    block.count++
  }

  /** Removes the cursor's page and goes to the one after it, which there may not be. */
  remove(): void {
    const block = this.blocks[this.block] as Block
    block.keys.copyWithin(this.at, this.at + 1, block.count)
    block.pages.copyWithin(this.at, this.at + 1, block.count)
    block.count--
    if (block.count === 0) this.blocks.splice(this.block, 1)
    else if (this.at < block.count) return
    else this.block++
    this.at = 0
  }

  /** All pages in order. */
  list(): Array<number> {
    return this.blocks.flatMap(({ count, pages }) => [...pages.subarray(0, count)])
  }

  /** Makes room in the cursor's block. One that grows at its end stays full: pages mostly come in order. */
  private split(): void {
    const block = this.blocks[this.block] as Block
    const half = this.at === BLOCK - 1 ? BLOCK : BLOCK / 2
    const rest = new Block()
    rest.count = BLOCK - half
    rest.keys.set(block.keys.subarray(half))
    rest.pages.set(block.pages.subarray(half))
    block.count = half
    this.blocks.splice(this.block + 1, 0, rest)
    if (this.at >= half - (half === BLOCK ? 1 : 0)) {
      this.block++
      this.at -= half
    }
  }
}
