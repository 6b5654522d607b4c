/**
 * The disk of one host: what each call does to it at the moment when it takes effect. What is written is in the page
 * cache, which outlives processes; what was synced outlives a power cut too. Time passes in `DiskFiles`, not here.
 *
 * It knows what our store asks of a file system and no more: no permissions, no links, no writes in the midst of files.
 */
import type { FileOwner, FolderEntry } from "#persistence/blocks/Files.ts"
import { type DiskChances, DiskFaults } from "#simulations/world/DiskFaults.ts"
import { DiskFile } from "#simulations/world/DiskFile.ts"
import { DiskFolder, DiskTree, type Spot, type TreeError } from "#simulations/world/DiskTree.ts"
import type { Process } from "#simulations/world/Process.ts"
import type { World } from "#simulations/world/World.ts"

/** One read or write in so many stops short, as the kernel may always do. */
const SHORT_ONE_IN = 16
const FIRST_PID = 7
/** What `stat` says of a folder. */
const FOLDER_BYTES = 4096

/** Why a call fails, as errno names it. */
export type Errno = TreeError | "EBADF" | "EIO" | "ENOSPC" | "EROFS"

export interface DiskSettings {
  readonly capacityBytes?: number
  readonly chances?: DiskChances
}

/** An open file; void after a power cut. */
export interface DiskHandle {
  readonly path: string
  readonly file: DiskFile
  /** Power cuts before it was opened. */
  readonly cuts: number
  isClosed: boolean
  /** The next write finds no room. */
  isFull: boolean
}

export class Disk {
  readonly world: World
  /** What befalls its calls. */
  readonly faults: DiskFaults
  /** How many times slower than usual. */
  slowness = 1
  capacityBytes: number
  private readonly tree = new DiskTree()
  private used = 0
  private cutsSoFar = 0
  /** The journal is broken: as ext4 and xfs do, it lets nobody change anything until it is mounted again. */
  private isBroken = false
  private readonly owners = new Map<Process, FileOwner>()

  constructor(world: World, settings: DiskSettings = {}) {
    this.world = world
    this.faults = new DiskFaults(world, settings.chances ?? {})
    this.capacityBytes = settings.capacityBytes ?? Infinity
  }

  /** Power cuts so far. */
  get cuts(): number {
    return this.cutsSoFar
  }

  /** What is not durable is kept or lost by the dice. The host's processes are dead, or their next calls fail. */
  powerCut(): void {
    this.world.fault("power cut")
    this.tree.cut(this.world.dice)
    this.used = this.tree.usedBytes()
    this.isBroken = false
    this.cutsSoFar++
  }

  /** One bit of a file turns; any one if none is given. */
  rot(path: string, offset?: number, bit = this.world.dice.below(8)): void {
    const file = this.known(path)
    file.rot(offset ?? this.world.dice.below(file.size), bit)
  }

  /** Only the first bytes of a file are left. */
  truncate(path: string, bytes: number): void {
    this.known(path).truncate(bytes)
  }

  /** Who a process of the host is: the number of a dead one may be given again, as in a container it always is. */
  ownerOf(process: Process): FileOwner {
    const known = this.owners.get(process)
    if (known !== undefined) return known
    const { dice } = this.world
    const pids = [...this.owners.values()].map(({ pid }) => pid)
    const free = pids.filter((pid) => !this.isRunning(pid))
    const pid = free.length > 0 && dice.chance(50) ? dice.of(free) : Math.max(FIRST_PID - 1, ...pids) + 1
    let count = 0
    const owner: FileOwner = {
      pid,
      run: dice.below(2 ** 31).toString(16),
      count: () => ++count,
      isRunning: (other) => this.isRunning(other)
    }
    this.owners.set(process, owner)
    return owner
  }

  private isRunning(pid: number): boolean {
    return [...this.owners].some(([process, owner]) => owner.pid === pid && !process.isDead)
  }

  private known(path: string): DiskFile {
    const file = this.tree.find(path)
    if (file instanceof DiskFile) return file
    throw new Error(`there is no file ${path} to damage`)
  }

  create(path: string): DiskHandle | Errno {
    const spot = this.spotToChange(path)
    if (typeof spot === "string") return spot
    if (spot.node !== undefined) return "EEXIST"
    if (this.hasNoRoom(path)) return "ENOSPC"
    const file = new DiskFile()
    this.tree.change([{ ...spot, node: file }])
    return this.handleOf(path, file)
  }

  open(path: string): DiskHandle | Errno {
    const node = this.tree.find(path)
    if (typeof node === "string") return node
    return node instanceof DiskFile ? this.handleOf(path, node) : "EISDIR"
  }

