/**
 * All directory entries of one zone, ordered by directory and name: a B+ tree whose leaves are front-coded pages,
 * read and changed where they lie. What a leaf looks like is in `EntryLeaf.ts`, the inner nodes are `EntryBranches`.
 * It knows no types and no attributes; an inode is its number.
 */
import type { ByteString } from "#domain/ByteString.ts"
import { EntryBranches } from "#domain/state/pages/EntryBranches.ts"
import {
  copy,
  countOf,
  edge,
  HEADER_BYTES,
  intervalsOf,
  lastOf,
  LeafReader,
  lengthOf,
  middleOf,
  part,
  prefixOf,
  putTogether,
  readFollowing,
  RECORDS_MAX,
  separatorAt,
  separatorOf,
  streakOf,
  takeApart
} from "#domain/state/pages/EntryLeaf.ts"
import { Finger, LeafCursor } from "#domain/state/pages/EntryLeafCursor.ts"
import { isFull, LeafEditor } from "#domain/state/pages/EntryLeafEditor.ts"
import { DIRECTORY_BYTES, KEY_BYTES_MAX, KeyList } from "#domain/state/pages/KeyList.ts"
import { PageKind, type Pages } from "#domain/state/pages/Pages.ts"
import { capacityFor, SLOT_BYTES_MAX } from "#domain/state/pages/Slab.ts"

/** A run of so many insertions, each right behind the one before, is expected to go on. */
const STREAK_RECORDS = 8
/** What a leaf that nobody has looked into is taken to have. */
const RECORDS_USUAL = 64
/** A leaf of fewer records looks for a neighbour to merge with, if both have no more than the other two say. */
const RECORDS_FEW = 43
const RECORDS_MERGED_MAX = 96
const BYTES_MERGED_MAX = SLOT_BYTES_MAX / 2

const HIGH = 2 ** 32

/** Scratch of the rare work. */
const list = new KeyList()
const written = new Uint8Array((RECORDS_MAX + 1) * (KEY_BYTES_MAX + 16))
const nothing = new Uint8Array(0)

export interface EntryRoots {
  /** The page of the root, 0 for none, and how many levels of branches there are. */
  readonly root: number
  readonly height: number
  readonly entries: number
}

export class EntryTree {
  private readonly pages: Pages
  private readonly branches: EntryBranches
  private readonly cursor = new LeafCursor()
  private readonly editor: LeafEditor
  /** The key that is looked for, and zeros behind it. */
  private key = Buffer.alloc(KEY_BYTES_MAX + 4)
  private length = 0
  /** Where the entry that was added last is, and its key, while nothing else has changed the tree. */
  private readonly finger = new Finger()
  private last = Buffer.alloc(KEY_BYTES_MAX + 4)
  /** The separator behind the finger's leaf; of length 0 if that is the last leaf, -1 while it is not known. */
  private readonly bound = new Uint8Array(KEY_BYTES_MAX + 4)
  private boundLength = -1
  /** The entry that `get` missed last and the leaf where it would be, 0 once something else was looked for or done. */
  private missedLeaf = 0
  private missedAt = 0
  private missedDirectory = 0
  private missedName: ByteString = ""
  private entries = 0

  constructor(pages: Pages) {
    this.pages = pages
    this.branches = new EntryBranches(pages)
    this.editor = new LeafEditor(pages, this.cursor)
  }

  /** What finds all leaves again. */
  get roots(): EntryRoots {
    return { root: this.branches.root, height: this.branches.height, entries: this.entries }
  }

  /** Takes back what `roots` was. */
  open({ entries, height, root }: EntryRoots): void {
    this.branches.root = root
    this.branches.height = height
    this.missedLeaf = 0
    this.entries = entries
  }

  /** Looks at all pages that a change of the entry may meet: where one is absent it is asked for. */
  warm(directory: number, name: ByteString): void {
    const { branches, pages } = this
    this.writeKey(directory, name)
    const leaf = branches.descend(this.key)
    if (leaf === 0) return
    pages.addressOf(leaf)
    for (const step of [-1, 1] as const) {
      const beside = branches.beside(step)
      if (beside !== 0) pages.addressOf(beside)
    }
    branches.warmBeside()
  }

  /** Entries of all directories. */
  get size(): number {
    return this.entries
  }

  /** The inode that a name points to, 0 if there is no such entry. */
  get(directory: number, name: ByteString): number {
    const { branches, pages } = this
    this.length = this.writeKey(directory, name)
    const leaf = branches.descend(this.key)
    if (leaf === 0) return 0
    if (this.seek(leaf, this.length)) return this.foundInode()
    this.missedLeaf = leaf
    this.missedAt = pages.at
    this.missedDirectory = directory
    this.missedName = name
    return 0
  }

