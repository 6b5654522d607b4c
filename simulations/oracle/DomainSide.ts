/**
 * The other side of the comparison: a zone's state. It does each step as the step's user, as a mount would, and
 * answers in the kernel's words. It knows nothing of the kernel's tree.
 */
import * as Access from "#domain/Access.ts"
import type { Attributes } from "#domain/Attributes.ts"
import type { ByteString } from "#domain/ByteString.ts"
import { isRoot } from "#domain/Credentials.ts"
import { Errno, nameOf } from "#domain/Errno.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { operations } from "#domain/Operations.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import { DomainClient, type Place } from "#simulations/oracle/DomainClient.ts"
import type { Outcome } from "#simulations/oracle/KernelSide.ts"
import * as Quirks from "#simulations/oracle/Quirks.ts"
import { type Action, type Moment, type Path, type Slot, type Step, users } from "#simulations/oracle/Step.ts"
import type { Traits } from "#simulations/oracle/Traits.ts"

/** There is nothing to compare: what the step speaks of is not there, or is the kernel's own affair. */
export const SKIP = "skip"

export interface OpenFile {
  readonly inode: number
  readonly handle: number
  readonly append: boolean
}

type Handle = Pick<OpenFile, "inode" | "handle">
type Of<Call> = Extract<Action, { readonly call: Call }>

export class DomainSide {
  readonly slots = new Map<number, OpenFile>()
  /** What byte each slice is full of. */
  readonly fills = new Map<number, number>()
  /** Whether the step opened a fifo or a socket, which the kernel does its own way once it may. */
  metSpecial = false
  /** Files of which the sides need not know alike where the holes are. */
  private readonly layoutsHidden = new Set<number>()
  private readonly traits: Traits
  private readonly client: DomainClient
  private umask = 0

  constructor(traits: Traits) {
    this.traits = traits
    this.client = new DomainClient(traits)
  }

  get state(): ZoneState {
    return this.client.state
  }

  run({ action, umask, who }: Step): Outcome | typeof SKIP {
    const user = users[who]
    if (user === undefined) throw new Error(`no user ${who}`)
    this.umask = umask
    this.metSpecial = false
    const outcome = this.client.batch(user, () => this.perform(action))
    return typeof outcome === "number" ? nameOf(outcome) : outcome
  }

  private perform(action: Action): Outcome | Errno {
    switch (action.call) {
      case "create":
        return this.create(action)
      case "open":
        return this.open(action)
      case "close":
        return this.release(action.slot)
      case "mkdir": {
        const { mode } = action
        return this.inDirectory(
          action.path,
          (place) => this.client.call(operations.makeDirectory, { ...place, mode, umask: this.umask })
        )
      }
      case "mknod":
        return this.mknod(action)
      case "symlink": {
        const { target } = action
        // The kernel looks at the target before it walks the path.
        if (target.length === 0) return Errno.ENOENT
        if (target.length > Limits.symlinkBytesMax) return Errno.ENAMETOOLONG
        return this.inDirectory(action.path, (place) => this.client.call(operations.makeSymlink, { ...place, target }))
      }
      case "readlink": {
        const reply = this.client.at(action.path, false, (inode) => this.client.call(operations.readLink, { inode }))
        return typeof reply === "number" ? reply : `ok ${hex(reply.target)}`
      }
      case "link":
        return this.link(action)
      case "unlink":
        return this.inDirectory(action.path, (place) => this.client.call(operations.unlink, place))
      case "rmdir":
        return this.inDirectory(action.path, (place) => this.client.call(operations.removeDirectory, place))
      case "rename":
        return this.rename(action)
      case "chmod":
        return this.setAttributes(action.path, true, { mode: action.mode })
      case "chown":
        return this.setAttributes(action.path, false, { uid: action.uid, gid: action.gid })
      case "truncate":
        return this.setAttributes(action.path, true, { size: action.size })
      case "utimens": {
        const { atime, mtime, nofollow } = action
        return this.setAttributes(action.path, !nofollow, { atime: momentOf(atime), mtime: momentOf(mtime) })
      }
      case "access":
        return this.access(action)
      case "stat":
        return done(
          this.client.at(action.path, false, (inode) => this.client.call(operations.getAttributes, { inode }))
        )
      case "list":
        return this.list(action)
      case "setxattr": {
        const { flag: mode, name, path, value } = action
        const problem = capabilityProblem(name, value, isRoot(this.client.who))
        if (problem !== undefined) return done(this.client.at(path, false, () => problem))
        return done(this.atNamed(path, name, (inode) => {
          if (value.length <= Quirks.EMPTY_ACL_BYTES && this.losesSetGroupId(inode, name)) return SKIP
          return this.client.call(operations.setXattr, { inode, name, value, mode })
        }))
      }
      case "getxattr": {
        const { name } = action
        const reply = this.atNamed(action.path, name, (inode) => this.client.call(operations.getXattr, { inode, name }))
        return typeof reply === "number" ? reply : `ok ${hex(reply.value)}`
      }
      case "removexattr": {
        const { name } = action
        return done(this.atNamed(action.path, name, (inode) => {
          if (this.losesSetGroupId(inode, name)) return SKIP
          return this.client.call(operations.removeXattr, { inode, name })
        }))
      }
      case "listxattr": {
        const reply = this.client.at(action.path, false, (inode) => this.client.call(operations.listXattrs, { inode }))
        return typeof reply === "number" ? reply : listed(reply.names)
      }
      case "ftruncate":
        return this.opened(
          action.slot,
          (file) => done(this.client.call(operations.setAttributes, { ...NOTHING, ...file, size: action.size }))
        )
      case "write":
        return this.write(action)
      case "fallocate":
        return this.fallocate(action)
      case "seek":
        return this.seek(action)
      case "copy":
        return this.copy(action)
    }
  }

