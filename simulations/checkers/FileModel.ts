/**
 * One file as POSIX has it: its bytes by the slices that hold them, size, owner, mode, extended attributes, and who
 * has it open. Files are judged each on its own, and every file begins empty. No rights (everything is asked by
 * root), no times, no names: those are the affair of `DirectoryModel`. `domain/` decided none of it.
 *
 * What it does not follow, it forgets rather than guesses: bytes and size after `allocate` and `copyRange`, the mode
 * after a change of an access control list.
 */
import { Errno } from "#domain/Errno.ts"
import * as Mode from "#domain/Mode.ts"
import type { ReplyOf } from "#domain/Operations.ts"
import * as Content from "#simulations/checkers/Content.ts"
import type { Model } from "#simulations/checkers/Linearizability.ts"
import { NONE, Reason, verdict } from "#simulations/checkers/Reasons.ts"
import { isDecided, isRefused, type Observation, type ObservationOf } from "#simulations/history/History.ts"

type Attributes = ReplyOf<"getAttributes">["attributes"]

export interface File {
  /** Nobody can reach it any more, for ever. */
  readonly gone: boolean
  /** UNSEEN until a reply shows it. */
  readonly type: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Undefined once something happened that is not followed. */
  readonly content: Content.Content | undefined
  readonly xattrs: ReadonlyMap<string, string>
  /** By client and handle: what it was opened for. */
  readonly handles: ReadonlyMap<string, number>
}

const UNSEEN = -1

const START: File = {
  gone: false,
  type: UNSEEN,
  mode: UNSEEN,
  uid: UNSEEN,
  gid: UNSEEN,
  content: Content.empty,
  xattrs: new Map(),
  handles: new Map()
}

export class FileModel implements Model<File> {
  initial(): File {
    return START
  }

  step(file: File, observation: Observation): File | undefined {
    const errno = isDecided(observation) ? observation.outcome?.errno ?? 0 : 0
    // Whoever holds it open keeps it.
    if (errno === Errno.ESTALE && !file.gone) return file.handles.size > 0 ? undefined : { ...file, gone: true }
    switch (verdict(observation, reasonsOf(file, observation))) {
      case "happens":
        return after(file, observation)
      case "changes nothing":
        return file
      case "contradicts":
        return isBeyond(file, observation, errno) ? file : undefined
    }
  }

  key({ content, gid, gone, handles, mode, type, uid, xattrs }: File): string {
    const parts = [gone ? 1 : 0, type, mode, uid, gid, content?.key ?? ""].join()
    return handles.size + xattrs.size === 0 ? parts : `${parts}|${listed(handles)}|${listed(xattrs)}`
  }

  partition(observations: ReadonlyArray<Observation>): ReadonlyArray<ReadonlyArray<Observation>> {
    const files = new Map<number, Array<Observation>>()
    const add = (inode: number, view: Observation): void => {
      const file = files.get(inode)
      if (file === undefined) files.set(inode, [view])
      else file.push(view)
    }
    const ofMany: Array<Observation> = []
    for (const observation of observations) {
      for (const [inode, view] of viewsOf(observation)) {
        if (inode === ANY) ofMany.push(view)
        else add(inode, view)
      }
    }
    return [...files.values()].map((file) => [...file, ...ofMany.filter((observation) => mayTouch(observation, file))])
  }

  describe({ content, gid, gone, handles, mode, uid, xattrs }: File): string {
    if (gone) return "gone"
    const runs = content?.runs.map(({ length, offset, slice, sliceOffset }) =>
      `${offset}+${length}=${slice}@${sliceOffset}`
    )
    return [
      content === undefined ? "bytes unknown" : `size ${content.size}, runs [${runs?.join(", ")}]`,
      mode === UNSEEN ? "mode not seen" : `mode ${mode.toString(8)}`,
      uid === UNSEEN ? "owner not seen" : `owner ${uid}:${gid}`,
      `attributes {${listed(xattrs)}}`,
      `open {${listed(handles)}}`
    ].join("; ")
  }
}

