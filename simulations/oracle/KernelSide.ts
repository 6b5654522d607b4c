/**
 * One side of the comparison: Linux itself, on a directory of a local file system. It does each step as the step's
 * user, by full path, and answers what the kernel answered. It knows nothing of Cadastre.
 */
import type { ByteString } from "#domain/ByteString.ts"
import { nameOf } from "#domain/Errno.ts"
import * as Native from "#native/Posix.ts"
import { type Action, type Moment, type Path, type Slot, type Step, users } from "#simulations/oracle/Step.ts"
import { constants } from "node:fs"

/** A wait for nobody: opening a fifo must not block. */
const ALWAYS = constants.O_NONBLOCK

/** `ok`, `ok` with a value, or the name of an error. */
export type Outcome = string

export class KernelSide {
  private readonly posix: Native.Posix
  private readonly root: Buffer
  private readonly stat = Native.makeStat()
  /** Descriptors of the open files. */
  readonly slots = new Map<number, number>()

  /** `root` is an empty directory that this side may do anything with. */
  constructor(posix: Native.Posix, root: string) {
    this.posix = posix
    this.root = Buffer.from(root)
  }

  run({ action, umask, who }: Step): Outcome {
    const user = users[who]
    if (user === undefined) throw new Error(`no user ${who}`)
    this.posix.calls.setUmask(umask)
    return this.posix.asUser(user, () => this.perform(action))
  }

  /** Closes what is open. */
  dispose(): void {
    for (const slot of this.slots.keys()) this.release(slot)
  }

  pathOf(path: Path): Buffer {
    return Buffer.concat([this.root, Buffer.from(path.map((name) => `/${name}`).join(""), "latin1")])
  }

  private perform(action: Action): Outcome {
    const { calls } = this.posix
    switch (action.call) {
      case "create":
        return this.open(action, flagsOf(action) | constants.O_CREAT, action.mode)
      case "open":
        return this.open(action, flagsOf(action), 0)
      case "close":
        return numbered(this.release(action.slot))
      case "mkdir":
        return numbered(calls.mkdir(this.pathOf(action.path), action.mode))
      case "mknod":
        return numbered(calls.mknod(this.pathOf(action.path), action.mode, action.rdev))
      case "symlink":
        return numbered(calls.symlink(bytes(action.target), this.pathOf(action.path)))
      case "readlink":
        return valued(calls.readlink(this.pathOf(action.path)))
      case "link":
        return numbered(calls.link(this.pathOf(action.path), this.pathOf(action.to)))
      case "unlink":
        return numbered(calls.unlink(this.pathOf(action.path)))
      case "rmdir":
        return numbered(calls.rmdir(this.pathOf(action.path)))
      case "rename":
        return numbered(calls.rename(this.pathOf(action.path), this.pathOf(action.to), renameFlags[action.flag]))
      case "chmod":
        return numbered(calls.chmod(this.pathOf(action.path), action.mode))
      case "chown": {
        const { gid = Native.UNCHANGED, uid = Native.UNCHANGED } = action
        return numbered(calls.lchown(this.pathOf(action.path), uid, gid))
      }
      case "truncate":
        return numbered(calls.truncate(this.pathOf(action.path), action.size))
      case "utimens": {
        const path = this.pathOf(action.path)
        const { atime, mtime, nofollow } = action
        return numbered(calls.utimensat(path, ...timespec(atime), ...timespec(mtime), nofollow))
      }
      case "access":
        return numbered(calls.access(this.pathOf(action.path), action.wanted))
      case "stat":
        return numbered(calls.lstat(this.pathOf(action.path), this.stat))
      case "list": {
        const listing = calls.scandir(this.pathOf(action.path))
        return typeof listing === "number" ? numbered(listing) : listed(listing.names)
      }
      case "setxattr": {
        const { flag, name, path, value } = action
        return numbered(calls.lsetxattr(this.pathOf(path), bytes(name), bytes(value), xattrFlags[flag]))
      }
      case "getxattr":
        return valued(calls.lgetxattr(this.pathOf(action.path), bytes(action.name)))
      case "removexattr":
        return numbered(calls.lremovexattr(this.pathOf(action.path), bytes(action.name)))
      case "listxattr": {
        const names = calls.llistxattr(this.pathOf(action.path))
        return typeof names === "number" ? numbered(names) : listed(names.filter(isOurs))
      }
      case "ftruncate":
        return numbered(calls.ftruncate(this.fd(action.slot), action.size))
      case "write": {
        const data = Buffer.alloc(action.length, action.fill)
        return counted(calls.pwrite(this.fd(action.slot), data, action.offset))
      }
      case "fallocate":
        return numbered(calls.fallocate(this.fd(action.slot), action.mode, action.offset, action.length))
      case "seek": {
        const whence = action.target === "data" ? Native.SEEK_DATA : Native.SEEK_HOLE
        return counted(calls.lseek(this.fd(action.slot), action.offset, whence))
      }
      case "copy": {
        const { length, offset, slot, toOffset, toSlot } = action
        return counted(calls.copyFileRange(this.fd(slot), offset, this.fd(toSlot), toOffset, length))
      }
    }
  }