  // ---- Opening ---------------------------------------------------------------------------------------------

  private create(action: Of<"create">): Outcome | Errno {
    const { access, exclusive, mode, path, slot, truncate } = action
    if (slot !== "none") this.release(slot)
    const place = this.client.walk(path, !exclusive)
    if (typeof place === "number") return place
    const existing = this.client.peek(place)
    const problem = this.client.creationProblem(place, existing, exclusive)
    if (problem !== undefined) return problem
    if (existing !== undefined && Mode.isDevice(existing.mode) && !exclusive) return SKIP
    const request = { ...place, mode, umask: this.umask, exclusive, truncate, access }
    return this.keep(this.client.call(operations.create, request), slot, false)
  }

  private open(action: Of<"open">): Outcome | Errno {
    const { access, append, nofollow, path, slot, truncate } = action
    if (slot !== "none") this.release(slot)
    const found = this.client.at(path, !nofollow, (inode) => ({ inode }))
    if (typeof found === "number") return found
    if (Mode.isDevice(this.state.expect(found.inode).mode)) return SKIP
    return this.keep(this.client.call(operations.open, { ...found, access, truncate }), slot, append)
  }

  private keep(
    reply: { readonly attributes: Attributes; readonly handle: number } | Errno,
    slot: Slot,
    append: boolean
  ): Outcome | Errno {
    if (typeof reply === "number") return reply
    const { attributes: { inode, mode }, handle } = reply
    this.metSpecial = !Mode.isRegular(mode) && !Mode.isDirectory(mode)
    if (slot === "none" || this.metSpecial) return done(this.client.call(operations.release, { inode, handle }))
    this.slots.set(slot, { inode, handle, append })
    return "ok"
  }

  private release(slot: number): Outcome | Errno {
    const file = this.slots.get(slot)
    if (file === undefined) return SKIP
    this.slots.delete(slot)
    return done(this.client.call(operations.release, { inode: file.inode, handle: file.handle }))
  }

  private opened(
    slot: number,
    use: (file: Handle) => Outcome | Errno
  ): Outcome | Errno {
    const file = this.slots.get(slot)
    return file === undefined ? SKIP : use({ inode: file.inode, handle: file.handle })
  }

  // ---- Contents --------------------------------------------------------------------------------------------

