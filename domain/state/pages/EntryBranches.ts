/**
 * The inner nodes of an `EntryTree`: up to 128 children each, divided by the shortest keys that tell them apart. Every
 * node is a page:
 *
 *     children 1 | 0 1 | prefix length 2 | length 2 | 0 2 | heads, 4 each | children, 4 each | prefix
 *     where the tail of each separator ends 2 | tails
 *
 * A separator is the node's common prefix, four bytes that are compared as one number, and a tail that seldom
 * matters; the first child has none. Separators count as followed by endless zero bytes: no name has one, and a
 * directory's number is as good without its last zeros. Numbers are little-endian, as the machine's are.
 */
import { copy, putShort, short } from "#domain/state/pages/EntryLeaf.ts"
import { KEY_BYTES_MAX, KeyList } from "#domain/state/pages/KeyList.ts"
import { PageKind, type Pages } from "#domain/state/pages/Pages.ts"
import { capacityFor, SLOT_BYTES_MAX } from "#domain/state/pages/Slab.ts"

const CHILDREN_MAX = 128
const CHILDREN_MERGED_MAX = 96
const CHILDREN_FEW = 40
const HEAD_BYTES = 4
const HEADER_BYTES = 8
const HEADER_WORDS = HEADER_BYTES / 4
/** Bytes of all separators of a node: with the bookkeeping they fit a slot even if they have nothing in common. */
const SEPARATORS_BYTES_MAX = SLOT_BYTES_MAX - HEADER_BYTES - 11 * CHILDREN_MAX - KEY_BYTES_MAX
/** Of a node that is changed where it lies, with what a child costs there besides its tail. */
const SPLICED_BYTES_MAX = 4096
const CHILD_BYTES = 4 + HEAD_BYTES + 2
const LEVELS_MAX = 12

export const lengthOf = (bytes: Uint8Array, at: number): number => short(bytes, at + 4)
const countOf = (bytes: Uint8Array, at: number): number => bytes[at] as number
/** Where the node's prefix is. */
const prefixAt = (at: number, count: number): number => at + HEADER_BYTES + 8 * count

const list = new KeyList()
const packed = new Uint8Array(SLOT_BYTES_MAX + CHILDREN_MAX * KEY_BYTES_MAX)
const packedWords = new Uint32Array(packed.buffer, 0, HEADER_WORDS + 2 * CHILDREN_MAX)
const separator = new Uint8Array(KEY_BYTES_MAX + HEAD_BYTES)
const nothing: Uint8Array = new Uint8Array(0)

export class EntryBranches {
  private readonly pages: Pages
  /** The root: a node, or in a tree of no height a leaf, or 0. */
  root = 0
  height = 0

  /** The way that `descend` took: the node at each height, and which of its children. */
  readonly nodes = new Int32Array(LEVELS_MAX)
  readonly places = new Int32Array(LEVELS_MAX)

