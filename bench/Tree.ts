/** A real tree, read once and planted into a zone as often as one likes, as `cadastre put` would bring it there. */
import * as ZoneFiller from "#bench/ZoneFiller.ts"
import { evolve } from "#domain/Evolve.ts"
import type { Extent } from "#domain/Extents.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import { lstatSync, readdirSync, readlinkSync } from "node:fs"

/** A file of the tree; its parent comes before it. */
interface Node {
  /** Index of its directory; -1 for the top. */
  readonly parent: number
  readonly name: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly atime: Timestamp.Timestamp
  readonly mtime: Timestamp.Timestamp
  readonly target: string
}

/** All files below a folder, names as bytes. Hard links count as files of their own. */
export const scan = (folder: string): ReadonlyArray<Node> => {
  const nodes: Array<Node> = [nodeOf(folder, -1, "")]
  const folders: Array<readonly [string, number]> = [[folder, 0]]
  for (let entry = folders.pop(); entry !== undefined; entry = folders.pop()) {
    const [path, index] = entry
    for (const name of readdirSync(path, "latin1").sort()) {
      const below = `${path}/${name}`
      const node = nodeOf(below, index, name)
      if (Mode.isDirectory(node.mode)) folders.push([below, nodes.length])
      nodes.push(node)
    }
  }
  return nodes
}

const nodeOf = (path: string, parent: number, name: string): Node => {
  const bytes = Buffer.from(path, "latin1")
  const stat = lstatSync(bytes, { bigint: true })
  const mode = Number(stat.mode)
  return {
    parent,
    name,
    mode,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: Mode.isRegular(mode) ? Number(stat.size) : 0,
    atime: Timestamp.fromNanos(stat.atimeNs),
    mtime: Timestamp.fromNanos(stat.mtimeNs),
    target: Mode.isSymlink(mode) ? readlinkSync(bytes, "latin1") : ""
  }
}

/** The tree once more, as `name` in `parent`, with contents in packs as the client writes them. */
export const plant = (state: ZoneState, parent: number, name: string, nodes: ReadonlyArray<Node>): void => {
  const inodes: Array<number> = []
  const pack = new Pack(state)
  for (const [index, node] of nodes.entries()) {
    if (index % ZoneFiller.BATCH === 0) ZoneFiller.tick(state)
    const inode = InodeNumber.make(state.zone, state.nextInode)
    inodes.push(inode)
    const { gid, mode, target, uid } = node
    const place = node.parent < 0
      ? { parent, name }
      : { parent: inodes[node.parent] as number, name: node.name }
    evolve(state, { _tag: "InodeCreated", ...place, inode, mode, uid, gid, rdev: 0, target })
    if (node.size > 0) pack.add(inode, node.size)
    const { atime, mtime } = node
    evolve(state, { _tag: "AttributesSet", inode, mode: undefined, uid: undefined, gid: undefined, atime, mtime })
  }
  pack.close()
}

/** Small files share slices of up to 4 MiB; a large one has its own. */
class Pack {
  private readonly state: ZoneState
  private files: Array<{ readonly inode: number; readonly at: number; readonly length: number }> = []
  private filled = 0

  constructor(state: ZoneState) {
    this.state = state
  }

  add(inode: number, bytes: number): void {
    if (this.filled + bytes > Limits.blockBytesMax) this.close()
    if (bytes > Limits.blockBytesMax) return this.large(inode, bytes)
    this.files.push({ inode, at: this.filled, length: bytes })
    this.filled += bytes
  }

  close(): void {
    if (this.filled === 0) return
    const slice = this.slice()
    for (const { at, inode, length } of this.files) {
      this.write(inode, [{ offset: 0, length, slice, sliceOffset: at, sliceBytes: this.filled }], length)
    }
    this.files = []
    this.filled = 0
  }

  private large(inode: number, bytes: number): void {
    const extents = []
    for (let offset = 0; offset < bytes; offset += Limits.sliceBytesMax) {
      const length = Math.min(Limits.sliceBytesMax, bytes - offset)
      extents.push({ offset, length, slice: this.slice(), sliceOffset: 0, sliceBytes: length })
    }
    this.write(inode, extents, bytes)
  }

  private slice(): number {
    const { nextSlice, zone } = this.state
    evolve(this.state, { _tag: "SlicesReserved", first: InodeNumber.make(zone, nextSlice), count: 1 })
    return InodeNumber.make(zone, nextSlice)
  }

  private write(inode: number, extents: ReadonlyArray<Extent>, length: number): void {
    evolve(this.state, { _tag: "ContentReplaced", inode, offset: 0, length, extents, extends: true })
  }
}