const listed = (map: ReadonlyMap<string, unknown>): string =>
  [...map].map(([key, value]) => `${JSON.stringify(key)}:${value}`).sort().join()

const READ = 1
const WRITE = 2
const FILE_BYTES_MAX = Number.MAX_SAFE_INTEGER

/** Every reason to refuse the operation. */
const reasonsOf = (file: File, observation: Observation): number =>
  (file.gone ? Reason.ESTALE : NONE) | ownReasonsOf(file, observation)

const ownReasonsOf = (file: File, observation: Observation): number => {
  switch (observation.operation) {
    case "readExtents":
      return reasonsOfUse(file, observation, READ)
    case "write": {
      const { append, offset, pieces } = observation.request
      const first = append ? file.content?.size ?? 0 : offset
      const end = pieces.reduce((sum, { length }) => sum + length, first)
      return reasonsOfUse(file, observation, WRITE) | (end > FILE_BYTES_MAX ? Reason.EFBIG : NONE)
    }
    case "setAttributes":
      return reasonsOfSetting(file, observation)
    case "open":
      return reasonsOfOpening(file, observation.request)
    case "release":
      return handleOf(file, observation) === undefined ? Reason.EBADF : NONE
    case "setXattr":
      return reasonsOfSetXattr(file, observation.request)
    case "getXattr":
      return reasonsOfXattr(file, observation.request.name, Reason.ENODATA) |
        (file.xattrs.has(observation.request.name) ? NONE : Reason.ENODATA)
    case "removeXattr":
      return reasonsOfXattr(file, observation.request.name, Reason.EPERM) |
        (file.xattrs.has(observation.request.name) ? NONE : Reason.ENODATA)
    default:
      return NONE
  }
}

interface ByHandle {
  readonly client: number
  readonly request: { readonly handle: number }
}

const handleKey = (client: number, handle: number): string => `${client}:${handle}`

const handleOf = (file: File, { client, request }: ByHandle): number | undefined =>
  file.handles.get(handleKey(client, request.handle))

const isRegular = ({ type }: File): boolean => type === UNSEEN || type === Mode.S_IFREG

const reasonsOfType = (file: File): number => {
  if (isRegular(file)) return NONE
  return file.type === Mode.S_IFDIR ? Reason.EISDIR : Reason.EINVAL
}

const reasonsOfUse = (file: File, by: ByHandle, use: number): number => {
  const open = by.request.handle === 0 ? use : handleOf(file, by) ?? 0
  return reasonsOfType(file) | ((open & use) === 0 ? Reason.EBADF : NONE)
}

const reasonsOfSetting = (file: File, observation: ObservationOf<"setAttributes">): number => {
  const { handle, mode, size } = observation.request
  const ofMode = mode !== undefined && file.type === Mode.S_IFLNK ? Reason.EOPNOTSUPP : NONE
  if (size === undefined) return ofMode
  const ofSize = size > FILE_BYTES_MAX ? Reason.EFBIG : NONE
  if (handle === 0) return ofMode | ofSize | reasonsOfType(file)
  const open = handleOf(file, observation)
  if (open === undefined) return ofMode | ofSize | Reason.EBADF
  return ofMode | ofSize | ((open & WRITE) === 0 || !isRegular(file) ? Reason.EINVAL : NONE)
}

const reasonsOfOpening = (file: File, { access, truncate }: { readonly access: number; readonly truncate: boolean }) =>
  (access < 1 || access > (READ | WRITE) ? Reason.EINVAL : NONE) |
  (file.type === Mode.S_IFLNK ? Reason.ELOOP : NONE) |
  (file.type === Mode.S_IFDIR && (truncate || (access & WRITE) !== 0) ? Reason.EISDIR : NONE)

const XATTR_NAME_BYTES_MAX = 255
const XATTR_VALUE_BYTES_MAX = 65_536

