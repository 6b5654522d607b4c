/**
 * Linux system calls that Node lacks or rounds: nanosecond times, special files, attributes, holes, byte paths.
 * It is optional: `load` gives undefined where `native/build.sh` has not built it. It knows nothing of Cadastre.
 *
 * Paths and names are bytes. All calls are synchronous, on the calling thread.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { getSystemErrorMap } from "node:util"

/** Where `lstat` puts what it finds. Sizes in bytes, `blocks` of 512 bytes. */
export const Stat = {
  mode: 0,
  uid: 1,
  gid: 2,
  nlink: 3,
  size: 4,
  rdev: 5,
  dev: 6,
  ino: 7,
  blocks: 8,
  atimeSeconds: 9,
  atimeNanos: 10,
  mtimeSeconds: 11,
  mtimeNanos: 12,
  ctimeSeconds: 13,
  ctimeNanos: 14
} as const
const STAT_FIELDS = 15

/** Room for one `lstat`. Every field is exact up to 2^53; an inode number beyond needs a BigInt64Array. */
export const makeStat = (): Float64Array => new Float64Array(STAT_FIELDS)

/** In place of nanoseconds in `utimensat`. */
export const UTIME_NOW = 0x3fff_ffff
export const UTIME_OMIT = 0x3fff_fffe
/** Flags of `rename`. */
export const RENAME_NOREPLACE = 1
export const RENAME_EXCHANGE = 2
/** Flags of `lsetxattr`. */
export const XATTR_CREATE = 1
export const XATTR_REPLACE = 2
/** In place of an owner in `lchown`: stays as it is. */
export const UNCHANGED = -1
export const SEEK_DATA = 3
export const SEEK_HOLE = 4

/** The entries of a directory in the order of the file system, `.` and `..` left out. */
export interface Listing {
  readonly names: ReadonlyArray<Buffer>
  /** `d_type` of each: directory 4, regular file 8, symbolic link 10, unknown to the file system 0. */
  readonly types: Uint8Array
}

export interface FileSystemInfo {
  /** Magic number, such as 0xef53 of ext4. */
  readonly type: number
  readonly blockBytes: number
  readonly blocks: number
  /** For ordinary users. */
  readonly blocksAvailable: number
}

/**
 * The calls as the kernel answers them: a value, or a number from 0, on success; -errno on failure. For loops in
 * which a failure is an answer like others: nothing is thrown and nothing allocated for it.
 */
export interface Calls {
  lstat(path: Uint8Array, into: Float64Array | BigInt64Array): number
  fstat(fd: number, into: Float64Array | BigInt64Array): number
  utimensat(
    path: Uint8Array,
    atimeSeconds: number,
    atimeNanos: number,
    mtimeSeconds: number,
    mtimeNanos: number,
    nofollow: boolean
  ): number
  chmod(path: Uint8Array, mode: number): number
  lchown(path: Uint8Array, uid: number, gid: number): number
  /** By the effective ids. `wanted`: read 4, write 2, execute 1, or 0 for existence. */
  access(path: Uint8Array, wanted: number): number
  /** Fifos, sockets, devices, files. `mode` with the type; `rdev` as makedev packs it. */
  mknod(path: Uint8Array, mode: number, rdev: number): number
  mkdir(path: Uint8Array, mode: number): number
  symlink(target: Uint8Array, path: Uint8Array): number
  readlink(path: Uint8Array): Buffer | number
  /** Does not follow a symbolic link: it links the link. */
  link(from: Uint8Array, to: Uint8Array): number
  rename(from: Uint8Array, to: Uint8Array, flags: number): number
  unlink(path: Uint8Array): number
  rmdir(path: Uint8Array): number
  scandir(path: Uint8Array): Listing | number
  /** The descriptor, closed on exec. `flags` from `fs.constants`. */
  open(path: Uint8Array, flags: number, mode: number): number
  close(fd: number): number
  truncate(path: Uint8Array, size: number): number
  ftruncate(fd: number, size: number): number
  fallocate(fd: number, mode: number, offset: number, length: number): number
  /** The new offset. */
  lseek(fd: number, offset: number, whence: number): number
  /** Bytes read. */
  pread(fd: number, into: Uint8Array, offset: number): number
  /** Bytes written. */
  pwrite(fd: number, from: Uint8Array, offset: number): number
  /** Bytes copied. */
  copyFileRange(from: number, fromOffset: number, to: number, toOffset: number, length: number): number
  lgetxattr(path: Uint8Array, name: Uint8Array): Buffer | number
  lsetxattr(path: Uint8Array, name: Uint8Array, value: Uint8Array, flags: number): number
  lremovexattr(path: Uint8Array, name: Uint8Array): number
  llistxattr(path: Uint8Array): ReadonlyArray<Buffer> | number
  statfs(path: Uint8Array): FileSystemInfo | number
  /** The mask before. It is the whole process's. */
  setUmask(mask: number): number
  /**
   * Gives the room that the C library's allocator keeps for more back to the system: 1 if there was any. It took
   * 25 ms for 100 MB.
   */
  trimMemory(): number
}

