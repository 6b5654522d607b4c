/**
 * The pages of one zone: numbered runs of bytes in the slab, each with the epoch of its last change. What is in them
 * is their owners' affair (`EntryTree`, `InodeTable`, `ExtraTree`). A page number stays when the page grows and moves.
 */
import type { Slab } from "#domain/state/pages/Slab.ts"

export class Pages {
  readonly slab: Slab
  /** Changes are marked with it. A snapshot takes the pages changed since the last one and raises it. */
  epoch = 1
  /** Pages that live. */
  count = 0
  private addresses = new Uint32Array(16)
  private changes = new Uint32Array(16)
  /** Page 0 is no page. */
  private top = 1
  private readonly released: Array<number> = []

  /** Where `locate` found a page: its chunk, and its first byte in that. */
  bytes: Uint8Array = new Uint8Array(0)
  at = 0

  constructor(slab: Slab) {
    this.slab = slab
  }

  /** A new page of at least `bytes`, of undefined contents. */
  create(bytes: number): number {
    const page = this.released.pop() ?? this.top++
    if (page >= this.addresses.length) this.grow()
    this.addresses[page] = this.slab.allocate(bytes)
    this.changes[page] = this.epoch
    this.count++
    return page
  }

  /** Gives the page room for at least `bytes`, keeping its first `kept` bytes; less room than before is fine. */
  resize(page: number, bytes: number, kept: number): void {
    const { slab } = this
    const from = this.addresses[page] as number
    const to = slab.allocate(bytes)
    const start = slab.offsetOf(from)
    const source = slab.chunkOf(from)
    const target = slab.chunkOf(to)
    if (source === target) target.copyWithin(slab.offsetOf(to), start, start + kept)
    else target.set(source.subarray(start, start + kept), slab.offsetOf(to))
    slab.free(from)
    this.addresses[page] = to
    this.changes[page] = this.epoch
  }

  release(page: number): void {
    this.slab.free(this.addresses[page] as number)
    this.addresses[page] = 0
    this.released.push(page)
    this.count--
  }

  /** Points `bytes` and `at` to the page, until the next call of this or that gives a page room. */
  locate(page: number): void {
    const address = this.addresses[page] as number
    this.bytes = this.slab.chunkOf(address)
    this.at = this.slab.offsetOf(address)
  }

  /** Bytes that the page may use where it is. */
  capacity(page: number): number {
    return this.slab.capacityAt(this.addresses[page] as number)
  }

  /** The page's contents change now. */
  touch(page: number): void {
    this.changes[page] = this.epoch
  }

  /** The epoch of the page's last change. */
  changedIn(page: number): number {
    return this.changes[page] as number
  }

  private grow(): void {
    const addresses = new Uint32Array(2 * this.addresses.length)
    addresses.set(this.addresses)
    this.addresses = addresses
    const changes = new Uint32Array(addresses.length)
    changes.set(this.changes)
    this.changes = changes
  }
}
