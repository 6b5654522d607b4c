/**
 * The inner nodes of an `EntryTree`: up to 128 children each, divided by the shortest keys that tell them apart.
 * They are no pages: snapshots leave them out, since the leaves in their order tell them again.
 *
 * A separator is the node's common prefix, four bytes that are compared as one number, and a tail that seldom
 * matters. Separators count as followed by endless zero bytes: no name has one, and a directory's number is as good
 * without its last zeros.
 */
import { copy, putShort, short } from "#domain/state/pages/EntryLeaf.ts"
import { KEY_BYTES_MAX, KeyList } from "#domain/state/pages/KeyList.ts"
import { type Slab, SLOT_BYTES_MAX } from "#domain/state/pages/Slab.ts"

const CHILDREN_MAX = 128
const CHILDREN_MERGED_MAX = 96
const CHILDREN_FEW = 40
const HEAD_BYTES = 4
/** Bytes of all separators of a node: with the bookkeeping they fit a slot even if they have nothing in common. */
const SEPARATORS_BYTES_MAX = SLOT_BYTES_MAX - 3 * CHILDREN_MAX - KEY_BYTES_MAX
/** Nodes share arrays: one apiece would cost memory and the collector's time. */
const GROUP_NODES = 32
const GROUP_SHIFT = 5
const LEVELS_MAX = 12

/** A child, and the key that divides it from the one before. */
interface Divided {
  readonly child: number
  readonly separator: Uint8Array
}

const list = new KeyList()
const text = new Uint8Array(2 * CHILDREN_MAX * KEY_BYTES_MAX)
const separator = new Uint8Array(KEY_BYTES_MAX + HEAD_BYTES)
const nothing: Uint8Array = new Uint8Array(0)

export class EntryBranches {
  private readonly slab: Slab
  /** The root: a node, or in a tree of no height a page, or 0. */
  private root = 0
  private height = 0
  private readonly heads: Array<Uint32Array> = []
  private readonly children: Array<Uint32Array> = []
  private counts = new Uint8Array(GROUP_NODES)
  /** By node: the slot of its prefix and tails. */
  private texts = new Uint32Array(GROUP_NODES)
  private top = 0
  private readonly released: Array<number> = []

  /** The way that `descend` took: the node at each height, and which of its children. */
  readonly nodes = new Int32Array(LEVELS_MAX)
  readonly places = new Int32Array(LEVELS_MAX)

  constructor(slab: Slab) {
    this.slab = slab
  }

  /** The leaf for a key that is followed by zeros; 0 if the tree is empty. */
  descend(key: Uint8Array): number {
    let node = this.root
    for (let level = this.height - 1; level >= 0; level--) {
      const place = this.placeFor(node, key)
      this.nodes[level] = node
      this.places[level] = place
      node = this.childAt(node, place)
    }
    return node
  }

  /** The first leaf; 0 if the tree is empty. */
  first(): number {
    return this.leftmost(this.height, this.root, this.nodes, this.places)
  }

  /** The leaf behind that where a way ends, which goes on to it; 0 if it was the last. */
  next(nodes: Int32Array, places: Int32Array): number {
    for (let level = 0; level < this.height; level++) {
      const node = nodes[level] as number
      const place = (places[level] as number) + 1
      if (place < (this.counts[node] as number)) {
        places[level] = place
        return this.leftmost(level, this.childAt(node, place), nodes, places)
      }
    }
    return 0
  }

  /** The leaf beside that where the way ends, among the children of the same node; 0 if there is none. */
  beside(step: -1 | 1): number {
    if (this.height === 0) return 0
    const node = this.nodes[0] as number
    const place = (this.places[0] as number) + step
    return place < 0 || place >= (this.counts[node] as number) ? 0 : this.childAt(node, place)
  }

  /** The first leaf of a tree. */
  plant(leaf: number): void {
    this.root = leaf
    this.height = 0
  }

  /** Adds a leaf behind that where the way ends. The way is void afterwards. */
  insert(bytes: Uint8Array, from: number, length: number, leaf: number): void {
    this.insertAt(0, bytes, from, length, leaf)
  }

  /** Takes out the leaf where the way ends, or one beside it. The way is void afterwards. */
  remove(step: 0 | 1 | -1): void {
    if (this.height === 0) this.root = 0
    else this.removeAt(0, (this.places[0] as number) + step)
  }

  /** Builds all nodes from the leaves in their order. */
  build(leaves: Iterable<Divided>): void {
    let level = this.group(leaves)
    for (; level.length > 1; this.height++) level = this.group(level)
    const [only] = level
    if (only === undefined) return
    this.root = only.child
    this.height++
    this.lower()
  }