const isAcl = (name: string): boolean => name.startsWith("system.posix_acl_")

/** The name spaces of Linux; `foreign` is for a user attribute of what is neither file nor directory. */
const reasonsOfXattr = (file: File, name: string, foreign: number): number => {
  const sized = name === "" || name.length > XATTR_NAME_BYTES_MAX ? Reason.ERANGE : NONE
  if (isAcl(name)) return sized | (file.type === Mode.S_IFLNK ? Reason.EOPNOTSUPP : NONE)
  const user = name.startsWith("user.")
  if (!user && !name.startsWith("trusted.") && !name.startsWith("security.")) return sized | Reason.EOPNOTSUPP
  return sized | (name.endsWith(".") ? Reason.EINVAL : NONE) |
    (user && !isRegular(file) && file.type !== Mode.S_IFDIR ? foreign : NONE)
}

const reasonsOfSetXattr = (file: File, { mode, name, value }: ObservationOf<"setXattr">["request"]): number => {
  const exists = file.xattrs.has(name)
  return reasonsOfXattr(file, name, Reason.EPERM) |
    (value.length > XATTR_VALUE_BYTES_MAX ? Reason.E2BIG : NONE) |
    (mode === "create" && exists ? Reason.EEXIST : NONE) |
    (mode === "replace" && !exists ? Reason.ENODATA : NONE)
}

/** The file once the operation happened; undefined if its reply says otherwise. */
const after = (file: File, observation: Observation): File | undefined => {
  switch (observation.operation) {
    case "getAttributes":
      return showsOwn(file, observation)
    case "create":
      return afterCreate(file, observation)
    case "open":
      return afterOpen(file, observation)
    case "release":
      return withHandles(file, (handles) => handles.delete(handleKey(observation.client, observation.request.handle)))
    case "endSession":
      return afterEnd(file, observation.client)
    case "write":
      return showsOwn(written(file, observation.request), observation)
    case "readExtents":
      return read(file, observation)
    case "setAttributes":
      return showsOwn(afterSetting(file, observation.request), observation)
    case "setXattr":
      return withXattr(file, observation.request.name, observation.request.value)
    case "removeXattr":
      return withXattr(file, observation.request.name, undefined)
    case "getXattr": {
      const value = observation.outcome?.reply?.value
      return value === undefined || file.xattrs.get(observation.request.name) === value ? file : undefined
    }
    case "listXattrs":
      return listsXattrs(file, observation.outcome?.reply?.names)
    case "allocate":
    case "copyRange":
      return { ...withoutCapability(file), content: undefined }
    default:
      return file
  }
}

type Showing =
  | ObservationOf<"getAttributes">
  | ObservationOf<"setAttributes">
  | ObservationOf<"write">
  | ObservationOf<"open">

const showsOwn = (file: File, { outcome, request }: Showing): File | undefined => {
  const attributes = outcome?.reply?.attributes
  return attributes === undefined || attributes.inode === request.inode ? shows(file, attributes) : undefined
}

/** The file, if it may look so. What was not seen yet is known from now on. */
const shows = (file: File, attributes: Attributes | undefined): File | undefined => {
  if (attributes === undefined) return file
  const { dataBytes, gid, size, uid } = attributes
  const type = attributes.mode & Mode.S_IFMT
  const mode = attributes.mode & Mode.PERMISSIONS
  if (!agrees(file.type, type) || !agrees(file.mode, mode)) return undefined
  if (!agrees(file.uid, uid) || !agrees(file.gid, gid)) return undefined
  const { content } = file
  if (type === Mode.S_IFREG && content !== undefined && (content.size !== size || content.dataBytes !== dataBytes)) {
    return undefined
  }
  const known = file.type === type && file.mode === mode && file.uid === uid && file.gid === gid
  return known ? file : { ...file, type, mode, uid, gid }
}

const agrees = (known: number, seen: number): boolean => known === UNSEEN || known === seen