  write(handle: DiskHandle, parts: ReadonlyArray<Uint8Array>): number | Errno {
    if (this.isVoid(handle)) return "EBADF"
    if (this.isBroken) return "EROFS"
    const all = parts.reduce((sum, part) => sum + part.length, 0)
    const room = handle.isFull || this.faults.strikes("disk full", handle.path) ? 0 : this.capacityBytes - this.used
    if (room <= 0 && all > 0) return "ENOSPC"
    let bytes = Math.min(all, room)
    if (bytes > 1 && this.faults.strikes("disk full midway", handle.path)) {
      handle.isFull = true
      bytes = this.world.between(1, bytes - 1)
    } else bytes = this.shortened(bytes)
    let rest = bytes
    for (const part of parts) {
      handle.file.append(part.length <= rest ? part : part.subarray(0, rest))
      rest -= Math.min(rest, part.length)
    }
    this.used += bytes
    return bytes
  }

  datasync(handle: DiskHandle): Errno | undefined {
    if (this.isVoid(handle)) return "EBADF"
    if (this.isBroken) return "EROFS"
    const { file, path } = handle
    if (this.faults.strikes("disk sync fails", path)) {
      this.used -= file.dropDirty()
      return "EIO"
    }
    file.sync()
    return undefined
  }

  sizeOf(handle: DiskHandle): number | Errno {
    return this.isVoid(handle) ? "EBADF" : handle.file.size
  }

  read(handle: DiskHandle, buffer: Uint8Array, offset: number): number | Errno {
    if (this.isVoid(handle)) return "EBADF"
    if (this.faults.strikes("disk read fails", handle.path)) return "EIO"
    const { file, path } = handle
    if (file.size > 0 && this.faults.strikes("disk bit rots", path)) {
      file.rot(this.world.dice.below(file.size), this.world.dice.below(8))
    }
    return file.read(buffer.subarray(0, this.shortened(buffer.length)), offset)
  }

  close(handle: DiskHandle): Errno | undefined {
    if (this.isVoid(handle)) return "EBADF"
    handle.isClosed = true
    return undefined
  }

  rename(from: string, to: string): Errno | undefined {
    const source = this.spotToChange(from)
    if (typeof source === "string") return source
    const target = this.spotToChange(to)
    if (typeof target === "string") return target
    if (source.node === undefined) return "ENOENT"
    if (target.node instanceof DiskFolder) return "EISDIR"
    if (this.faults.strikes("disk full", to)) return "ENOSPC"
    if (source.node === target.node) return undefined
    this.used -= target.node?.size ?? 0
    this.tree.change([{ ...source, node: undefined }, { ...target, node: source.node }])
    return undefined
  }

  unlink(path: string): Errno | undefined {
    const spot = this.spotToChange(path)
    if (typeof spot === "string") return spot
    if (spot.node === undefined) return "ENOENT"
    if (spot.node instanceof DiskFolder) return "EISDIR"
    this.used -= spot.node.size
    this.tree.change([{ ...spot, node: undefined }])
    return undefined
  }

  makeFolder(path: string): Errno | undefined {
    const spot = this.tree.spot(path)
    if (typeof spot === "string") return spot
    if (spot.node !== undefined) return "EEXIST"
    if (this.isBroken) return "EROFS"
    if (this.hasNoRoom(path)) return "ENOSPC"
    this.tree.change([{ ...spot, node: new DiskFolder() }])
    return undefined
  }

  entries(path: string): ReadonlyArray<FolderEntry> | Errno {
    const folder = this.tree.folder(path)
    if (typeof folder === "string") return folder
    return Array.from(folder.names, ([name, node]) => ({ name, isDirectory: () => node instanceof DiskFolder }))
  }

  syncFolder(path: string): Errno | undefined {
    const folder = this.tree.folder(path)
    if (typeof folder === "string") return folder
    if (this.isBroken) return "EROFS"
    if (this.faults.strikes("disk journal fails", path)) {
      this.isBroken = true
      return "EIO"
    }
    this.tree.sync(folder)
    return undefined
  }

  size(path: string): number | Errno {
    const node = this.tree.find(path)
    if (typeof node === "string") return node
    return node instanceof DiskFile ? node.size : FOLDER_BYTES
  }

  private spotToChange(path: string): Spot | Errno {
    return this.isBroken ? "EROFS" : this.tree.spot(path)
  }

  private handleOf(path: string, file: DiskFile): DiskHandle {
    return { path, file, cuts: this.cuts, isClosed: false, isFull: false }
  }

  private isVoid(handle: DiskHandle): boolean {
    return handle.isClosed || handle.cuts !== this.cuts
  }

  private hasNoRoom(path: string): boolean {
    return this.used >= this.capacityBytes || this.faults.strikes("disk full", path)
  }

  private shortened(bytes: number): number {
    return bytes > 1 && this.world.dice.below(SHORT_ONE_IN) === 0 ? this.world.between(1, bytes - 1) : bytes
  }
}
