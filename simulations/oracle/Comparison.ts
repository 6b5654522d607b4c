/**
 * Whether both sides hold the same tree: inodes by path and by open file, and whether their times changed alike.
 * It changes neither side, and is the judge only: what a difference means is for people.
 */
import type { ByteString } from "#domain/ByteString.ts"
import * as Extents from "#domain/Extents.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Mode from "#domain/Mode.ts"
import type { Inode } from "#domain/state/Inode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import type { Timestamp } from "#domain/Timestamp.ts"
import * as Native from "#native/Posix.ts"
import { FIRST_SECOND } from "#simulations/oracle/DomainClient.ts"
import type { DomainSide } from "#simulations/oracle/DomainSide.ts"
import { isOurs, type KernelSide } from "#simulations/oracle/KernelSide.ts"
import * as Quirks from "#simulations/oracle/Quirks.ts"
import { type Action, octal, type Path, pathOf, printable } from "#simulations/oracle/Step.ts"
import type { Traits } from "#simulations/oracle/Traits.ts"

const { Stat } = Native

export interface Found {
  readonly path: Path
  readonly inode: Inode
}

/** Where the sides differ, in one line that starts with the name of what differs. */
export type Difference = string

/** Times of one inode on both sides, when they were last looked at. */
interface Seen {
  readonly kernel: { readonly [Time in TimeName]: string }
  readonly domain: { readonly [Time in TimeName]: Timestamp }
}

const timeNames = ["atime", "mtime", "ctime"] as const
type TimeName = (typeof timeNames)[number]

export class Comparison {
  private readonly posix: Native.Posix
  private readonly kernel: KernelSide
  private readonly domain: DomainSide
  private readonly traits: Traits
  private readonly stat = Native.makeStat()
  private seen = new Map<number, Seen>()
  private next = new Map<number, Seen>()
  /** Whether the last action was about atimes; other calls read, and only the kernel takes note of that. */
  private atimes = false
  /** Whether times that moved on one side alone are a quirk of the file system. */
  private loose = false
  /** Kernel's number of each inode of the domain, and back. */
  private readonly twins = new Map<number, number>()
  private readonly owners = new Map<number, number>()

  constructor(posix: Native.Posix, kernel: KernelSide, domain: DomainSide, traits: Traits) {
    this.posix = posix
    this.kernel = kernel
    this.domain = domain
    this.traits = traits
  }

  /** What `stat` shows of every inode, after the action if there was one since the last look. */
  shallow(tree: ReadonlyArray<Found>, action: Action | undefined): Difference | undefined {
    this.atimes = action?.call === "utimens"
    this.loose = action !== undefined && Quirks.confusesTimes(this.traits, action)
    this.twins.clear()
    this.owners.clear()
    this.next = new Map()
    for (const { inode, path } of tree) {
      const result = this.posix.calls.lstat(this.kernel.pathOf(path), this.stat)
      const difference = result < 0 ? "presence: only in the domain" : this.inode(inode)
      if (difference !== undefined) return `${difference} (${pathOf(path)})`
    }
    for (const [slot, { inode }] of this.domain.slots) {
      this.posix.fstat(this.kernel.slots.get(slot) ?? -1, this.stat)
      const difference = this.inode(this.domain.state.expect(inode))
      if (difference !== undefined) return `${difference} (open in slot ${slot})`
    }
    this.seen = this.next
    return undefined
  }

  /** Names, link targets, extended attributes and contents. Reads everything, and so moves atimes. */
  deep(tree: ReadonlyArray<Found>): Difference | undefined {
    for (const { inode, path } of tree) {
      const difference = this.names(inode, path) ?? this.target(inode, path) ?? this.attributes(inode, path) ??
        this.contents(inode, path)
      if (difference !== undefined) return `${difference} (${pathOf(path)})`
    }
    return undefined
  }

  private inode(inode: Inode): Difference | undefined {
    const { stat } = this
    const isDirectory = inode.entries !== undefined
    const bytes = inode.attributes().size
    // A directory's size is each file system's own affair.
    const size = isDirectory ? bytes : stat[Stat.size]
    const problem = unequal("mode", octal(stat[Stat.mode] as number), octal(inode.mode)) ??
      unequal("uid", stat[Stat.uid], inode.uid) ?? unequal("gid", stat[Stat.gid], inode.gid) ??
      unequal("nlink", stat[Stat.nlink], inode.nlink) ?? unequal("size", size, bytes) ??
      unequal("rdev", stat[Stat.rdev], inode.rdev)
    return problem ?? this.identity(inode.number, stat[Stat.ino] as number) ?? this.times(inode)
  }

  /** The same inode by two paths on one side is the same by these paths on the other. */
  private identity(inode: number, ino: number): Difference | undefined {
    const twin = this.twins.get(inode) ?? ino
    const owner = this.owners.get(ino) ?? inode
    this.twins.set(inode, twin)
    this.owners.set(ino, owner)
    return twin === ino && owner === inode ? undefined : "identity: hard links differ"
  }

