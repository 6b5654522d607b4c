/**
 * One system call of a script, as data that both sides understand: the kernel by path, the domain by inode.
 * It names what it means by path, so that a script stays a script when steps are left out.
 */
import type { ByteString } from "#domain/ByteString.ts"
import * as Mode from "#domain/Mode.ts"
import type { User } from "#native/Posix.ts"

/** From the root of the tree; empty for the root itself. */
export type Path = ReadonlyArray<ByteString>

export const users: ReadonlyArray<User & { readonly name: string }> = [
  { name: "root", uid: 0, gid: 0, groups: [] },
  { name: "alice", uid: 1001, gid: 1001, groups: [2001] },
  { name: "bob", uid: 1002, gid: 1002, groups: [2001, 2002] },
  { name: "carol", uid: 1003, gid: 1001, groups: [] }
]

/** A time to set: the present moment, left as it is, or given. */
export type Moment = "now" | "omit" | { readonly seconds: number; readonly nanos: number }

/** Open files stand in slots; a slot that is taken is closed first. `none` closes the file at once. */
export type Slot = number | "none"

export type Action =
  | {
    readonly call: "create"
    readonly path: Path
    readonly mode: number
    readonly exclusive: boolean
    readonly truncate: boolean
    /** Bits of `Session.Access`. */
    readonly access: number
    readonly slot: Slot
  }
  | {
    readonly call: "open"
    readonly path: Path
    readonly access: number
    readonly truncate: boolean
    readonly append: boolean
    readonly nofollow: boolean
    readonly slot: Slot
  }
  | { readonly call: "close"; readonly slot: number }
  | { readonly call: "mkdir"; readonly path: Path; readonly mode: number }
  | { readonly call: "mknod"; readonly path: Path; readonly mode: number; readonly rdev: number }
  | { readonly call: "symlink"; readonly path: Path; readonly target: ByteString }
  | { readonly call: "readlink"; readonly path: Path }
  | { readonly call: "link"; readonly path: Path; readonly to: Path }
  | { readonly call: "unlink"; readonly path: Path }
  | { readonly call: "rmdir"; readonly path: Path }
  | {
    readonly call: "rename"
    readonly path: Path
    readonly to: Path
    readonly flag: "replace" | "keep" | "exchange"
  }
  | { readonly call: "chmod"; readonly path: Path; readonly mode: number }
  | {
    readonly call: "chown"
    readonly path: Path
    readonly uid: number | undefined
    readonly gid: number | undefined
  }
  | { readonly call: "truncate"; readonly path: Path; readonly size: number }
  | {
    readonly call: "utimens"
    readonly path: Path
    readonly atime: Moment
    readonly mtime: Moment
    readonly nofollow: boolean
  }
  | { readonly call: "access"; readonly path: Path; readonly wanted: number }
  | { readonly call: "stat"; readonly path: Path }
  | { readonly call: "list"; readonly path: Path }
  | {
    readonly call: "setxattr"
    readonly path: Path
    readonly name: ByteString
    readonly value: ByteString
    readonly flag: "either" | "create" | "replace"
  }
  | { readonly call: "getxattr"; readonly path: Path; readonly name: ByteString }
  | { readonly call: "removexattr"; readonly path: Path; readonly name: ByteString }
  | { readonly call: "listxattr"; readonly path: Path }
  | { readonly call: "ftruncate"; readonly slot: number; readonly size: number }
  | {
    readonly call: "write"
    readonly slot: number
    readonly offset: number
    readonly length: number
    /** The byte written over and over. */
    readonly fill: number
  }
  | {
    readonly call: "fallocate"
    readonly slot: number
    readonly mode: number
    readonly offset: number
    readonly length: number
  }
  | { readonly call: "seek"; readonly slot: number; readonly offset: number; readonly target: "data" | "hole" }
  | {
    readonly call: "copy"
    readonly slot: number
    readonly offset: number
    readonly toSlot: number
    readonly toOffset: number
    readonly length: number
  }

export interface Step {
  /** Index in `users`. */
  readonly who: number
  readonly umask: number
  readonly action: Action
}

export type Call = Action["call"]

/** The step as a line that a person can read. */
export const format = ({ action, umask, who }: Step): string => {
  const { call, ...rest } = action
  const words = Object.entries(rest).map(([field, value]) => word(field, value))
  return `${users[who]?.name} (umask ${octal(umask)}): ${call} ${words.filter((text) => text !== "").join(" ")}`
}

const OCTAL_FIELDS: ReadonlySet<string> = new Set(["mode"])

const word = (field: string, value: unknown): string => {
  if (field === "path") return pathOf(value as Path)
  if (field === "to") return `to ${pathOf(value as Path)}`
  if (value === true) return field
  if (value === false) return ""
  if (value === undefined) return `${field}=unchanged`
  if (OCTAL_FIELDS.has(field)) return `${field}=${modeOf(value as number)}`
  if (typeof value === "string") return `${field}=${printable(value)}`
  if (typeof value === "number") return `${field}=${value}`
  return `${field}=${JSON.stringify(value)}`
}

const modeOf = (mode: number): string =>
  (mode & Mode.S_IFMT) === 0 ? octal(mode) : `${Mode.kindOf(mode)} ${octal(mode & Mode.PERMISSIONS)}`

export const octal = (bits: number): string => `0${bits.toString(8)}`

export const pathOf = (path: Path): string => `/${path.map(printable).join("/")}`

const LONG = 40

/** Bytes for people: what is no printable ASCII in hexadecimal, and long ones cut. */
export const printable = (bytes: ByteString): string => {
  const shown = bytes.length > LONG ? bytes.slice(0, 8) : bytes
  const text = /^[ -~]*$/.test(shown) ? shown : `0x${Buffer.from(bytes, "latin1").toString("hex")}`
  return bytes.length > LONG && text === shown ? `${text}...(${bytes.length} bytes)` : text
}