  /** Adds an entry, or points an existing one to another inode; answers the inode it had, or 0. */
  set(directory: number, name: ByteString, inode: number): number {
    this.aim(directory, name)
    return this.put(inode)
  }

  /** Says which entry the next `put` is about. Right behind a `get` that missed it, its place is known. */
  aim(directory: number, name: ByteString): void {
    if (this.missedLeaf !== 0 && directory === this.missedDirectory && name === this.missedName) return
    this.length = this.writeKey(directory, name)
  }

  /** The same of a name that is bytes: the first `length` of those given. */
  aimBytes(directory: number, name: Uint8Array, length: number): void {
    this.missedLeaf = 0
    putDirectory(this.key, directory)
    this.length = this.endKey(copy(this.key, DIRECTORY_BYTES, name, 0, length))
  }

  /** `set` of the entry that `aim` named. */
  put(inode: number): number {
    const { branches, editor, finger, key, length } = this
    const missed = this.missedLeaf
    this.missedLeaf = 0
    if (missed !== 0 && this.isWhereItWas(missed)) {
      this.entries++
      finger.leaf = 0
      this.insertInto(missed, inode)
      return 0
    }
    if (this.goesOn()) {
      this.entries++
      this.insert(finger.leaf, editor.place(), inode)
      return 0
    }
    finger.leaf = 0
    const leaf = branches.descend(key)
    if (leaf !== 0 && this.seek(leaf, length)) {
      const before = this.foundInode()
      if (before !== inode) editor.replace(leaf, inode)
      return before
    }
    this.entries++
    if (leaf === 0) {
      branches.plant(this.lone(length, inode, 0))
      return 0
    }
    this.insertInto(leaf, inode)
    return 0
  }

  /** Locates the leaf that a `get` met; whether what the cursor tells of it is still so. */
  private isWhereItWas(leaf: number): boolean {
    const { pages } = this
    if (pages.isAbsent(leaf)) return false
    pages.locate(leaf)
    return pages.at === this.missedAt
  }

  /** Adds the key to the leaf where the way ends and the cursor is. */
  private insertInto(leaf: number, inode: number): void {
    const { branches, editor, key, length, pages } = this
    const place = editor.place()
    this.boundLength = -1
    if (place === countOf(pages.bytes, pages.at)) {
      this.boundLength = branches.bound(this.bound)
      pages.locate(leaf)
    }
    if (this.insert(leaf, place, inode) || this.insertApart(leaf, place, inode)) return
    const half = branches.descend(key)
    this.seek(half, length)
    this.insertInto(half, inode)
  }

  private insert(leaf: number, place: number, inode: number): boolean {
    const { editor, finger, key, last, length } = this
    if (!editor.insert(leaf, place, key, length, inode, finger)) return false
    this.key = last
    this.last = key
    return true
  }

  /** Whether the key belongs into the finger's leaf behind it, and can go there. The cursor is at its place then. */
  private goesOn(): boolean {
    const { cursor, finger, key, last, length, pages } = this
    // The leaf need not be the key's: that it is absent is no reason to ask for it.
    if (finger.leaf === 0 || pages.isAbsent(finger.leaf)) return false
    let shared = 0
    while (shared < length && key[shared] === last[shared]) shared++
    if ((key[shared] as number) <= (last[shared] as number)) return false
    pages.locate(finger.leaf)
    const { at, bytes } = pages
    if (shared < prefixOf(bytes, at) || isFull(lengthOf(bytes, at), countOf(bytes, at))) return false
    if (cursor.seekOn(bytes, at, finger, key, length, shared)) return false
    if (cursor.isBefore) return true
    return cursor.isBeforeNext(bytes, at, key) && (cursor.interval + 1 < intervalsOf(bytes, at) || this.isInBound())
  }

  /** Whether the key comes before the next leaf. */
  private isInBound(): boolean {
    const { bound, boundLength, key } = this
    if (boundLength <= 0) return boundLength === 0
    for (let i = 0; i < boundLength; i++) {
      if (key[i] !== bound[i]) return (key[i] as number) < (bound[i] as number)
    }
    return false
  }

  /** Takes out an entry; answers the inode it had, or 0. */
  delete(directory: number, name: ByteString): number {
    const length = this.writeKey(directory, name)
    const leaf = this.branches.descend(this.key)
    if (leaf === 0 || !this.seek(leaf, length)) return 0
    const inode = this.foundInode()
    this.finger.leaf = 0
    this.entries--
    this.editor.delete(leaf)
    this.mergeWhereFew(leaf)
    return inode
  }