  private write({ fill, length, offset, slot }: Of<"write">): Outcome | Errno {
    return this.opened(slot, (file) => {
      const reserved = this.client.call(operations.reserveSlices, { inode: InodeNumber.ROOT, count: 1 })
      if (typeof reserved === "number") return reserved
      this.fills.set(reserved.first, fill)
      const piece = { length, slice: reserved.first, sliceOffset: 0, sliceBytes: length }
      const append = this.slots.get(slot)?.append === true
      const reply = this.client.call(operations.write, { ...file, offset, append, pieces: length === 0 ? [] : [piece] })
      return typeof reply === "number" ? reply : `ok ${length}`
    })
  }

  private fallocate(action: Of<"fallocate">): Outcome | Errno {
    const { length, mode, offset, slot } = action
    return this.opened(slot, (file) => {
      if (Quirks.hidesLayout(mode)) this.layoutsHidden.add(file.inode)
      const reply = this.client.call(operations.allocate, { ...file, mode, offset, length })
      const refused = typeof reply === "number"
      const traces = refused && Quirks.leavesTraces(this.traits, mode, this.state.expect(file.inode))
      return traces ? SKIP : done(reply)
    })
  }

  private seek({ offset, slot, target }: Of<"seek">): Outcome | Errno {
    return this.opened(slot, (file) => {
      // What a directory's offsets mean is each file system's own affair.
      const isDirectory = this.state.expect(file.inode).entries !== undefined
      if (isDirectory || this.layoutsHidden.has(file.inode)) return SKIP
      const found = target === "data" ? this.pageWithData(file, offset) : this.pageWithHole(file, offset)
      return found < 0 ? (-found as Errno) : `ok ${found}`
    })
  }

  /** The kernel knows pages where the domain knows bytes. Like all numbers of a kernel, -errno on failure. */
  private pageWithData(file: Handle, offset: number): number {
    const found = this.client.call(operations.seek, { ...file, offset, target: "data" })
    return typeof found === "number" ? -found : Math.max(offset, found.offset - found.offset % PAGE_BYTES)
  }

  private pageWithHole(file: Handle, offset: number): number {
    for (let at = offset;;) {
      const found = this.client.call(operations.seek, { ...file, offset: at, target: "hole" })
      if (typeof found === "number") return -found
      const page = Math.ceil(found.offset / PAGE_BYTES) * PAGE_BYTES
      const { size } = this.state.expect(file.inode)
      if (page >= size) return size
      const data = this.pageWithData(file, page)
      if (data !== page) return page
      at = Math.min(page + PAGE_BYTES, size - 1)
    }
  }

  private copy(action: Of<"copy">): Outcome | Errno {
    const { length, offset, slot, toOffset, toSlot } = action
    // Copying to a file opened with O_APPEND is refused before any file system is asked.
    if (this.slots.get(toSlot)?.append !== false) return SKIP
    return this.opened(slot, (source) =>
      this.opened(toSlot, (target) => {
        // Linux copies holes as zeros, the domain as holes.
        this.layoutsHidden.add(target.inode)
        const reply = this.client.call(operations.copyRange, {
          source: source.inode,
          sourceHandle: source.handle,
          sourceOffset: offset,
          target: target.inode,
          targetHandle: target.handle,
          targetOffset: toOffset,
          length
        })
        return typeof reply === "number" ? reply : `ok ${reply.copied}`
      }))
  }

  // ---- Names and attributes --------------------------------------------------------------------------------

  private mknod({ mode, path, rdev }: Of<"mknod">): Outcome | Errno {
    // The kernel looks at the type before it walks the path.
    const type = mode & Mode.S_IFMT
    if (type === Mode.S_IFDIR || type === Mode.S_IFLNK) {
      const root = { parent: InodeNumber.ROOT, name: "any" }
      return done(this.client.call(operations.makeNode, { ...root, mode, umask: 0, rdev }))
    }
    return this.inDirectory(
      path,
      (place) => this.client.call(operations.makeNode, { ...place, mode, umask: this.umask, rdev })
    )
  }

  private link({ path, to }: Of<"link">): Outcome | Errno {
    const source = this.client.at(path, false, (inode) => ({ inode }))
    if (typeof source === "number") return source
    const place = this.client.walk(to, false)
    if (typeof place === "number") return place
    if (!this.client.maySourceLink(this.state.expect(source.inode))) {
      const found = this.client.call(operations.lookup, place)
      if (found === Errno.ENOENT) return Errno.EPERM
    }
    return done(this.client.call(operations.link, { ...source, ...place }))
  }