/** The same calls, but a failure throws `PosixError`. */
export type Throwing = {
  readonly [Name in keyof Calls]: (...args: Parameters<Calls[Name]>) => ValueOf<ReturnType<Calls[Name]>>
}
type ValueOf<Result> = [Result] extends [number] ? number : Exclude<Result, number>

export interface User {
  readonly uid: number
  readonly gid: number
  readonly groups: ReadonlyArray<number>
}

export interface Posix extends Throwing {
  readonly calls: Calls
  /**
   * Runs a synchronous function with another effective identity, of this thread alone, and gives what it gives.
   * Needs the right to change identity. The process aborts if the thread cannot become what it was.
   */
  asUser<Value>(user: User, run: () => Value): Value
}

/** A system call failed. */
export class PosixError extends Error {
  override readonly name = "PosixError"
  readonly errno: number
  /** Symbolic, such as `ENOENT`. */
  readonly code: string
  readonly syscall: string

  constructor(syscall: string, errno: number, paths: ReadonlyArray<Uint8Array>) {
    const [code, text] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, "unknown error"]
    super([syscall, ...paths.map((path) => Buffer.from(path).toString())].join(" ") + `: ${text} (${code})`)
    this.errno = errno
    this.code = code
    this.syscall = syscall
  }
}

const require = createRequire(import.meta.url)
let loaded: Posix | undefined

/** The calls; undefined if they are not built. A file that was built but does not load is an error. */
export const load = (): Posix | undefined => {
  const file = fileURLToPath(new URL("build/posix.node", import.meta.url))
  if (loaded === undefined && existsSync(file)) loaded = make(open(file))
  return loaded
}

/** What the addon exports: a listing comes packed, and a function's value stays with its caller. */
interface Addon extends Omit<Calls, "scandir"> {
  scandir(path: Uint8Array): Buffer | number
  asUser(uid: number, gid: number, groups: Uint32Array, run: () => void): number
}

const open = (file: string): Addon => {
  try {
    return require(file) as Addon
  } catch (cause) {
    throw new Error(`${file} does not load; remove it and run native/build.sh again`, { cause })
  }
}

const make = ({ asUser, scandir, ...others }: Addon): Posix => {
  const calls: Calls = {
    ...others,
    scandir: (path) => {
      const packed = scandir(path)
      return typeof packed === "number" ? packed : unpack(packed)
    }
  }
  return {
    ...throwing(calls),
    calls,
    asUser: <Value>(user: User, run: () => Value): Value => {
      const value: Array<Value> = []
      const outcome = asUser(user.uid, user.gid, Uint32Array.from(user.groups), () => {
        value.push(run())
      })
      if (outcome < 0) throw new PosixError("asUser", -outcome, [])
      return value[0] as Value
    }
  }
}

const throwing = (calls: Calls): Throwing => {
  const wrapped = Object.entries(calls).map(([name, call]: [string, (...args: Array<unknown>) => unknown]) => [
    name,
    (...args: Array<unknown>): unknown => {
      const result = call(...args)
      if (typeof result !== "number" || result >= 0) return result
      throw new PosixError(name, -result, args.filter((argument) => argument instanceof Uint8Array))
    }
  ])
  return Object.fromEntries(wrapped) as Throwing
}

const RECORD_HEADER_BYTES = 3

/** Records of type (1 byte), length of the name (2, little-endian), name. */
const unpack = (packed: Buffer): Listing => {
  const names: Array<Buffer> = []
  const types: Array<number> = []
  for (let at = 0; at < packed.length;) {
    const start = at + RECORD_HEADER_BYTES
    const end = start + packed.readUInt16LE(at + 1)
    types.push(packed.readUInt8(at))
    names.push(packed.subarray(start, end))
    at = end
  }
  return { names, types: Uint8Array.from(types) }
}