  isEmpty(directory: number): boolean {
    let empty = true
    this.walk(directory, "", () => empty = false)
    return empty
  }

  /**
   * Visits a directory's names in byte order, strictly after `after` ("" from the start), until `visit` answers
   * false. It may read the tree, but not change it.
   */
  walk(directory: number, after: ByteString, visit: (name: ByteString, inode: number) => boolean): void {
    const { branches, cursor, pages } = this
    const length = this.writeKey(directory, after)
    let leaf = branches.descend(this.key)
    if (leaf === 0) return
    const nodes = branches.nodes.slice()
    const places = branches.places.slice()
    const found = this.seek(leaf, length)
    let interval = cursor.outside === 0 ? cursor.interval : 0
    let skipped = cursor.outside === 0 ? cursor.within + (found ? 1 : 0) : 0
    if (cursor.outside > 0) leaf = branches.next(nodes, places)
    const text = Buffer.from(this.key)
    const reader = new LeafReader()
    for (; leaf !== 0; leaf = branches.next(nodes, places)) {
      pages.locate(leaf)
      const { at, bytes } = pages
      const prefix = prefixOf(bytes, at)
      copy(text, 0, bytes, at + HEADER_BYTES, prefix)
      reader.open(bytes, at, interval)
      while (reader.next()) {
        const end = copy(text, prefix + reader.shared, bytes, reader.suffixAt, reader.suffix)
        if (skipped-- > 0) continue
        // From the place on there are names of this directory, then others.
        if (!belongsTo(text, directory) || !visit(text.latin1Slice(DIRECTORY_BYTES, end), reader.inode)) return
      }
      interval = 0
      skipped = 0
    }
  }

  /** Absent leaves among those that a walk of so many entries from `after` on is about to meet. */
  absentAhead(directory: number, after: ByteString, entries: number): Array<number> {
    const { branches, pages } = this
    // Where the next directory begins.
    this.writeKey(directory + 1, "")
    const end = branches.descend(this.key)
    this.writeKey(directory, after)
    const absent: Array<number> = []
    let leaf = branches.descend(this.key)
    const nodes = branches.nodes.slice()
    const places = branches.places.slice()
    for (let left = entries; leaf !== 0 && left > 0; leaf = leaf === end ? 0 : branches.next(nodes, places)) {
      if (pages.isHere(leaf)) {
        pages.locate(leaf)
        left -= countOf(pages.bytes, pages.at)
      } else {
        absent.push(leaf)
        left -= RECORDS_USUAL
      }
    }
    return absent
  }

  /** The pages of the leaves in their order. The tree may not change meanwhile. */
  *leaves(): Generator<number, void> {
    const { branches } = this
    let leaf = branches.first()
    const nodes = branches.nodes.slice()
    const places = branches.places.slice()
    for (; leaf !== 0; leaf = branches.next(nodes, places)) yield leaf
  }

  private writeKey(directory: number, name: ByteString): number {
    const { key } = this
    this.missedLeaf = 0
    putDirectory(key, directory)
    key.latin1Write(name, DIRECTORY_BYTES)
    return this.endKey(DIRECTORY_BYTES + name.length)
  }

  private endKey(length: number): number {
    const { key } = this
    key[length] = 0
    key[length + 1] = 0
    key[length + 2] = 0
    key[length + 3] = 0
    return length
  }

  /** Looks for the key in a leaf, which is located then. */
  private seek(leaf: number, length: number): boolean {
    const { pages } = this
    pages.locate(leaf)
    return this.cursor.seek(pages.bytes, pages.at, this.key, length)
  }

  private foundInode(): number {
    const { cursor } = this
    return readFollowing(this.pages.bytes, cursor.suffixAt + cursor.suffix, cursor.before)
  }

  /** A new leaf of the key alone. */
  private lone(length: number, inode: number, streak: number): number {
    list.clear()
    list.push(0, this.key, 0, length, inode)
    return this.create(putTogether(written, list, 0, 1, 0, streak))
  }

