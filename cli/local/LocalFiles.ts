/**
 * The local files that `put` reads and `get` writes: paths are bytes, times are nanoseconds. Through the native
 * part where it is built; else through Node, which rounds times to microseconds and makes no special files.
 *
 * Synchronous: for small files a thread-pool round trip costs more than the call.
 */
import { Errno } from "#domain/Errno.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as Posix from "#native/Posix.ts"
import * as Fs from "node:fs"

/** What `lstat` says. */
export interface LocalStat {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly nlink: number
  readonly size: number
  /** Bytes that the file takes on disk; fewer than its size if it has holes. */
  readonly allocated: number
  readonly rdev: number
  /** Device and inode, which name the file whatever its names are. */
  readonly identity: string
  readonly atime: Timestamp.Timestamp
  readonly mtime: Timestamp.Timestamp
}

export interface LocalFiles {
  /** Whether nothing is rounded and every kind of file can be made. */
  readonly exact: boolean
  readonly lstat: (path: Buffer) => LocalStat
  /** The same; undefined if nothing has the name. */
  readonly find: (path: Buffer) => LocalStat | undefined
  /** Names in a folder, sorted by bytes. */
  readonly list: (path: Buffer) => ReadonlyArray<Buffer>
  readonly readlink: (path: Buffer) => Buffer
  readonly symlink: (target: Buffer, path: Buffer) => void
  readonly link: (from: Buffer, to: Buffer) => void
  readonly mkdir: (path: Buffer) => void
  /** A fifo, socket or device; undefined where that needs the native part. */
  readonly mknod: ((path: Buffer, mode: number, rdev: number) => void) | undefined
  readonly remove: (path: Buffer) => void
  readonly chmod: (path: Buffer, mode: number) => void
  /** Of a link itself. */
  readonly lchown: (path: Buffer, uid: number, gid: number) => void
  /** Of a link itself. */
  readonly setTimes: (path: Buffer, atime: Timestamp.Timestamp, mtime: Timestamp.Timestamp) => void
  /** Extended attributes; undefined where they need the native part. */
  readonly xattrs: ((path: Buffer) => ReadonlyArray<readonly [name: Buffer, value: Buffer]>) | undefined
  readonly setXattr: ((path: Buffer, name: Buffer, value: Buffer) => void) | undefined
  /** Next data at or after an offset, and the hole after it; undefined where holes are not seen. */
  readonly nextData:
    | ((fd: number, offset: number, size: number) => readonly [start: number, end: number] | undefined)
    | undefined
}

/** Attributes in two parts: those that anyone may give their files, and `security.`, which a new owner takes away. */
export const divideXattrs = <A extends readonly [name: Buffer, ...rest: ReadonlyArray<unknown>]>(
  all: ReadonlyArray<A>
): readonly [plain: ReadonlyArray<A>, security: ReadonlyArray<A>] => {
  const isSecurity = ([name]: A): boolean => name.toString("latin1").startsWith("security.")
  return [all.filter((one) => !isSecurity(one)), all.filter(isSecurity)]
}

/** What the local system refused; `code` is symbolic, such as `EACCES`. */
export const codeOf = (cause: unknown): string => {
  const { code } = cause as { readonly code?: unknown }
  return typeof code === "string" ? code : "unknown error"
}

export const open = (): LocalFiles => {
  const posix = Posix.load()
  return posix === undefined ? overNode : overPosix(posix)
}

const BLOCK_BYTES = 512

