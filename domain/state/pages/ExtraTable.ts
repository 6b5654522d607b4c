/**
 * What only some inodes of a zone have: extents, targets of symbolic links, extended attributes. An inode without any
 * costs nothing here; what all have is in `InodeTable`. Who asks knows what an inode may have: nothing is refused.
 */
import type { ByteString } from "#domain/ByteString.ts"
import type * as Extents from "#domain/Extents.ts"
import type { InodeNumber } from "#domain/InodeNumber.ts"
import * as ExtentPages from "#domain/state/pages/ExtentPages.ts"
import type { Pages } from "#domain/state/pages/Pages.ts"
import * as RecordPages from "#domain/state/pages/RecordPages.ts"
import * as TextPages from "#domain/state/pages/TextPages.ts"

/** Targets are texts without a name; attributes have one. */
const TARGET = ""

export class ExtraTable {
  private readonly pages: Pages
  private readonly extentPages: ExtentPages.ExtentPages
  private readonly textPages: TextPages.TextPages

  constructor(pages: Pages) {
    this.pages = pages
    this.extentPages = new ExtentPages.ExtentPages(pages)
    this.textPages = new TextPages.TextPages(pages)
  }

  /** The table whose valid pages these are, in any order. */
  static fromPages(pages: Pages, ids: Iterable<number>): ExtraTable {
    const table = new ExtraTable(pages)
    const firsts = Array.from(ids, (page) => {
      pages.locate(page)
      const { at, bytes } = pages
      if (bytes[at] === TextPages.TEXTS) return { page, extents: false, ...TextPages.firstOf(bytes, at), offset: 0 }
      const { inode, offset } = ExtentPages.firstOf(bytes, at)
      return { page, extents: true, inode, offset, name: "", piece: 0 }
    })
    firsts.sort((a, b) =>
      a.inode - b.inode || a.offset - b.offset || (a.name < b.name ? -1 : a.name > b.name ? 1 : a.piece - b.piece)
    )
    for (const { extents, inode, page } of firsts) {
      if (extents) table.extentPages.adopt(page, inode)
      else table.textPages.adopt(page, inode)
    }
    return table
  }

  /** Why these bytes are no page of such a table, or undefined. */
  static validate(bytes: Uint8Array, at: number, length: number): string | undefined {
    if (bytes[at] === ExtentPages.EXTENTS) return ExtentPages.validate(bytes, at, length)
    return bytes[at] === TextPages.TEXTS ? TextPages.validate(bytes, at, length) : `format ${bytes[at]}`
  }

  /** What a symbolic link points to; "" if there is none. */
  target(inode: InodeNumber): ByteString {
    return this.textPages.get(inode, TARGET) ?? ""
  }

  setTarget(inode: InodeNumber, target: ByteString): void {
    this.textPages.set(inode, TARGET, target === "" ? undefined : target)
  }

  /** Where a file's bytes are. */
  extents(inode: InodeNumber): Extents.Extents {
    return this.extentPages.get(inode)
  }

  /** Bytes of a file, holes left out. */
  dataBytes(inode: InodeNumber): number {
    return this.extentPages.dataBytes(inode)
  }

  setExtents(inode: InodeNumber, extents: Extents.Extents): void {
    this.extentPages.set(inode, extents)
  }

  /** All attributes, by name in byte order; undefined if there are none. */
  xattrs(inode: InodeNumber): Map<ByteString, ByteString> | undefined {
    return this.textPages.named(inode)
  }

  xattr(inode: InodeNumber, name: ByteString): ByteString | undefined {
    return this.textPages.get(inode, name)
  }

  /** `undefined` removes it. */
  setXattr(inode: InodeNumber, name: ByteString, value: ByteString | undefined): void {
    if (name === TARGET) throw new RangeError("an attribute without a name")
    this.textPages.set(inode, name, value)
  }

  /** Removes all that the inode has. */
  drop(inode: InodeNumber): void {
    this.extentPages.set(inode, [])
    this.textPages.drop(inode)
  }

  /** Inodes that have anything here. */
  inodes(): Set<InodeNumber> {
    const inodes = new Set<InodeNumber>()
    this.extentPages.collect(inodes)
    this.textPages.collect(inodes)
    return inodes
  }

  /** All pages, each kind by ascending numbers of inodes. */
  pagesInOrder(): Array<number> {
    return [...this.extentPages.list(), ...this.textPages.list()]
  }

  /** Bytes of a page. They follow from its records, whatever came before. */
  lengthOf(page: number): number {
    this.pages.locate(page)
    return RecordPages.lengthOf(this.pages.bytes, this.pages.at)
  }

  /** What a snapshot asks of all tables. Pages here are always folded; room kept for records to come goes back. */
  foldAll(): void {
    this.extentPages.trim()
    this.textPages.trim()
  }
}
