/**
 * The names of a simulated disk: what processes see at once, and what a power cut leaves of it. A change of names is
 * whole or not at all, and is durable once a folder that it touches is synced; it knows nothing of time or of faults.
 *
 * What is not synced is kept or lost by the dice: in order, as one journal would, or in any order that lets no change
 * of a name be kept without the earlier ones of the same name.
 */
import type { Dice } from "#domain/testing/Dice.ts"
import { DiskFile } from "#simulations/world/DiskFile.ts"

/** A disk writes changes back by itself at some time: beyond so many, the oldest become durable. */
const PENDING_MAX = 4096
const NAME_BYTES_MAX = 255

export type DiskNode = DiskFile | DiskFolder

/** What a look-up may end in, as errno names it. */
export type TreeError = "ENOENT" | "ENOTDIR" | "EISDIR" | "EEXIST" | "ENAMETOOLONG"

export class DiskFolder {
  readonly names = new Map<string, DiskNode>()
  /** The names that a power cut leaves. */
  readonly durable = new Map<string, DiskNode>()

  restore(): void {
    this.names.clear()
    for (const [name, node] of this.durable) this.names.set(name, node)
  }
}

/** A name of a folder, and what it is for from now on; nothing if undefined. */
interface Naming {
  readonly folder: DiskFolder
  readonly name: string
  readonly node: DiskNode | undefined
}

type Change = ReadonlyArray<Naming>

/** Where a path leads: the folder is there, the name in it need not be. */
export interface Spot {
  readonly folder: DiskFolder
  readonly name: string
  readonly node: DiskNode | undefined
}

export class DiskTree {
  private readonly root = new DiskFolder()
  private pending: Array<Change> = []

  find(path: string): DiskNode | TreeError {
    let node: DiskNode = this.root
    for (const name of path.split("/")) {
      if (name === "") continue
      if (node instanceof DiskFile) return "ENOTDIR"
      const next: DiskNode | undefined = node.names.get(name)
      if (next === undefined) return "ENOENT"
      node = next
    }
    return node
  }

  folder(path: string): DiskFolder | TreeError {
    const node = this.find(path)
    return node instanceof DiskFile ? "ENOTDIR" : node
  }

  spot(path: string): Spot | TreeError {
    const slash = path.lastIndexOf("/")
    const folder = this.folder(path.slice(0, slash))
    const name = path.slice(slash + 1)
    if (typeof folder === "string") return folder
    return name.length > NAME_BYTES_MAX ? "ENAMETOOLONG" : { folder, name, node: folder.names.get(name) }
  }

  /** Every process sees it from now on. */
  change(change: Change): void {
    apply(change, "names")
    this.pending.push(change)
    if (this.pending.length > PENDING_MAX) {
      for (const old of this.pending.splice(0, PENDING_MAX / 2)) apply(old, "durable")
    }
  }

  /** What changed in the folder is durable, and what earlier changes of the same names there were elsewhere. */
  sync(folder: DiskFolder): void {
    const needed = new NameSet()
    const kept: Array<Change> = []
    const rest: Array<Change> = []
    for (const change of this.pending.toReversed()) {
      const isKept = change.some((naming) => naming.folder === folder || needed.has(naming))
      if (isKept) needed.add(change)
      ;(isKept ? kept : rest).push(change)
    }
    this.pending = rest.reverse()
    for (const change of kept.reverse()) apply(change, "durable")
  }

  /** The power is cut: what is durable is the only truth from now on. */
  cut(dice: Dice): void {
    for (const change of this.survivors(dice)) apply(change, "durable")
    this.pending = []
    for (const node of nodesUnder(this.root, "durable")) {
      if (node instanceof DiskFile) node.cut(dice)
      else node.restore()
    }
    this.root.restore()
  }

  /** Bytes of all files. */
  usedBytes(): number {
    let bytes = 0
    for (const node of nodesUnder(this.root, "names")) if (node instanceof DiskFile) bytes += node.size
    return bytes
  }

  private survivors(dice: Dice): ReadonlyArray<Change> {
    if (dice.chance(50)) return this.pending.slice(0, dice.below(this.pending.length + 1))
    const lost = new NameSet()
    return this.pending.filter((change) => {
      const isKept = !change.some((naming) => lost.has(naming)) && dice.chance(50)
      if (!isKept) lost.add(change)
      return isKept
    })
  }
}

function* nodesUnder(folder: DiskFolder, by: "names" | "durable"): Generator<DiskNode> {
  for (const node of folder[by].values()) {
    yield node
    if (node instanceof DiskFolder) yield* nodesUnder(node, by)
  }
}

const apply = (change: Change, to: "names" | "durable"): void => {
  for (const { folder, name, node } of change) {
    if (node === undefined) folder[to].delete(name)
    else folder[to].set(name, node)
  }
}

/** Names, each of its folder. */
class NameSet {
  private readonly names = new Map<DiskFolder, Set<string>>()

  has({ folder, name }: Naming): boolean {
    return this.names.get(folder)?.has(name) === true
  }

  add(change: Change): void {
    for (const { folder, name } of change) {
      const names = this.names.get(folder)
      if (names === undefined) this.names.set(folder, new Set([name]))
      else names.add(name)
    }
  }
}