const overPosix = (posix: Posix.Posix): LocalFiles => {
  const into = Posix.makeStat()
  const field = (index: number): number => into[index] as number
  const { Stat } = Posix
  const found = (): LocalStat => ({
    mode: field(Stat.mode),
    uid: field(Stat.uid),
    gid: field(Stat.gid),
    nlink: field(Stat.nlink),
    size: field(Stat.size),
    allocated: field(Stat.blocks) * BLOCK_BYTES,
    rdev: field(Stat.rdev),
    identity: `${field(Stat.dev)}:${field(Stat.ino)}`,
    atime: { seconds: field(Stat.atimeSeconds), nanos: field(Stat.atimeNanos) },
    mtime: { seconds: field(Stat.mtimeSeconds), nanos: field(Stat.mtimeNanos) }
  })
  return {
    exact: true,
    lstat: (path) => {
      posix.lstat(path, into)
      return found()
    },
    // Without an error for what is usual: most names that are looked for are free.
    find: (path) => {
      const result = posix.calls.lstat(path, into)
      if (result >= 0) return found()
      if (result === -Errno.ENOENT) return undefined
      posix.lstat(path, into)
      return found()
    },
    list: (path) => [...posix.scandir(path).names].sort((a, b) => Buffer.compare(a, b)),
    readlink: (path) => posix.readlink(path),
    symlink: (target, path) => void posix.symlink(target, path),
    link: (from, to) => void posix.link(from, to),
    mkdir: (path) => void posix.mkdir(path, PRIVATE_FOLDER),
    mknod: (path, mode, rdev) => void posix.mknod(path, mode, rdev),
    remove: (path) => void posix.unlink(path),
    chmod: (path, mode) => void posix.chmod(path, mode),
    lchown: (path, uid, gid) => void posix.lchown(path, uid, gid),
    setTimes: (path, atime, mtime) =>
      void posix.utimensat(path, atime.seconds, atime.nanos, mtime.seconds, mtime.nanos, true),
    xattrs: (path) => {
      const names = posix.calls.llistxattr(path)
      if (typeof names === "number") return []
      return names.map((name) => [name, posix.lgetxattr(path, name)] as const)
    },
    setXattr: (path, name, value) => void posix.lsetxattr(path, name, value, 0),
    nextData: (fd, offset, size) => {
      const start = posix.calls.lseek(fd, offset, Posix.SEEK_DATA)
      if (start < 0 || start >= size) return undefined
      const end = posix.calls.lseek(fd, start, Posix.SEEK_HOLE)
      return [start, end < 0 ? size : Math.min(end, size)]
    }
  }
}

/** A folder is closed while it is being filled; its own permissions come last. */
const PRIVATE_FOLDER = 0o700
const NANOS = 1_000_000_000

const fromNode = (stat: Fs.BigIntStats): LocalStat => ({
  mode: Number(stat.mode),
  uid: Number(stat.uid),
  gid: Number(stat.gid),
  nlink: Number(stat.nlink),
  size: Number(stat.size),
  allocated: Number(stat.blocks) * BLOCK_BYTES,
  rdev: Number(stat.rdev),
  identity: `${stat.dev}:${stat.ino}`,
  atime: Timestamp.fromNanos(stat.atimeNs),
  mtime: Timestamp.fromNanos(stat.mtimeNs)
})

const overNode: LocalFiles = {
  exact: false,
  lstat: (path) => fromNode(Fs.lstatSync(path, { bigint: true })),
  find: (path) => {
    const stat = Fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })
    return stat === undefined ? undefined : fromNode(stat)
  },
  list: (path) => Fs.readdirSync(path, { encoding: "buffer" }).sort((a, b) => Buffer.compare(a, b)),
  readlink: (path) => Fs.readlinkSync(path, { encoding: "buffer" }),
  symlink: (target, path) => Fs.symlinkSync(target, path),
  link: (from, to) => Fs.linkSync(from, to),
  mkdir: (path) => Fs.mkdirSync(path, { mode: PRIVATE_FOLDER }),
  mknod: undefined,
  remove: (path) => Fs.unlinkSync(path),
  chmod: (path, mode) => Fs.chmodSync(path, mode),
  lchown: (path, uid, gid) => Fs.lchownSync(path, uid, gid),
  setTimes: (path, atime, mtime) => Fs.lutimesSync(path, inSeconds(atime), inSeconds(mtime)),
  xattrs: undefined,
  setXattr: undefined,
  nextData: undefined
}

const inSeconds = ({ nanos, seconds }: Timestamp.Timestamp): number => seconds + nanos / NANOS

/** The path of a name in a folder. */
export const joinPath = (folder: Buffer, name: Uint8Array): Buffer =>
  folder.length === 0 || folder[folder.length - 1] === SLASH
    ? Buffer.concat([folder, name])
    : Buffer.concat([folder, SEPARATOR, name])

const SLASH = 0x2f
const SEPARATOR = Buffer.from("/")
