/**
 * What only some inodes of a zone have: extents, targets of symbolic links, extended attributes. An inode without any
 * costs nothing here; what all have is in `InodeTable`. Who asks knows what an inode may have: nothing is refused.
 */
import type { ByteString } from "#domain/ByteString.ts"
import type * as Extents from "#domain/Extents.ts"
import type { InodeNumber } from "#domain/InodeNumber.ts"
import * as ExtentPages from "#domain/state/pages/ExtentPages.ts"
import type { OrderBlock } from "#domain/state/pages/PageOrder.ts"
import type { Pages } from "#domain/state/pages/Pages.ts"
import * as TextPages from "#domain/state/pages/TextPages.ts"

/** Targets are texts without a name; attributes have one. */
const TARGET = ""

/** The blocks of pages, of extents and of texts. */
export interface ExtraRoots {
  readonly extents: ReadonlyArray<OrderBlock>
  readonly texts: ReadonlyArray<OrderBlock>
}

export class ExtraTable {
  private readonly extentPages: ExtentPages.ExtentPages
  private readonly textPages: TextPages.TextPages

  constructor(pages: Pages) {
    this.extentPages = new ExtentPages.ExtentPages(pages)
    this.textPages = new TextPages.TextPages(pages)
  }

  /** What finds all pages again. */
  get roots(): ExtraRoots {
    return { extents: this.extentPages.order.roots, texts: this.textPages.order.roots }
  }

  /** Takes back what `roots` was. */
  open(roots: ExtraRoots): void {
    this.extentPages.order.open(roots.extents)
    this.textPages.order.open(roots.texts)
  }

  /** Looks at all pages that a change of the inode may meet: where one is absent it is asked for. */
  warm(inode: InodeNumber): void {
    this.extentPages.warm(inode)
    this.textPages.warm(inode)
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
}