  private insertAt(level: number, bytes: Uint8Array, from: number, length: number, child: number): void {
    if (level === this.height) {
      // The root was split, or was a leaf: a new one above both.
      const root = this.create()
      list.clear()
      list.push(0, nothing, 0, 0, this.root)
      list.push(0, bytes, from, length, child)
      this.pack(root, 0, 2)
      this.root = root
      this.height++
      return
    }
    const node = this.nodes[level] as number
    const place = (this.places[level] as number) + 1
    list.clear()
    this.unpack(node, 0, place)
    list.push(0, bytes, from, length, child)
    this.unpack(node, place, this.counts[node] as number)
    if (fitsNode()) {
      this.pack(node, 0, list.count)
      return
    }
    // Children that come in order leave full nodes behind.
    const cut = place === list.count - 1 ? place : middleOfList()
    const right = this.create()
    // The list is about to serve the parent.
    const divider = list.bytes.slice(list.starts[cut], list.starts[cut + 1])
    this.pack(node, 0, cut)
    this.pack(right, cut, list.count)
    this.insertAt(level + 1, divider, 0, divider.length, right)
  }

  private removeAt(level: number, place: number): void {
    const node = this.nodes[level] as number
    const count = this.counts[node] as number
    if (count > 1) {
      list.clear()
      this.unpack(node, 0, place)
      this.unpack(node, place + 1, count)
      this.pack(node, 0, count - 1)
      if (count - 1 < CHILDREN_FEW) this.mergeAt(level)
      this.lower()
      return
    }
    this.release(node)
    if (level + 1 < this.height) this.removeAt(level + 1, this.places[level + 1] as number)
    else {
      this.root = 0
      this.height = 0
    }
  }

  /** Merges the node where the way passes with one beside it, if both are small. */
  private mergeAt(level: number): void {
    if (level + 1 >= this.height) return
    const parent = this.nodes[level + 1] as number
    const place = this.places[level + 1] as number
    for (const left of [place - 1, place]) {
      if (left < 0 || left + 1 >= (this.counts[parent] as number)) continue
      const one = this.childAt(parent, left)
      const other = this.childAt(parent, left + 1)
      if ((this.counts[one] as number) + (this.counts[other] as number) > CHILDREN_MERGED_MAX) continue
      list.clear()
      this.unpack(one, 0, this.counts[one] as number)
      list.push(0, separator, 0, this.separatorAt(parent, left + 1), this.childAt(other, 0))
      this.unpack(other, 1, this.counts[other] as number)
      if (!fitsNode()) continue
      this.pack(one, 0, list.count)
      this.release(other)
      this.removeAt(level + 1, left + 1)
      return
    }
  }

  /** A root of one child gives way to it. */
  private lower(): void {
    while (this.height > 0 && this.counts[this.root] === 1) {
      const child = this.childAt(this.root, 0)
      this.release(this.root)
      this.root = child
      this.height--
    }
  }

