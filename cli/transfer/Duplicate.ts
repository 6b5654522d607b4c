/**
 * Copies within the file system: new inodes, the same blocks. Folders are walked breadth first, files go many to a
 * message.
 */
import * as Batcher from "#cli/transfer/Batcher.ts"
import type { Report } from "#cli/transfer/Report.ts"
import type { Found } from "#cli/Walk.ts"
import { type Command, command } from "#client/Client.ts"
import { type FileSystemService, join } from "#client/FileSystem.ts"
import type { Attributes } from "#domain/Attributes.ts"
import { type ByteString, toText } from "#domain/ByteString.ts"
import type { Outcome } from "#domain/codec/MessageCodec.ts"
import { Errno, nameOf, textOf } from "#domain/Errno.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Mode from "#domain/Mode.ts"
import type { ReplyOf } from "#domain/Operations.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export interface DuplicateOptions {
  readonly preserve: boolean
  readonly umask: number
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
      const attributesOf = ({ atime, gid, mode, mtime, uid }: Attributes, inode: number): ReadonlyArray<Command> =>
        options.preserve
          ? [command("setAttributes", {
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
            mode: attributes.mode & Mode.RWX,
            umask,
            exclusive: false,
            truncate: true,
            access: 0
          })
          const size = attributes.size
          if (size === 0) return [created, ...attributesOf(attributes, -1)]
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
            return [created, copied, ...attributesOf(attributes, -2)]
          }
          // From another zone: its extents are read there and written here.
          const extents = yield* Stream.runCollect(fs.extents(attributes.inode, found.path))
          const writes: Array<Command> = []
          for (const { length, offset, slice, sliceBytes, sliceOffset } of extents) {
            const pieces = [{ length, slice, sliceOffset, sliceBytes }]
            writes.push(command("write", { inode: -1 - writes.length, handle: 0, offset, append: false, pieces }))
          }
          return [created, ...writes, ...attributesOf(attributes, -1 - writes.length)]
        })

      const one = (found: Found, to: Place) =>
        Effect.gen(function*() {
          const { attributes } = found
          const at = join(to.path, to.name)
          if (Mode.isDirectory(attributes.mode)) {
            const made = yield* makeFolder(found, to)
            if (made === undefined) return
            folders.push({ source: found, inode: made, path: at })
            folderSteps.push({ commands: attributesOf(attributes, made), onOutcomes: () => undefined })
            return
          }
          const regular = Mode.isRegular(attributes.mode)
          const commands = regular ? yield* fileCommands(found, to) : yield* otherCommands(found, to)
          steps.push({ commands, onOutcomes: onOutcomes(at, attributes.size, regular) })
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
          return [made, ...attributesOf(attributes, -1)]
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