  /** Adds the key to a leaf that is full, or whose prefix it lacks; false if the leaf was divided instead. */
  private insertApart(leaf: number, place: number, inode: number): boolean {
    const { branches, cursor, editor, key, length, pages: { at, bytes } } = this
    const streak = editor.streakFor(place)
    const count = countOf(bytes, at)
    const isRun = streak >= STREAK_RECORDS
    if (isFull(lengthOf(bytes, at), count)) {
      // A run leaves full pages behind.
      if (isRun && place === count) {
        const shared = cursor.prefix + (cursor.outside === 0 ? cursor.below : 0)
        branches.insert(key, 0, shared + 1, this.lone(length, inode, streak))
        return true
      }
      // It goes on at the end of the first of two leaves, unless one of them may be too large for its page.
      const isRunHere = isRun && place > 0 && lengthOf(bytes, at) < SLOT_BYTES_MAX / 2
      this.divide(leaf, isRunHere ? place : middleOf(bytes, at), isRunHere)
      return false
    }
    list.clear()
    takeApart(bytes, at, list, place, key, length, inode)
    const size = putTogether(written, list, 0, list.count, place, streak)
    if (isFull(size, count)) {
      this.divide(leaf, middleOf(bytes, at), false)
      return false
    }
    this.rewrite(leaf, size)
    return true
  }

  /** Gives a leaf's records from `cut` on to a new leaf; the key that is put stays with the first half if `isKeyFirst`. */
  private divide(leaf: number, cut: number, isKeyFirst: boolean): void {
    const { branches, key, length, pages } = this
    const { at, bytes } = pages
    const count = countOf(bytes, at)
    const last = lastOf(bytes, at)
    const streak = streakOf(bytes, at)
    const isFirst = last < cut
    const size = part(written, bytes, at, cut, count, isFirst ? 0 : last - cut, isFirst ? 0 : streak)
    const right = this.create(size)
    pages.locate(leaf)
    const kept = part(written, pages.bytes, pages.at, 0, cut, isFirst ? last : 0, isFirst ? streak : 0)
    const separator = isKeyFirst
      ? separatorOf(pages.bytes, pages.at, cut, key, length)
      : separatorAt(pages.bytes, pages.at, cut)
    this.rewrite(leaf, kept)
    branches.insert(edge, 0, separator, right)
  }

  /** Releases a leaf that is empty, and merges one of few entries with a neighbour that has few too. */
  private mergeWhereFew(leaf: number): void {
    const { branches, pages } = this
    const count = countOf(pages.bytes, pages.at)
    if (count >= RECORDS_FEW) return
    if (count === 0) {
      branches.remove(0)
      pages.release(leaf)
      return
    }
    const right = branches.beside(1)
    if (right !== 0 && this.fitTogether(leaf, right)) {
      this.merge(leaf, right, 1)
      return
    }
    const left = branches.beside(-1)
    if (left !== 0 && this.fitTogether(left, leaf)) this.merge(left, leaf, 0)
  }

  private fitTogether(left: number, right: number): boolean {
    const { pages } = this
    pages.locate(left)
    const count = countOf(pages.bytes, pages.at)
    const length = lengthOf(pages.bytes, pages.at)
    pages.locate(right)
    return count + countOf(pages.bytes, pages.at) <= RECORDS_MERGED_MAX &&
      length + lengthOf(pages.bytes, pages.at) <= BYTES_MERGED_MAX
  }

  private merge(left: number, right: number, step: 0 | 1): void {
    const { branches, pages } = this
    list.clear()
    pages.locate(left)
    takeApart(pages.bytes, pages.at, list, -1, nothing, 0, 0)
    pages.locate(right)
    takeApart(pages.bytes, pages.at, list, -1, nothing, 0, 0)
    this.rewrite(left, putTogether(written, list, 0, list.count, 0, 0))
    pages.release(right)
    branches.remove(step)
  }

  /** A page of the first bytes of `written`. */
  private create(size: number): number {
    const { pages } = this
    const page = pages.create(size, PageKind.entryLeaf)
    pages.locate(page)
    copy(pages.bytes, pages.at, written, 0, size)
    return page
  }

  private rewrite(page: number, size: number): void {
    const { pages } = this
    if (capacityFor(size) === pages.capacity(page)) pages.touch(page)
    else pages.resize(page, size, 0)
    pages.locate(page)
    copy(pages.bytes, pages.at, written, 0, size)
  }
}

const putDirectory = (key: Uint8Array, directory: number): void => {
  const high = Math.floor(directory / HIGH)
  const low = directory >>> 0
  key[0] = high >>> 16
  key[1] = high >>> 8
  key[2] = high
  key[3] = low >>> 24
  key[4] = low >>> 16
  key[5] = low >>> 8
  key[6] = low
}

const belongsTo = (key: Uint8Array, directory: number): boolean => {
  const low = directory >>> 0
  if (key[6] !== (low & 255) || key[5] !== ((low >>> 8) & 255)) return false
  const high = Math.floor(directory / HIGH)
  return key[4] === ((low >>> 16) & 255) && key[3] === low >>> 24 && key[2] === (high & 255) &&
    key[1] === ((high >>> 8) & 255) && key[0] === high >>> 16
}
