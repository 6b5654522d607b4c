/**
 * Copies within the file system: new inodes, the same blocks. Folders are walked breadth first, files go many to a
 * message.
 */
import * as Batcher from "#cli/transfer/Batcher.ts"
import type { Report } from "#cli/transfer/Report.ts"
import type { Found } from "#cli/Walk.ts"
import { type Command, command } from "#client/Client.ts"
import { type FileSystemService, type FsError, join } from "#client/FileSystem.ts"
import * as Acl from "#domain/Acl.ts"
import type { Attributes } from "#domain/Attributes.ts"
import { type ByteString, toText } from "#domain/ByteString.ts"
import type { Outcome } from "#domain/codec/MessageCodec.ts"
import { Errno, nameOf, textOf } from "#domain/Errno.ts"
import type { Extent } from "#domain/Extents.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import type { ReplyOf, RequestOf } from "#domain/Operations.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export interface DuplicateOptions {
  readonly preserve: boolean
  readonly umask: number
  /** Extended attributes and lists of access as well, and the links between the files that are copied. */
  readonly exact?: boolean
}

interface Place {
  readonly inode: number
  readonly path: ByteString
  readonly name: ByteString
}

/** A folder to copy, and its copy. */
interface Pair {
  readonly source: Found
  readonly inode: number
  readonly path: ByteString
}

/** A command for an inode that is told once it is known. */
type Finish = (inode: number) => Command

const STEPS_MAX = 512

