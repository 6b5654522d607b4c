/**
 * The file system by paths, as programs know it: resolution with symbolic links and `..`, then the operation on
 * the inode. Paths are absolute byte strings; a zone's own root is at `/.zones/N`, a directory's snapshots are in its
 * `.snapshots`, which no listing shows.
 */
import { Client, type ClientService } from "#client/Client.ts"
import { type DataError, PosixError, type TransportError } from "#client/ClientError.ts"
import * as FileReader from "#client/FileReader.ts"
import { isPast } from "#client/Past.ts"
import * as SliceNumbers from "#client/SliceNumbers.ts"
import type { Attributes } from "#domain/Attributes.ts"
import { type ByteString, fromText, toText } from "#domain/ByteString.ts"
import { Errno } from "#domain/Errno.ts"
import type { Extent } from "#domain/Extents.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { SNAPSHOTS } from "#domain/Name.ts"
import type { OperationName, ReplyOf, RequestOf } from "#domain/Operations.ts"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

export type FsError = PosixError | TransportError

/** Where a path leads: its directory and name, and what stands there. */
export interface Resolved {
  readonly path: ByteString
  readonly parent: number
  /** Last component; empty for a root, which has no name. */
  readonly name: ByteString
  /** Undefined when nothing has the name. */
  readonly attributes: Attributes | undefined
}

export interface DirectoryEntry {
  readonly name: ByteString
  readonly attributes: Attributes
}

export interface FileSystemService {
  readonly client: ClientService
  readonly numbers: SliceNumbers.SliceNumbers
  readonly reader: FileReader.FileReader
  /** Where the path leads; its last component may be missing. `follow`: through a link at its end. */
  readonly resolve: (path: ByteString, follow: boolean) => Effect.Effect<Resolved, FsError>
  /** What stands at the path. */
  readonly stat: (path: ByteString, follow: boolean) => Effect.Effect<Attributes, FsError>
  /** All entries of a directory, page by page, in byte order of names. */
  readonly list: (inode: number, path: ByteString) => Stream.Stream<DirectoryEntry, FsError>
  /** One operation on an inode; `path` is for the error. */
  readonly call: <Name extends OperationName>(
    name: Name,
    request: RequestOf<Name>,
    path: ByteString
  ) => Effect.Effect<ReplyOf<Name>, FsError>
  /** Extents of a file from an offset on, in pages, and its size. */
  readonly extents: (inode: number, path: ByteString) => Stream.Stream<Extent, FsError>
  /** A range of a file's bytes, holes as zeros. */
  readonly read: (
    inode: number,
    path: ByteString,
    offset: number,
    length: number
  ) => Stream.Stream<Uint8Array, FsError | DataError>
}

export class FileSystem extends Context.Tag("cadastre/FileSystem")<FileSystem, FileSystemService>() {}

/** Directory of the zones' own roots. */
export const ZONES = ".zones"
const PAGE_ENTRIES = Limits.listingPlusMax
const ZEROS = new Uint8Array(1024 * 1024)

export const layer: Layer.Layer<FileSystem, never, Client> = Layer.effect(
  FileSystem,
  Effect.map(Client, (client) => make(client))
)

/** Where a zone's root is looked for: there as it is, or at a point of its history. */
export type RootOf = (zone: number) => Effect.Effect<number, FsError>

const LIVE: RootOf = (zone) => Effect.succeed(InodeNumber.rootOf(zone))