  private rename({ flag, path, to }: Of<"rename">): Outcome | Errno {
    const from = this.client.walk(path, false)
    if (typeof from === "number") return from
    // The kernel may search the first directory before it walks to the second.
    const found = this.client.call(operations.lookup, from)
    if (found === Errno.EACCES || found === Errno.ENOTDIR) return found
    const target = this.client.walk(to, false)
    if (typeof target === "number") return target
    return done(this.client.call(operations.rename, {
      fromParent: from.parent,
      fromName: from.name,
      toParent: target.parent,
      toName: target.name,
      mode: flag
    }))
  }

  private setAttributes(path: Path, follow: boolean, wanted: Partial<typeof NOTHING>): Outcome | Errno {
    return done(
      this.client.at(
        path,
        follow,
        (inode) => this.client.call(operations.setAttributes, { ...NOTHING, ...wanted, inode })
      )
    )
  }

  private access({ path, wanted }: Of<"access">): Outcome | Errno {
    return this.client.at(path, true, (inode) => {
      const asksToRun = (wanted & Access.EXECUTE) !== 0 && Mode.isRegular(this.state.expect(inode).mode)
      return asksToRun && this.traits.noexec ? SKIP : done(this.client.call(operations.testAccess, { inode, wanted }))
    })
  }

  private list({ path }: Of<"list">): Outcome | Errno {
    const page = { handle: 0, after: "", count: Limits.listingEntriesMax, plus: false }
    const reply = this.client.at(path, true, (inode) => this.client.call(operations.readDirectory, { inode, ...page }))
    return typeof reply === "number" ? reply : listed(reply.entries.map(({ name }) => name))
  }

  private losesSetGroupId(inode: number, xattr: ByteString): boolean {
    return Quirks.losesSetGroupId(this.traits, this.state.expect(inode), xattr)
  }

  /** Changes one name; the kernel walks to its directory first. */
  private inDirectory(path: Path, use: (place: Place) => unknown): Outcome | Errno {
    const place = this.client.walk(path, false)
    return typeof place === "number" ? place : done(use(place))
  }

  /** The kernel looks at an attribute's name before it walks the path. */
  private atNamed<Reply>(path: Path, name: ByteString, use: (inode: number) => Reply): Reply | Errno {
    const bad = name.length === 0 || name.length > Limits.xattrNameBytesMax
    return this.client.at(bad ? [] : path, false, use)
  }
}

const PAGE_BYTES = 4096

const NOTHING: {
  readonly handle: number
  readonly mode: number | undefined
  readonly uid: number | undefined
  readonly gid: number | undefined
  readonly size: number | undefined
  readonly atime: { readonly now: boolean; readonly time: Timestamp.Timestamp } | undefined
  readonly mtime: { readonly now: boolean; readonly time: Timestamp.Timestamp } | undefined
} = {
  handle: 0,
  mode: undefined,
  uid: undefined,
  gid: undefined,
  size: undefined,
  atime: undefined,
  mtime: undefined
}

const momentOf = (moment: Moment): (typeof NOTHING)["atime"] => {
  if (moment === "omit") return undefined
  return moment === "now" ? { now: true, time: Timestamp.zero } : { now: false, time: moment }
}

/** File capabilities are checked before any file system sees them: cap_convert_nscap of Linux. */
const capabilityProblem = (name: ByteString, value: ByteString, asRoot: boolean): Errno | undefined => {
  if (name !== "security.capability") return undefined
  if (value.length !== CAPABILITY_BYTES || value.charCodeAt(3) !== CAPABILITY_REVISION) return Errno.EINVAL
  return asRoot ? undefined : Errno.EPERM
}

const CAPABILITY_BYTES = 20
const CAPABILITY_REVISION = 2

const hex = (bytes: ByteString): string => Buffer.from(bytes, "latin1").toString("hex")

/** An operation's answer without its value. */
const done = (reply: unknown): Outcome | Errno =>
  typeof reply === "number" ? (reply as Errno) : reply === SKIP ? SKIP : "ok"

const listed = (names: ReadonlyArray<ByteString>): Outcome => ["ok", ...names.map(hex).sort()].join(" ")