export const duplicate =
  (fs: FileSystemService, options: DuplicateOptions, report: Report) => (source: Found, target: Place) =>
    Effect.scoped(Effect.gen(function*() {
      const { client } = fs
      const batcher = yield* Batcher.make(client)
      const folders: Array<Pair> = []
      const folderSteps: Array<Batcher.Step> = []
      let steps: Array<Batcher.Step> = []

      const failedWith = (path: ByteString, errno: number): void =>
        report.failed(toText(path), `${textOf(errno)} (${nameOf(errno)})`)
      const flush = Effect.suspend(() => {
        const ready = steps
        steps = []
        return batcher.send(ready)
      })
      const attributesOf = ({ atime, gid, mode, mtime, uid }: Attributes): ReadonlyArray<Finish> =>
        options.preserve
          ? [(inode) =>
            command("setAttributes", {
              inode,
              handle: 0,
              mode: Mode.isSymlink(mode) ? undefined : mode & Mode.PERMISSIONS,
              uid: client.who.uid === 0 ? uid : undefined,
              gid: client.who.uid === 0 ? gid : undefined,
              size: undefined,
              atime: { now: false, time: atime },
              mtime: { now: false, time: mtime }
            })]
          : []
      const umask = options.preserve ? 0 : options.umask
      const onOutcomes =
        (path: ByteString, size: number, regular: boolean) => (outcomes: ReadonlyArray<Outcome>): void => {
          const failure = outcomes.find(({ errno }) => errno !== 0 && errno !== Errno.ECANCELED)
          if (failure !== undefined) failedWith(path, failure.errno)
          else if (regular) report.done(size)
          else report.links++
        }

      const fileCommands = (found: Found, to: Place) =>
        Effect.gen(function*() {
          const { attributes } = found
          const created = command("create", {
            parent: to.inode,
            name: to.name,
            // Writable for now: the mode comes last.
            mode: options.exact === true ? PRIVATE_FILE : attributes.mode & Mode.RWX,
            umask,
            exclusive: false,
            truncate: true,
            access: 0
          })
          const size = attributes.size
          if (size === 0) return [created]
          if (InodeNumber.zoneOf(attributes.inode) === InodeNumber.zoneOf(to.inode)) {
            const copied = command("copyRange", {
              source: attributes.inode,
              sourceHandle: 0,
              sourceOffset: 0,
              target: -1,
              targetHandle: 0,
              targetOffset: 0,
              length: size
            })
            return [created, copied]
          }
          // From another zone, or from the past: its extents are read there and written here.
          const extents = yield* Stream.runCollect(fs.extents(attributes.inode, found.path))
          const pieces = piecesOf([...extents], size)
          const writes: Array<Command> = []
          let offset = 0
          for (let first = 0; first < pieces.length; first += Limits.extentsPerWriteMax) {
            const some = pieces.slice(first, first + Limits.extentsPerWriteMax)
            writes.push(command("write", { inode: -1 - writes.length, handle: 0, offset, append: false, pieces: some }))
            offset += some.reduce((sum, { length }) => sum + length, 0)
          }
          return [created, ...writes]
        })

      /** Extended attributes, instead of those that its new folder gave to the copy. */
      const xattrsOf = ({ attributes, path }: Found): Effect.Effect<ReadonlyArray<Finish>, FsError> =>
        Effect.gen(function*() {
          if (options.exact !== true) return []
          const { names } = yield* fs.call("listXattrs", { inode: attributes.inode }, path)
          const values = yield* Effect.forEach(
            names,
            (name) =>
              Effect.map(fs.call("getXattr", { inode: attributes.inode, name }, path), ({ value }) => ({ name, value }))
          )
          const lists = Mode.isSymlink(attributes.mode) ? [] : [Acl.ACCESS, Acl.DEFAULT]
          // Lists come last: with one, the copy may be closed to its owner.
          const isList = ({ name }: { readonly name: ByteString }): boolean => lists.includes(name)
          const ordered = [...values.filter((xattr) => !isList(xattr)), ...values.filter(isList)]
          return [
            ...lists.map((name): Finish => (inode) => command("removeXattr", { inode, name })),
            ...ordered.map((xattr): Finish => (inode) => command("setXattr", { inode, ...xattr, mode: "either" }))
          ]
        })

      /**
       * All that a copy gets once its contents are there. A new owner takes capabilities away, so root sets that first;
       * a mode may close the copy to its owner, so all others set that last.
       */
      const finishOf = (found: Found) =>
        Effect.map(xattrsOf(found), (xattrs) =>
          client.who.uid === 0
            ? [...attributesOf(found.attributes), ...xattrs]
            : [...xattrs, ...attributesOf(found.attributes)])

      /** The copies of files that have several names. */
      const copies = new Map<number, number>()

      /** A further name for a copy, or a first one that others will share. */
      const linked = (found: Found, to: Place, step: Batcher.Step) =>
        Effect.gen(function*() {
          const { inode } = found.attributes
          const copy = copies.get(inode)
          const { inode: parent, name } = to
          if (copy !== undefined) {
            const onLink = onOutcomes(join(to.path, name), 0, false)
            return yield* batcher.deliver([{
              commands: [command("link", { inode: copy, parent, name })],
              onOutcomes: onLink
            }])
          }
          const onFirst = (outcomes: ReadonlyArray<Outcome>): void => {
            const made = outcomes[0]?.reply as ReplyOf<"create"> | undefined
            if (made !== undefined) copies.set(inode, made.attributes.inode)
            step.onOutcomes(outcomes)
          }
          return yield* batcher.deliver([{ commands: step.commands, onOutcomes: onFirst }])
        })

      const one = (found: Found, to: Place) =>
        Effect.gen(function*() {
          const { attributes } = found
          const at = join(to.path, to.name)
          if (Mode.isDirectory(attributes.mode)) {
            const made = yield* makeFolder(found, to)
            if (made === undefined) return
            folders.push({ source: found, inode: made, path: at })
            folderSteps.push({
              commands: (yield* finishOf(found)).map((finish) => finish(made)),
              onOutcomes: (outcomes) => {
                const failure = outcomes.find(({ errno }) => errno !== 0)
                if (options.exact === true && failure !== undefined) failedWith(at, failure.errno)
              }
            })
            return
          }
          const regular = Mode.isRegular(attributes.mode)
          const making = regular ? yield* fileCommands(found, to) : yield* otherCommands(found, to)
          const finishing = yield* finishOf(found)
          const commands = [...making, ...finishing.map((finish, index) => finish(-making.length - index))]
          const step = { commands, onOutcomes: onOutcomes(at, attributes.size, regular) }
          if (options.exact === true && attributes.nlink > 1) return yield* linked(found, to, step)
          steps.push(step)
          if (steps.length >= STEPS_MAX) yield* flush
        })

      const otherCommands = ({ attributes, path }: Found, to: Place) =>
        Effect.gen(function*() {
          const { inode: parent, name } = to
          const made = Mode.isSymlink(attributes.mode)
            ? command("makeSymlink", {
              parent,
              name,
              target: (yield* fs.call("readLink", { inode: attributes.inode }, path)).target
            })
            : command("makeNode", {
              parent,
              name,
              mode: attributes.mode & (Mode.S_IFMT | Mode.RWX),
              umask,
              rdev: attributes.rdev
            })
          return [made]
        })

      /** The copy's inode, or that of the folder that stands there already. */
      const makeFolder = (found: Found, { inode: parent, name, path }: Place) =>
        Effect.gen(function*() {
          const mode = options.preserve ? PRIVATE_FOLDER : Mode.RWX
          const [outcome] = yield* client.callAll([command("makeDirectory", { parent, name, mode, umask })])
          if (outcome?.errno === 0) {
            report.folders++
            return (outcome.reply as ReplyOf<"makeDirectory">).attributes.inode
          }
          if (outcome?.errno === Errno.EEXIST) {
            const { attributes } = yield* fs.call("lookup", { parent, name }, join(path, name))
            if (Mode.isDirectory(attributes.mode)) return attributes.inode
          }
          failedWith(found.path, outcome?.errno ?? Errno.EIO)
          return undefined
        })

      yield* one(source, target)
      const own = new Set<number>()
      for (let at = 0; at < folders.length; at++) {
        const { inode, path, source: from } = folders[at] as Pair
        own.add(inode)
        yield* Stream.runForEach(fs.list(from.attributes.inode, from.path), ({ attributes, name }) => {
          // A folder copied into itself must not meet its own copy.
          if (own.has(attributes.inode)) return Effect.void
          return one({ path: join(from.path, name), parent: from.attributes.inode, name, attributes }, {
            inode,
            path,
            name
          })
        })
      }
      yield* flush
      yield* batcher.settled
      yield* batcher.send(folderSteps)
      yield* batcher.settled
    }))

const PRIVATE_FOLDER = 0o700
const PRIVATE_FILE = 0o600

/** Extents and the holes around them, one behind the other. */
const piecesOf = (extents: ReadonlyArray<Extent>, size: number): ReadonlyArray<Piece> => {
  const pieces: Array<Piece> = []
  let at = 0
  const skipTo = (offset: number): void => {
    if (offset > at) pieces.push({ length: offset - at, slice: 0, sliceOffset: 0, sliceBytes: 0 })
  }
  for (const { length, offset, slice, sliceBytes, sliceOffset } of extents) {
    skipTo(offset)
    pieces.push({ length, slice, sliceOffset, sliceBytes })
    at = offset + length
  }
  skipTo(size)
  return pieces
}

type Piece = RequestOf<"write">["pieces"][number]