/** An undecided one that found a file has at most cut it. */
const afterCreate = (file: File, { client, outcome, request }: ObservationOf<"create">): File | undefined => {
  const reply = outcome?.reply
  const cut = request.truncate && reply?.created !== true ? truncated(file) : file
  return shows(opened(cut, client, reply?.handle ?? 0, request.access), reply?.attributes)
}

const afterOpen = (file: File, observation: ObservationOf<"open">): File | undefined => {
  const { client, outcome, request } = observation
  const cut = request.truncate ? truncated(file) : file
  return showsOwn(opened(cut, client, outcome?.reply?.handle ?? 0, request.access), observation)
}

const truncated = (file: File): File => (isRegular(file) ? resized(file, 0) : file)

const resized = (file: File, size: number): File => {
  const { content, ...rest } = withoutCapability(file)
  return { ...rest, content: content === undefined ? undefined : Content.resized(content, size) }
}

/** A handle that nobody was told of is no use to anybody. */
const opened = (file: File, client: number, handle: number, access: number): File =>
  handle === 0 ? file : withHandles(file, (handles) => handles.set(handleKey(client, handle), access))

const withHandles = (file: File, change: (handles: Map<string, number>) => unknown): File => {
  const handles = new Map(file.handles)
  change(handles)
  return { ...file, handles }
}

const afterEnd = (file: File, client: number): File => {
  const own = [...file.handles.keys()].filter((key) => key.startsWith(handleKey(client, 0).slice(0, -1)))
  return own.length === 0 ? file : withHandles(file, (handles) => own.forEach((key) => handles.delete(key)))
}

const written = (file: File, { append, offset, pieces }: ObservationOf<"write">["request"]): File => {
  const { content } = file
  if (content === undefined) return withoutCapability(file)
  const first = append ? content.size : offset
  const runs: Array<Content.Run> = []
  let length = 0
  for (const piece of pieces) {
    if (piece.slice !== 0 && piece.length > 0) runs.push({ ...piece, offset: first + length })
    length += piece.length
  }
  if (length === 0) return file
  return { ...withoutCapability(file), content: Content.replaced(content, first, length, runs) }
}

const EXTENTS_MAX = 4096

const read = (file: File, { outcome, request }: ObservationOf<"readExtents">): File | undefined => {
  const reply = outcome?.reply
  const { content } = file
  if (reply === undefined || content === undefined) return file
  const available = Math.max(0, Math.min(request.length, content.size - request.offset))
  const short = reply.length < available && reply.extents.length === EXTENTS_MAX
  if (reply.size !== content.size || (reply.length !== available && !short)) return undefined
  const runs = Content.cut(content.runs, request.offset, request.offset + reply.length)
  return Content.same(runs, Content.joined(reply.extents)) ? file : undefined
}

const afterSetting = (file: File, request: ObservationOf<"setAttributes">["request"]): File => {
  const { gid, mode, size, uid } = request
  let next = size === undefined ? file : resized(file, size)
  const gives = uid !== undefined || gid !== undefined
  if (gives && file.type !== Mode.S_IFDIR) next = { ...withoutCapability(next), mode: modeOfGiven(next.mode) }
  if (gives) next = { ...next, uid: uid ?? next.uid, gid: gid ?? next.gid }
  return mode === undefined ? next : { ...next, mode: mode & Mode.PERMISSIONS }
}

/** A new owner gets no program that runs with the rights of the old one. */
const modeOfGiven = (mode: number): number => {
  if (mode === UNSEEN) return UNSEEN
  const executable = (mode & Mode.S_IXGRP) !== 0
  return mode & ~(executable ? Mode.S_ISUID | Mode.S_ISGID : Mode.S_ISUID)
}

const CAPABILITY = "security.capability"

const withoutCapability = (file: File): File =>
  file.xattrs.has(CAPABILITY) ? withXattr(file, CAPABILITY, undefined) : file

