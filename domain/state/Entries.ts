/** The entries of one directory: a view of its part of the zone's entry pages, in the order of the names' bytes. */
import type { InodeNumber } from "#domain/InodeNumber.ts"
import type { Name } from "#domain/Name.ts"
import type { EntryTree } from "#domain/state/pages/EntryTree.ts"

export class Entries {
  private readonly tree: EntryTree
  private readonly directory: InodeNumber

  constructor(tree: EntryTree, directory: InodeNumber) {
    this.tree = tree
    this.directory = directory
  }

  get isEmpty(): boolean {
    return this.tree.isEmpty(this.directory)
  }

  /** The inode that the name points to. */
  get(name: Name): InodeNumber | undefined {
    const inode = this.tree.get(this.directory, name)
    return inode === 0 ? undefined : inode
  }

  /** Adds a name, or points an existing one to another inode. */
  set(name: Name, inode: InodeNumber): void {
    this.tree.set(this.directory, name, inode)
  }

  delete(name: Name): void {
    this.tree.delete(this.directory, name)
  }

  /**
   * Visits names in byte order, strictly after `after` ("" from the start), until `visit` answers false. Nothing may
   * change meanwhile.
   */
  walk(after: Name, visit: (name: Name, inode: InodeNumber) => boolean): void {
    this.tree.walk(this.directory, after, visit)
  }
}