  private open({ path, slot }: { readonly path: Path; readonly slot: Slot }, flags: number, mode: number): Outcome {
    if (slot !== "none") this.release(slot)
    const fd = this.posix.calls.open(this.pathOf(path), flags | ALWAYS, mode)
    if (fd < 0) return numbered(fd)
    if (slot === "none") this.posix.close(fd)
    else this.slots.set(slot, fd)
    return "ok"
  }

  private release(slot: number): number {
    const fd = this.slots.get(slot)
    if (fd === undefined) return 0
    this.slots.delete(slot)
    return this.posix.calls.close(fd)
  }

  private fd(slot: number): number {
    const fd = this.slots.get(slot)
    if (fd === undefined) throw new Error(`slot ${slot} is empty for the kernel`)
    return fd
  }
}

const renameFlags = { replace: 0, keep: Native.RENAME_NOREPLACE, exchange: Native.RENAME_EXCHANGE }
const xattrFlags = { either: 0, create: Native.XATTR_CREATE, replace: Native.XATTR_REPLACE }
const accessFlags = [constants.O_RDONLY, constants.O_RDONLY, constants.O_WRONLY, constants.O_RDWR]

interface Opening {
  readonly access: number
  readonly truncate: boolean
  readonly exclusive?: boolean
  readonly append?: boolean
  readonly nofollow?: boolean
}

const flagsOf = ({ access, append, exclusive, nofollow, truncate }: Opening): number =>
  (accessFlags[access] ?? 0) | (truncate ? constants.O_TRUNC : 0) | (exclusive === true ? constants.O_EXCL : 0) |
  (append === true ? constants.O_APPEND : 0) | (nofollow === true ? constants.O_NOFOLLOW : 0)

const timespec = (moment: Moment): [number, number] => {
  if (moment === "now") return [0, Native.UTIME_NOW]
  return moment === "omit" ? [0, Native.UTIME_OMIT] : [moment.seconds, moment.nanos]
}

const bytes = (text: ByteString): Buffer => Buffer.from(text, "latin1")

const numbered = (result: number): Outcome => (result < 0 ? nameOf(-result) : "ok")
const counted = (result: number): Outcome => (result < 0 ? nameOf(-result) : `ok ${result}`)
const valued = (result: Buffer | number): Outcome =>
  typeof result === "number" ? numbered(result) : `ok ${result.toString("hex")}`
const listed = (names: ReadonlyArray<Buffer>): Outcome =>
  ["ok", ...names.map((name) => name.toString("hex")).sort()].join(" ")

/** Security modules give every file attributes of their own. */
const FOREIGN: ReadonlySet<string> = new Set([
  "security.selinux",
  "security.SMACK64",
  "security.apparmor",
  "security.ima",
  "security.evm"
])

/** Whether a step may have set the attribute. */
export const isOurs = (name: Buffer): boolean => !FOREIGN.has(name.toString("latin1"))