export const make = (client: ClientService, rootOf: RootOf = LIVE): FileSystemService => {
  const refused = (errno: number, operation: string, path: ByteString) =>
    new PosixError({ errno, operation, path: toText(path) })

  const call: FileSystemService["call"] = (name, request, path) =>
    Effect.mapError(
      client.call(name, request),
      (error) => error._tag === "PosixError" ? refused(error.errno, error.operation, path) : error
    )

  /** Resolves names from a stack of directories, root first, following links. */
  const resolve = (path: ByteString, follow: boolean): Effect.Effect<Resolved, FsError> =>
    Effect.gen(function*() {
      if (path.length === 0) return yield* refused(Errno.ENOENT, "resolve", path)
      if (path.length > Limits.pathBytesMax) return yield* refused(Errno.ENAMETOOLONG, "resolve", path)
      const root = yield* rootOf(0)
      let stack: Array<number> = [root]
      let names = split(path)
      let links = 0
      const mustBeDirectory = path.endsWith("/")
      for (;;) {
        const name = names.shift()
        const at = stack[stack.length - 1] as number
        if (name === undefined) {
          const { attributes } = yield* call("getAttributes", { inode: at }, path)
          return { path, parent: at, name: "", attributes }
        }
        if (name === ".") continue
        if (name === "..") {
          if (stack.length > 1) stack.pop()
          continue
        }
        if (name === ZONES && at === root && names.length > 0) {
          const number = names.shift() as ByteString
          if (!/^[0-9]{1,4}$/.test(number) || Number(number) >= client.info.zones) {
            return yield* refused(Errno.ENOENT, "resolve", path)
          }
          stack.push(yield* rootOf(Number(number)))
          continue
        }
        if (name === SNAPSHOTS && !isPast(at)) {
          const snapshots = client.past.snapshotsOf(at)
          if (snapshots === undefined) return yield* refused(Errno.ENFILE, "resolve", path)
          stack.push(snapshots)
          continue
        }
        const plain = 1 + countPlain(names)
        const wanted = [name, ...names.slice(0, plain - 1)]
        const { errno, found } = yield* call("walk", { start: at, names: wanted }, path)
        const last = found[found.length - 1]
        const linked = last !== undefined && Mode.isSymlink(last.mode)
        const reached = found.length === wanted.length || linked
        const rest = names.slice(found.length - 1)
        const isEnd = rest.length === 0
        if (!reached) {
          const missing = wanted[found.length] as ByteString
          const isLast = found.length === wanted.length - 1 && names.length === plain - 1
          const parent = last?.inode ?? at
          if (errno === Errno.ENOENT && isLast && missing.length > 0) {
            return { path, parent, name: missing, attributes: undefined }
          }
          return yield* refused(errno, "resolve", path)
        }
        const target = last as Attributes
        const parent = found[found.length - 2]?.inode ?? at
        if (linked && (!isEnd || follow || mustBeDirectory)) {
          if (++links > Limits.symlinkDepthMax) {
            return yield* refused(Errno.ELOOP, "resolve", path)
          }
          const { target: text } = yield* call("readLink", { inode: target.inode }, path)
          for (const { inode } of found.slice(0, -1)) {
            stack.push(inode)
          }
          if (text.startsWith("/")) stack = [root]
          names = [...split(text), ...rest]
          continue
        }
        if (isEnd) {
          if (mustBeDirectory && !Mode.isDirectory(target.mode)) return yield* refused(Errno.ENOTDIR, "resolve", path)
          return { path, parent, name: wanted[found.length - 1] as ByteString, attributes: target }
        }
        if (!Mode.isDirectory(target.mode)) return yield* refused(Errno.ENOTDIR, "resolve", path)
        for (const { inode } of found) stack.push(inode)
        names = rest
      }
    })

  const list: FileSystemService["list"] = (inode, path) =>
    Stream.paginateChunkEffect(
      "" as ByteString,
      (after) =>
        Effect.map(
          call("readDirectory", { inode, handle: 0, after, count: PAGE_ENTRIES, plus: true }, path),
          (page) => {
            const entries = page.entries.map(({ attributes, name }) => ({ name, attributes: attributes as Attributes }))
            const last = entries[entries.length - 1]
            const next = page.end || last === undefined ? Option.none<ByteString>() : Option.some(last.name)
            return [Chunk.unsafeFromArray(entries), next] as const
          }
        )
    )

  const extentPages = (inode: number, path: ByteString, from: number, length: number) =>
    Stream.paginateChunkEffect(
      from,
      (offset) =>
        Effect.map(call("readExtents", { inode, handle: 0, offset, length: from + length - offset }, path), (page) => {
          const end = offset + page.length
          const next = page.length === 0 || end >= Math.min(from + length, page.size)
            ? Option.none<number>()
            : Option.some(end)
          return [Chunk.unsafeFromArray([...page.extents]), next] as const
        })
    )

  const reader = FileReader.make(client)

  const read: FileSystemService["read"] = (inode, path, offset, length) =>
    Stream.unwrap(Effect.map(call("getAttributes", { inode }, path), ({ attributes }) => {
      const end = Math.min(offset + length, attributes.size)
      let at = offset
      const data = extentPages(inode, path, offset, Math.max(0, end - offset)).pipe(
        Stream.flatMap((extent) => {
          const gap = zeros(extent.offset - at)
          at = extent.offset + extent.length
          return Stream.concat(gap, reader.stream(extent))
        })
      )
      return Stream.concat(data, Stream.suspend(() => zeros(end - at)))
    }))

  return {
    client,
    numbers: SliceNumbers.make(client),
    reader,
    resolve,
    stat: (path, follow) =>
      Effect.flatMap(
        resolve(path, follow),
        ({ attributes }) =>
          attributes === undefined ? Effect.fail(refused(Errno.ENOENT, "stat", path)) : Effect.succeed(attributes)
      ),
    list,
    call,
    extents: (inode, path) => extentPages(inode, path, 0, Limits.fileBytesMax),
    read
  }
}

/** Zeros for a hole, in pieces. */
const zeros = (bytes: number): Stream.Stream<Uint8Array> =>
  Stream.unfold(bytes, (left) => {
    if (left <= 0) return Option.none()
    const count = Math.min(left, ZEROS.length)
    return Option.some([ZEROS.subarray(0, count), left - count] as const)
  })

/** The components of a path, empty ones left out. */
export const split = (path: ByteString): Array<ByteString> => path.split("/").filter((name) => name.length > 0)

const countPlain = (names: ReadonlyArray<ByteString>): number => {
  const stop = names.findIndex((name) => name === "." || name === ".." || name === SNAPSHOTS)
  return Math.min(stop === -1 ? names.length : stop, Limits.walkComponentsMax - 1)
}

/** A path for people to its bytes; a relative one is taken from the root. */
export const pathOf = (text: string): ByteString => fromText(text.startsWith("/") ? text : `/${text}`)

/** The path of a name in a directory. */
export const join = (directory: ByteString, name: ByteString): ByteString =>
  directory.endsWith("/") ? directory + name : `${directory}/${name}`
