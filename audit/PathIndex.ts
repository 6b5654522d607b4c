/**
 * Which names every inode of a zone has, at a point of its history: what turns the inode numbers of events into
 * paths. Built by the same events, in the same order.
 */
import type { ByteString } from "#domain/ByteString.ts"
import type { Event } from "#domain/Event.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"

interface Link {
  readonly parent: number
  readonly name: ByteString
}

export class PathIndex {
  private readonly links = new Map<number, ReadonlyArray<Link>>()
  private readonly zone: number

  constructor(zone: number) {
    this.zone = zone
  }

  /** A path of the inode; undefined if it has no name now. */
  pathOf(inode: number): ByteString | undefined {
    const names: Array<ByteString> = []
    for (let at = inode; InodeNumber.localOf(at) !== InodeNumber.ROOT_LOCAL;) {
      const [link] = this.links.get(at) ?? []
      if (link === undefined) return undefined
      names.push(link.name)
      at = link.parent
    }
    return this.prefix + names.reverse().join("/")
  }

  /** The path of a name in a directory, whether something has that name or not. */
  pathIn(parent: number, name: ByteString): ByteString {
    const directory = this.pathOf(parent)
    if (directory === undefined) return `?/${name}`
    return directory.endsWith("/") ? directory + name : `${directory}/${name}`
  }

  apply(event: Event): void {
    switch (event._tag) {
      case "InodeCreated":
      case "EntryLinked":
        return this.add(event.inode, event)
      case "EntryRemoved":
        return this.remove(event.inode, event)
      case "EntryMoved":
        if (event.replaced !== 0) this.remove(event.replaced, { parent: event.toParent, name: event.toName })
        this.remove(event.inode, { parent: event.fromParent, name: event.fromName })
        return this.add(event.inode, { parent: event.toParent, name: event.toName })
      case "EntriesExchanged":
        this.remove(event.inodeA, { parent: event.parentA, name: event.nameA })
        this.remove(event.inodeB, { parent: event.parentB, name: event.nameB })
        this.add(event.inodeA, { parent: event.parentB, name: event.nameB })
        return this.add(event.inodeB, { parent: event.parentA, name: event.nameA })
    }
  }

  private get prefix(): ByteString {
    return this.zone === 0 ? "/" : `/.zones/${this.zone}/`
  }

  private add(inode: number, { name, parent }: Link): void {
    this.links.set(inode, [...this.links.get(inode) ?? [], { parent, name }])
  }

  private remove(inode: number, { name, parent }: Link): void {
    const left = (this.links.get(inode) ?? []).filter((link) => link.parent !== parent || link.name !== name)
    if (left.length > 0) this.links.set(inode, left)
    else this.links.delete(inode)
  }
}