const withXattr = (file: File, name: string, value: string | undefined): File => {
  if (isAcl(name)) return { ...file, mode: UNSEEN }
  const xattrs = new Map(file.xattrs)
  if (value === undefined) xattrs.delete(name)
  else xattrs.set(name, value)
  return { ...file, xattrs }
}

const listsXattrs = (file: File, names: ReadonlyArray<string> | undefined): File | undefined => {
  if (names === undefined) return file
  const plain = names.filter((name) => !isAcl(name))
  const all = new Set(plain)
  return all.size === plain.length && all.size === file.xattrs.size && plain.every((name) => file.xattrs.has(name))
    ? file
    : undefined
}

const typeErrors: ReadonlySet<number> = new Set([
  Errno.EISDIR,
  Errno.EINVAL,
  Errno.ELOOP,
  Errno.EPERM,
  Errno.EOPNOTSUPP
])

/** Refusals that the file cannot speak for or against: other files' and zones', and what its unseen type demands. */
const isBeyond = (file: File, observation: Observation, errno: number): boolean => {
  switch (observation.operation) {
    case "allocate":
    case "copyRange":
      return errno !== 0
    case "write":
      if (errno === Errno.EINVAL && observation.request.pieces.some(({ slice }) => slice !== 0)) return true
      break
    case "setXattr":
    case "getXattr":
    case "removeXattr":
      if (isAcl(observation.request.name)) return true
      break
    default:
  }
  return file.type === UNSEEN && typeErrors.has(errno)
}

/** In place of an inode that nobody knows. */
const ANY = -1

/** Whether an operation that is of no known file may be of this one. */
const mayTouch = (observation: Observation, file: ReadonlyArray<Observation>): boolean => {
  switch (observation.operation) {
    case "endSession":
      return file.some(({ client }) => client === observation.client)
    case "create":
      return true
    default:
      // It is of a file that nobody was told is new.
      return !file.some(({ operation, outcome }) =>
        operation === "create" && (outcome?.reply as ReplyOf<"create"> | undefined)?.created === true
      )
  }
}

type View = readonly [inode: number, view: Observation]

/** What an operation says of single files. */
const viewsOf = (observation: Observation): ReadonlyArray<View> => {
  switch (observation.operation) {
    case "getAttributes":
    case "setAttributes":
    case "open":
    case "release":
    case "write":
    case "readExtents":
    case "setXattr":
    case "getXattr":
    case "removeXattr":
    case "listXattrs":
    case "allocate":
      return [[Math.max(observation.request.inode, ANY), observation]]
    case "copyRange":
      // A refusal may speak of the source.
      return isRefused(observation) ? [] : [[Math.max(observation.request.target, ANY), observation]]
    case "create": {
      const attributes = observation.outcome?.reply?.attributes
      if (attributes !== undefined) return [[attributes.inode, observation]]
      // It may have cut a file, and nobody was told which.
      return isDecided(observation) || !observation.request.truncate ? [] : [[ANY, observation]]
    }
    case "endSession":
      return isRefused(observation) ? [] : [[ANY, observation]]
    default:
      return attributesOf(observation).map((attributes) => [attributes.inode, sight(observation, attributes)])
  }
}

const sight = (observation: Observation, attributes: Attributes): ObservationOf<"getAttributes"> => ({
  ...observation,
  operation: "getAttributes",
  request: { inode: attributes.inode },
  outcome: { errno: 0, reply: { attributes } }
})

const attributesOf = (observation: Observation): ReadonlyArray<Attributes> => {
  switch (observation.operation) {
    case "lookup":
    case "makeDirectory":
    case "makeNode":
    case "makeSymlink":
    case "link": {
      const attributes = observation.outcome?.reply?.attributes
      return attributes === undefined ? [] : [attributes]
    }
    case "walk":
      return observation.outcome?.reply?.found ?? []
    case "readDirectory":
      return observation.outcome?.reply?.entries.flatMap(({ attributes }) => attributes ?? []) ?? []
    default:
      return []
  }
}