  constructor(pages: Pages) {
    this.pages = pages
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
      if (place < this.countOf(node)) {
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
    return place < 0 || place >= this.countOf(node) ? 0 : this.childAt(node, place)
  }

  /** Looks at the nodes beside the way, which taking out a leaf may merge: where one is absent it is asked for. */
  warmBeside(): void {
    for (let level = 1; level < this.height; level++) {
      const node = this.nodes[level] as number
      const place = this.places[level] as number
      const count = this.countOf(node)
      if (place > 0) this.countOf(this.childAt(node, place - 1))
      if (place + 1 < count) this.countOf(this.childAt(node, place + 1))
    }
  }

  /** Writes the separator behind the leaf where the way ends; answers its length, 0 if that leaf is the last. */
  bound(key: Uint8Array): number {
    for (let level = 0; level < this.height; level++) {
      const node = this.nodes[level] as number
      const place = (this.places[level] as number) + 1
      if (place < this.countOf(node)) return copy(key, 0, separator, 0, this.separatorAt(node, place))
    }
    return 0
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

  private insertAt(level: number, bytes: Uint8Array, from: number, length: number, child: number): void {
    if (level === this.height) {
      // The root was split, or was a leaf: a new one above both.
      list.clear()
      list.push(0, nothing, 0, 0, this.root)
      list.push(0, bytes, from, length, child)
      this.root = this.create(0, 2)
      this.height++
      return
    }
    const node = this.nodes[level] as number
    const place = (this.places[level] as number) + 1
    if (this.splice(node, place, bytes, from, length, child)) return
    list.clear()
    this.unpack(node, 0, place)
    list.push(0, bytes, from, length, child)
    this.unpack(node, place, this.countOf(node))
    if (fitsNode()) {
      this.pack(node, 0, list.count)
      return
    }
    // Children that come in order leave full nodes behind.
    const cut = place === list.count - 1 ? place : middleOfList()
    // The list is about to serve the parent.
    const divider = list.bytes.slice(list.starts[cut], list.starts[cut + 1])
    this.pack(node, 0, cut)
    const right = this.create(cut, list.count)
    this.insertAt(level + 1, divider, 0, divider.length, right)
  }

  /** Adds a child without taking the node apart, if it has room and the separator begins with its prefix. */
  private splice(
    node: number,
    place: number,
    bytes: Uint8Array,
    from: number,
    length: number,
    child: number
  ): boolean {
    const { pages, pages: { slab } } = this
    const address = pages.addressOf(node)
    const old = slab.chunkOf(address)
    const at = slab.offsetOf(address)
    const count = countOf(old, at)
    const prefix = short(old, at + 2)
    const tail = Math.max(0, length - prefix - HEAD_BYTES)
    const size = lengthOf(old, at) + CHILD_BYTES + tail
    if (count < 2 || count === CHILDREN_MAX || length < prefix || size > SPLICED_BYTES_MAX) return false
    const text = prefixAt(at, count)
    for (let i = 0; i < prefix; i++) if (old[text + i] !== bytes[from + i]) return false
    const words = slab.wordsOf(address)
    const heads = (at >>> 2) + HEADER_WORDS
    const children = HEADER_WORDS + count + 1
    packedWords.set(words.subarray(heads, heads + place), HEADER_WORDS)
    packedWords[HEADER_WORDS + place] = headOf(bytes, from + prefix, from + length)
    packedWords.set(words.subarray(heads + place, heads + count + place), HEADER_WORDS + place + 1)
    packedWords[children + place] = child
    packedWords.set(words.subarray(heads + count + place, heads + 2 * count), children + place + 1)
    let end = copy(packed, prefixAt(0, count + 1), old, text, prefix)
    const ends = text + prefix
    const tails = ends + 2 * (count - 1)
    const start = place === 1 ? 0 : short(old, ends + 2 * (place - 2))
    for (let i = 1; i <= count; i++) {
      const before = i < place ? short(old, ends + 2 * (i - 1)) : i === place ? start : short(old, ends + 2 * (i - 2))
      putShort(packed, end, i < place ? before : before + tail)
      end += 2
    }
    end = copy(packed, end, old, tails, start)
    end = copy(packed, end, bytes, from + prefix + HEAD_BYTES, tail)
    copy(packed, end, old, tails + start, at + lengthOf(old, at) - tails - start)
    packed.fill(0, 0, HEADER_BYTES)
    packed[0] = count + 1
    putShort(packed, 2, prefix)
    putShort(packed, 4, size)
    this.fit(node, size)
    return true
  }

  private removeAt(level: number, place: number): void {
    const node = this.nodes[level] as number
    const count = this.countOf(node)
    if (count > 1) {
      list.clear()
      this.unpack(node, 0, place)
      this.unpack(node, place + 1, count)
      this.pack(node, 0, count - 1)
      if (count - 1 < CHILDREN_FEW) this.mergeAt(level)
      this.lower()
      return
    }
    this.pages.release(node)
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
      if (left < 0 || left + 1 >= this.countOf(parent)) continue
      const one = this.childAt(parent, left)
      const other = this.childAt(parent, left + 1)
      if (this.countOf(one) + this.countOf(other) > CHILDREN_MERGED_MAX) continue
      list.clear()
      this.unpack(one, 0, this.countOf(one))
      list.push(0, separator, 0, this.separatorAt(parent, left + 1), this.childAt(other, 0))
      this.unpack(other, 1, this.countOf(other))
      if (!fitsNode()) continue
      this.pack(one, 0, list.count)
      this.pages.release(other)
      this.removeAt(level + 1, left + 1)
      return
    }
  }

  /** A root of one child gives way to it. */
  private lower(): void {
    while (this.height > 0 && this.countOf(this.root) === 1) {
      const child = this.childAt(this.root, 0)
      this.pages.release(this.root)
      this.root = child
      this.height--
    }
  }

  /** The last child whose separator is not behind the key. */
  private placeFor(node: number, key: Uint8Array): number {
    const { pages, pages: { slab } } = this
    const address = pages.addressOf(node)
    const bytes = slab.chunkOf(address)
    const at = slab.offsetOf(address)
    const count = countOf(bytes, at)
    const prefix = short(bytes, at + 2)
    const start = prefixAt(at, count)
    for (let i = 0; i < prefix; i++) {
      const byte = bytes[start + i] as number
      if (byte !== key[i]) return (key[i] as number) < byte ? 0 : count - 1
    }
    const head = (((key[prefix] as number) << 24) | ((key[prefix + 1] as number) << 16) |
      ((key[prefix + 2] as number) << 8) | (key[prefix + 3] as number)) >>> 0
    const words = slab.wordsOf(address)
    const base = (at >>> 2) + HEADER_WORDS
    let low = 1
    let high = count
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = words[base + middle] as number
      if (other < head || (other === head && tailIsWithin(bytes, start, prefix, count, middle, key))) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  private countOf(node: number): number {
    const address = this.pages.addressOf(node)
    return countOf(this.pages.slab.chunkOf(address), this.pages.slab.offsetOf(address))
  }

  private childAt(node: number, place: number): number {
    const { pages, pages: { slab } } = this
    const address = pages.addressOf(node)
    const at = slab.offsetOf(address)
    const count = countOf(slab.chunkOf(address), at)
    return slab.wordsOf(address)[(at >>> 2) + HEADER_WORDS + count + place] as number
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
    const { pages, pages: { slab } } = this
    const address = pages.addressOf(node)
    const bytes = slab.chunkOf(address)
    const at = slab.offsetOf(address)
    const count = countOf(bytes, at)
    const prefix = short(bytes, at + 2)
    const head = slab.wordsOf(address)[(at >>> 2) + HEADER_WORDS + place] as number
    copy(separator, 0, bytes, prefixAt(at, count), prefix)
    for (let i = 0; i < HEAD_BYTES; i++) separator[prefix + i] = head >>> (24 - 8 * i)
    const ends = prefixAt(at, count) + prefix
    const tails = ends + 2 * (count - 1)
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
    this.fit(node, written(from, to))
  }

  /** Gives a node the first `length` bytes of `packed`. */
  private fit(node: number, length: number): void {
    const { pages } = this
    if (capacityFor(length) === pages.capacity(node)) pages.touch(node)
    else pages.resize(node, length, 0)
    this.put(node, length)
  }

  /** A new node of the list's keys `from` to `to`. */
  private create(from: number, to: number): number {
    const length = written(from, to)
    const node = this.pages.create(length, PageKind.entryBranch)
    this.put(node, length)
    return node
  }

  private put(node: number, length: number): void {
    const { slab } = this.pages
    const address = this.pages.addressOf(node)
    copy(slab.chunkOf(address), slab.offsetOf(address), packed, 0, length)
  }
}

/** The first bytes of a separator behind the prefix, as a number. */
const headOf = (bytes: Uint8Array, start: number, stop: number): number => {
  let head = 0
  for (let i = 0; i < HEAD_BYTES; i++) head = (head << 8) | (start + i < stop ? bytes[start + i] as number : 0)
  return head
}

/** Writes a node of the list's keys `from` to `to` to `packed`, and answers its bytes. */
const written = (from: number, to: number): number => {
  const count = to - from
  const prefix = count < 2 ? 0 : list.sharedOf(from + 1, to - 1, 0)
  const text = prefixAt(0, count)
  const ends = text + prefix
  const tails = ends + 2 * (count - 1)
  packed.fill(0, 0, HEADER_BYTES)
  packed[0] = count
  putShort(packed, 2, prefix)
  copy(packed, text, list.bytes, list.starts[Math.min(from + 1, to - 1)] as number, prefix)
  packedWords[HEADER_WORDS] = 0
  let end = tails
  for (let place = from; place < to; place++) {
    const index = HEADER_WORDS + place - from
    packedWords[index + count] = list.numbers[place] as number
    if (place === from) continue
    const start = (list.starts[place] as number) + prefix
    const stop = list.starts[place + 1] as number
    packedWords[index] = headOf(list.bytes, start, stop)
    if (start + HEAD_BYTES < stop) {
      end = copy(packed, end, list.bytes, start + HEAD_BYTES, stop - start - HEAD_BYTES)
    }
    putShort(packed, ends + 2 * (place - from - 1), end - tails)
  }
  putShort(packed, 4, end)
  return end
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
  const ends = at + prefix
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
