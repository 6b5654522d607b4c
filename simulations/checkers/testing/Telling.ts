/**
 * Histories told by hand: operations in the order in which they begin and end. For tests of the checkers alone.
 */
import { Errno, type ErrnoName } from "#domain/Errno.ts"
import * as Mode from "#domain/Mode.ts"
import type { OperationName, ReplyOf, RequestOf } from "#domain/Operations.ts"
import type { Observation, OutcomeOf } from "#simulations/history/History.ts"

/** What a client is told: a refusal by its name, or the reply. */
export type Told<Name extends OperationName> = ErrnoName | ReplyOf<Name>

interface Begun<Name extends OperationName> {
  ends(told: Told<Name>): void
}

export class Telling {
  private readonly all: Array<{ -readonly [Field in keyof Observation]: Observation[Field] }> = []
  private moment = 0

  get observations(): ReadonlyArray<Observation> {
    return this.all as ReadonlyArray<Observation>
  }

  /** Begins, and ends when it is told to; if never, nobody learns what came of it. */
  begins<Name extends OperationName>(client: number, operation: Name, request: RequestOf<Name>): Begun<Name> {
    const index = this.all.filter((observation) => observation.client === client).length
    const begun = ++this.moment
    const observation = { client, index, begun, ended: undefined, operation, request, outcome: undefined }
    const told = observation as unknown as (typeof this.all)[number]
    this.all.push(told)
    return {
      ends: (reply) => {
        told.ended = ++this.moment
        told.outcome = outcomeOf(reply) as typeof told.outcome
      }
    }
  }

  /** Begins and ends before anything else does. */
  does<Name extends OperationName>(client: number, operation: Name, request: RequestOf<Name>, told: Told<Name>): this {
    this.begins(client, operation, request).ends(told)
    return this
  }

  /** Nobody learns what came of it. */
  loses<Name extends OperationName>(client: number, operation: Name, request: RequestOf<Name>): this {
    this.begins(client, operation, request)
    return this
  }
}

const outcomeOf = <Name extends OperationName>(told: Told<Name>): OutcomeOf<Name> =>
  typeof told === "string" ? { errno: Errno[told as ErrnoName] } : { errno: 0, reply: told as ReplyOf<Name> }

type Attributes = ReplyOf<"getAttributes">["attributes"]

const never = { seconds: 0, nanos: 0 }

export const fileOf = (inode: number, fields: Partial<Attributes> = {}): Attributes => ({
  inode,
  mode: Mode.S_IFREG | 0o644,
  uid: 0,
  gid: 0,
  nlink: 1,
  size: 0,
  dataBytes: fields.size ?? 0,
  rdev: 0,
  atime: never,
  mtime: never,
  ctime: never,
  ...fields
})

export const directoryOf = (inode: number, nlink = 2): Attributes =>
  fileOf(inode, { mode: Mode.S_IFDIR | 0o755, nlink, size: 4096 })

export const symlinkOf = (inode: number): Attributes => fileOf(inode, { mode: Mode.S_IFLNK | 0o777, size: 1 })

/** Requests with the fields that hardly ever matter filled in. */
export const creating = (parent: number, name: string, fields: Partial<RequestOf<"create">> = {}) => ({
  parent,
  name,
  mode: 0o644,
  umask: 0,
  exclusive: false,
  truncate: false,
  access: 0,
  ...fields
})

export const making = (parent: number, name: string) => ({ parent, name, mode: 0o755, umask: 0 })

export const renaming = (
  fromParent: number,
  fromName: string,
  toParent: number,
  toName: string,
  mode: RequestOf<"rename">["mode"] = "replace"
) => ({ fromParent, fromName, toParent, toName, mode })

export const listing = (inode: number, after = "", count = 1000) => ({ inode, handle: 0, after, count, plus: false })

/** A page of files, or of what stands before a name: `d:` for a directory. */
export const page = (
  entries: { readonly [name: string]: number },
  end = true,
  parent = 1
): ReplyOf<"readDirectory"> => ({
  parent,
  end,
  entries: Object.entries(entries).map(([name, inode]) => ({
    name: name.replace("d:", ""),
    inode,
    type: name.startsWith("d:") ? 4 : 8,
    attributes: undefined
  }))
})

export const writing = (inode: number, offset: number, length: number, slice: number, handle = 0) => ({
  inode,
  handle,
  offset,
  append: false,
  pieces: [{ length, slice, sliceOffset: 0, sliceBytes: length }]
})

export const appending = (inode: number, length: number, slice: number) => ({
  ...writing(inode, 0, length, slice),
  append: true
})

export const reading = (inode: number, length = 1_000_000) => ({ inode, handle: 0, offset: 0, length })

/** Extents as `[offset, length, slice]`, each the whole of its slice unless told otherwise. */
export const extents = (
  size: number,
  ...runs: ReadonlyArray<readonly [offset: number, length: number, slice: number, from?: number, bytes?: number]>
): ReplyOf<"readExtents"> => ({
  size,
  length: size,
  extents: runs.map(([offset, length, slice, sliceOffset = 0, sliceBytes = length]) => ({
    offset,
    length,
    slice,
    sliceOffset,
    sliceBytes
  }))
})

export const setting = (inode: number, fields: Partial<RequestOf<"setAttributes">>): RequestOf<"setAttributes"> => ({
  inode,
  handle: 0,
  mode: undefined,
  uid: undefined,
  gid: undefined,
  size: undefined,
  atime: undefined,
  mtime: undefined,
  ...fields
})

export const locking = (
  inode: number,
  type: "read" | "write",
  fields: Partial<RequestOf<"lock">> = {}
): RequestOf<"lock"> => ({
  inode,
  family: "posix",
  owner: 1,
  start: 0,
  end: 99,
  type,
  pid: 7,
  wait: false,
  ...fields
})

export const unlocking = (inode: number, fields: Partial<RequestOf<"unlock">> = {}): RequestOf<"unlock"> => ({
  inode,
  family: "posix",
  owner: 1,
  start: 0,
  end: 99,
  ...fields
})