  private times(inode: Inode): Difference | undefined {
    const now: Seen = { kernel: kernelTimes(this.stat), domain: { ...timesOf(inode) } }
    const before = this.seen.get(inode.number)
    this.next.set(inode.number, now)
    for (const name of timeNames) {
      if (name === "atime" && !this.atimes) continue
      const { nanos, seconds } = now.domain[name]
      const kernelChanged = before !== undefined && now.kernel[name] !== before.kernel[name]
      const past = before?.domain[name]
      const domainChanged = past !== undefined && (past.seconds !== seconds || past.nanos !== nanos)
      // Reading moves atimes for the kernel alone, so an atime counts when it is set only.
      if (name === "atime" && !domainChanged && (!kernelChanged || Mode.isSymlink(inode.mode))) continue
      // A time that a script gave is compared as it is; moments only by whether they changed.
      if (domainChanged && seconds < FIRST_SECOND) {
        const problem = unequal(name, now.kernel[name], `${seconds}.${nanos}`)
        if (problem !== undefined) return problem
      }
      // A time that is set now may be that of the last read or change, by the coarse clock.
      if (name === "atime" && domainChanged) continue
      if (this.loose) continue
      // Where the kernel's clock is coarse, a change may not show; a change that shows has happened.
      if (kernelChanged === domainChanged || (!kernelChanged && !this.showsEveryChange(inode))) continue
      return `${name}: ${changed(kernelChanged)} for the kernel, ${changed(domainChanged)} for the domain`
    }
    return undefined
  }

  /** tmpfs gives a directory the time of the inode that came or went, by the coarse clock for links. */
  private showsEveryChange({ mode }: Inode): boolean {
    return this.traits.preciseTimes && (this.traits.type !== "tmpfs" || Mode.isRegular(mode))
  }

  private names(inode: Inode, path: Path): Difference | undefined {
    if (inode.entries === undefined) return undefined
    const expected: Array<string> = []
    inode.entries.walk("", (name) => expected.push(name) > 0)
    const { names } = this.posix.scandir(this.kernel.pathOf(path))
    return unequal("names", shown(names.map((name) => name.toString("latin1"))), shown(expected))
  }

  private target(inode: Inode, path: Path): Difference | undefined {
    if (!Mode.isSymlink(inode.mode)) return undefined
    const target = this.posix.readlink(this.kernel.pathOf(path)).toString("latin1")
    return unequal("target", printable(target), printable(inode.target))
  }

  private attributes(inode: Inode, path: Path): Difference | undefined {
    const file = this.kernel.pathOf(path)
    const names = this.posix.llistxattr(file).filter(isOurs)
    const found = names.map((name) => attribute(name, this.posix.lgetxattr(file, name)))
    const expected = [...inode.xattrs ?? []].map(([name, value]) => attribute(latin1(name), latin1(value)))
    return unequal("xattrs", shown(found), shown(expected))
  }

  private contents(inode: Inode, path: Path): Difference | undefined {
    if (!Mode.isRegular(inode.mode)) return undefined
    const expected = Buffer.alloc(inode.size)
    for (const extent of inode.extents) {
      expected.fill(this.domain.fills.get(extent.slice) ?? 0, extent.offset, Extents.end(extent))
    }
    const fd = this.posix.open(this.kernel.pathOf(path), 0, 0)
    const found = Buffer.alloc(inode.size)
    const length = this.posix.pread(fd, found, 0)
    this.posix.close(fd)
    if (length === inode.size && found.equals(expected)) return undefined
    const at = found.findIndex((byte, index) => byte !== expected[index])
    return `contents: ${found[at]} at ${at} for the kernel, ${expected[at]} for the domain`
  }
}

/** Every name of the domain's tree with its inode, the root first, a directory before what it holds. */
export const treeOf = (state: ZoneState): ReadonlyArray<Found> => {
  const tree: Array<Found> = [{ path: [], inode: state.expect(InodeNumber.ROOT) }]
  for (const { inode, path } of tree) {
    inode.entries?.walk("", (name, number) => tree.push({ path: [...path, name], inode: state.expect(number) }) > 0)
  }
  return tree
}

const unequal = (what: string, kernel: unknown, domain: unknown): Difference | undefined =>
  kernel === domain ? undefined : `${what}: ${String(kernel)} for the kernel, ${String(domain)} for the domain`

const changed = (yes: boolean): string => (yes ? "changed" : "unchanged")

const kernelTimes = (stat: Float64Array): Seen["kernel"] => ({
  atime: `${stat[Stat.atimeSeconds]}.${stat[Stat.atimeNanos]}`,
  mtime: `${stat[Stat.mtimeSeconds]}.${stat[Stat.mtimeNanos]}`,
  ctime: `${stat[Stat.ctimeSeconds]}.${stat[Stat.ctimeNanos]}`
})

const timesOf = ({ atime, ctime, mtime }: Inode): Seen["domain"] => ({ atime, mtime, ctime })

const shown = (list: ReadonlyArray<ByteString>): string => `[${list.toSorted().map(printable).join(", ")}]`

const attribute = (name: Buffer, value: Buffer): string => `${name.toString("latin1")}=0x${value.toString("hex")}`

const latin1 = (text: ByteString): Buffer => Buffer.from(text, "latin1")