  /** The last child whose separator is not behind the key. */
  private placeFor(node: number, key: Uint8Array): number {
    const count = this.counts[node] as number
    const address = this.texts[node] as number
    const bytes = this.slab.chunkOf(address)
    const at = this.slab.offsetOf(address)
    const prefix = short(bytes, at)
    for (let i = 0; i < prefix; i++) {
      const byte = bytes[at + 2 + i] as number
      if (byte !== key[i]) return (key[i] as number) < byte ? 0 : count - 1
    }
    const head = (((key[prefix] as number) << 24) | ((key[prefix + 1] as number) << 16) |
      ((key[prefix + 2] as number) << 8) | (key[prefix + 3] as number)) >>> 0
    const heads = this.heads[node >>> GROUP_SHIFT] as Uint32Array
    const base = (node & (GROUP_NODES - 1)) * CHILDREN_MAX
    let low = 1
    let high = count
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = heads[base + middle] as number
      if (other < head || (other === head && tailIsWithin(bytes, at, prefix, count, middle, key))) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  private childAt(node: number, place: number): number {
    const group = this.children[node >>> GROUP_SHIFT] as Uint32Array
    return group[(node & (GROUP_NODES - 1)) * CHILDREN_MAX + place] as number
  }

  private leftmost(height: number, from: number, nodes: Int32Array, places: Int32Array): number {
    let node = from
    for (let level = height - 1; level >= 0; level--) {
      nodes[level] = node
      places[level] = 0
      node = this.childAt(node, 0)
    }
    return node
  }

  /** Writes a separator into `separator`, without the zeros at its end; answers its length. */
  private separatorAt(node: number, place: number): number {
    const address = this.texts[node] as number
    const bytes = this.slab.chunkOf(address)
    const at = this.slab.offsetOf(address)
    const prefix = short(bytes, at)
    const group = this.heads[node >>> GROUP_SHIFT] as Uint32Array
    const head = group[(node & (GROUP_NODES - 1)) * CHILDREN_MAX + place] as number
    copy(separator, 0, bytes, at + 2, prefix)
    for (let i = 0; i < HEAD_BYTES; i++) separator[prefix + i] = head >>> (24 - 8 * i)
    const ends = at + 2 + prefix
    const tails = ends + 2 * ((this.counts[node] as number) - 1)
    const start = place === 1 ? 0 : short(bytes, ends + 2 * (place - 2))
    const tail = short(bytes, ends + 2 * (place - 1)) - start
    let length = copy(separator, prefix + HEAD_BYTES, bytes, tails + start, tail)
    while (length > 0 && separator[length - 1] === 0) length--
    return length
  }

  /** Adds children to the list; the first of a node has no separator of its own. */
  private unpack(node: number, from: number, to: number): void {
    for (let place = from; place < to; place++) {
      const length = place === 0 ? 0 : this.separatorAt(node, place)
      list.push(0, separator, 0, length, this.childAt(node, place))
    }
  }

  /** Makes a node of the list's keys `from` to `to`. */
  private pack(node: number, from: number, to: number): void {
    const heads = this.heads[node >>> GROUP_SHIFT] as Uint32Array
    const children = this.children[node >>> GROUP_SHIFT] as Uint32Array
    const base = (node & (GROUP_NODES - 1)) * CHILDREN_MAX
    const prefix = to - from < 2 ? 0 : list.sharedOf(from + 1, to - 1, 0)
    const ends = 2 + prefix
    const tails = ends + 2 * (to - from - 1)
    putShort(text, 0, prefix)
    copy(text, 2, list.bytes, list.starts[Math.min(from + 1, to - 1)] as number, prefix)
    let end = tails
    for (let place = from; place < to; place++) {
      children[base + place - from] = list.numbers[place] as number
      if (place === from) continue
      const start = (list.starts[place] as number) + prefix
      const stop = list.starts[place + 1] as number
      let head = 0
      for (let i = 0; i < HEAD_BYTES; i++) head = (head << 8) | (start + i < stop ? list.bytes[start + i] as number : 0)
      heads[base + place - from] = head
      if (start + HEAD_BYTES < stop) {
        end = copy(text, end, list.bytes, start + HEAD_BYTES, stop - start - HEAD_BYTES)
      }
      putShort(text, ends + 2 * (place - from - 1), end - tails)
    }
    this.counts[node] = to - from
    this.keepText(node, end)
  }

  private keepText(node: number, length: number): void {
    const { slab } = this
    if (this.texts[node] !== 0) slab.free(this.texts[node] as number)
    const address = slab.allocate(length)
    copy(slab.chunkOf(address), slab.offsetOf(address), text, 0, length)
    this.texts[node] = address
  }

  private create(): number {
    const node = this.released.pop() ?? this.top++
    if (node === GROUP_NODES * this.heads.length) {
      this.heads.push(new Uint32Array(GROUP_NODES * CHILDREN_MAX))
      this.children.push(new Uint32Array(GROUP_NODES * CHILDREN_MAX))
    }
    if (node >= this.counts.length) this.grow()
    return node
  }

  private grow(): void {
    const counts = new Uint8Array(2 * this.counts.length)
    counts.set(this.counts)
    this.counts = counts
    const texts = new Uint32Array(counts.length)
    texts.set(this.texts)
    this.texts = texts
  }

  private release(node: number): void {
    this.slab.free(this.texts[node] as number)
    this.texts[node] = 0
    this.released.push(node)
  }

  /** Packs children into full nodes. */
  private group(children: Iterable<Divided>): Array<Divided> {
    const nodes: Array<Divided> = []
    let first = nothing
    list.clear()
    const flush = (): void => {
      const node = this.create()
      this.pack(node, 0, list.count)
      nodes.push({ child: node, separator: first })
      list.clear()
    }
    for (const { child, separator } of children) {
      const bytes = list.starts[list.count] as number
      if (list.count === CHILDREN_MAX || bytes + separator.length > SEPARATORS_BYTES_MAX) flush()
      if (list.count === 0) first = separator
      list.push(0, separator, 0, list.count === 0 ? 0 : separator.length, child)
    }
    if (list.count > 0) flush()
    return nodes
  }
}

/** Whether the tail of a separator is not behind the key's. */
const tailIsWithin = (
  bytes: Uint8Array,
  at: number,
  prefix: number,
  count: number,
  place: number,
  key: Uint8Array
): boolean => {
  const ends = at + 2 + prefix
  const tails = ends + 2 * (count - 1)
  const start = place === 1 ? 0 : short(bytes, ends + 2 * (place - 2))
  const length = short(bytes, ends + 2 * (place - 1)) - start
  const from = prefix + HEAD_BYTES
  for (let i = 0; i < length; i++) {
    const byte = bytes[tails + start + i] as number
    if (byte !== key[from + i]) return byte < (key[from + i] as number)
  }
  return true
}

/** Whether the list is a node's worth. */
const fitsNode = (): boolean =>
  list.count <= CHILDREN_MAX && (list.starts[list.count] as number) <= SEPARATORS_BYTES_MAX

/** Where the list is cut into two of about as many bytes. */
const middleOfList = (): number => {
  const half = (list.starts[list.count] as number) / 2
  let cut = 1
  while (cut < list.count - 1 && (list.starts[cut] as number) < half) cut++
  return cut
}
