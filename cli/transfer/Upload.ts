/**
 * Copies local files and folders into the file system: links, modes, owners, times and attributes included.
 * Folders are walked breadth first, in waves; small files travel many to a block and a message, large ones stream.
 *
 * Each file appears whole or not at all: its content, owner and times become durable in one batch. A copy that was
 * cut short goes on where it stopped, because what is there with the same size and time is left alone.
 */
import { codeOf, divideXattrs, joinPath, type LocalFiles, type LocalStat } from "#cli/local/LocalFiles.ts"
import * as Batcher from "#cli/transfer/Batcher.ts"
import type { Report } from "#cli/transfer/Report.ts"
import { type Command, command } from "#client/Client.ts"
import type { DataError, PosixError, TransportError } from "#client/ClientError.ts"
import type { FileSystemService } from "#client/FileSystem.ts"
import { join } from "#client/FileSystem.ts"
import * as FileWriter from "#client/FileWriter.ts"
import { Pack, SMALL_FILE_BYTES_MAX } from "#client/Pack.ts"
import { keyOf } from "#client/SliceData.ts"
import type { Attributes } from "#domain/Attributes.ts"
import { type ByteString, fromBytes, toText } from "#domain/ByteString.ts"
import type { Outcome } from "#domain/codec/MessageCodec.ts"
import { Errno, nameOf, textOf } from "#domain/Errno.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"

export interface UploadOptions {
  /** Owners (for root), modes, times and attributes of the sources. */
  readonly preserve: boolean
  /** Compare what files hold where size and time are the same. */
  readonly checksum: boolean
  readonly umask: number
}

export type UploadError = PosixError | TransportError | DataError

/** A local file or folder, and the name it shall have. */
export interface Source {
  readonly local: Buffer
  readonly name: ByteString
}

/** A folder to fill. */
interface Folder {
  readonly local: Buffer
  readonly path: ByteString
  readonly inode: number
  /** What it holds already; undefined for a new one. */
  readonly existing: ReadonlyMap<ByteString, Attributes> | undefined
}

interface NewFolder {
  readonly local: Buffer
  readonly parent: number
  readonly name: ByteString
  readonly path: ByteString
  readonly stat: LocalStat
}

/** A pack that is being filled, and the files in it. */
interface OpenPack {
  readonly pack: Pack
  readonly steps: Array<(slice: number) => Batcher.Step>
}

const FILES_PER_PACK_MAX = 1024
const FOLDERS_PER_WAVE_MAX = 512
const FOLDERS_AT_ONCE = 64
const STEPS_MAX = 512
const READ_BYTES = 4 * 1024 * 1024
const LARGE_AT_ONCE = 2
const ROOT_UID = 0

export const upload = (
  fs: FileSystemService,
  local: LocalFiles,
  options: UploadOptions,
  report: Report
) =>
(sources: ReadonlyArray<Source>, target: { readonly inode: number; readonly path: ByteString }) =>
  Effect.scoped(Effect.gen(function*() {
    const { client } = fs
    const batcher = yield* Batcher.make<UploadError>(client)
    const large = Effect.unsafeMakeSemaphore(LARGE_AT_ONCE)
    const asRoot = client.who.uid === ROOT_UID
    /** First name of each local file that has several, and its inode here once that is known. */
    const linked = new Map<string, { inode: number }>()
    const laterLinks: Array<() => Batcher.Step | undefined> = []
    const folderSteps: Array<Batcher.Step> = []
    let steps: Array<Batcher.Step> = []
    let open: OpenPack = { pack: new Pack(), steps: [] }

    const failedWith = (path: ByteString, errno: number): void =>
      report.failed(toText(path), `${textOf(errno)} (${nameOf(errno)})`)

    const refusedLocally = ({ code, path }: LocalRefused) =>
      Effect.sync(() => {
        report.failed(path.toString(), code)
        return undefined
      })

    const flushSteps = Effect.suspend(() => {
      const ready = steps
      steps = []
      return batcher.send(ready)
    })
    const step = (one: Batcher.Step) =>
      Effect.suspend(() => {
        steps.push(one)
        return steps.length >= STEPS_MAX ? flushSteps : Effect.void
      })

    /** Stores the pack's block; then its files become durable. */
    const flushPack = Effect.suspend(() => {
      const { pack, steps: files } = open
      if (files.length === 0) return Effect.void
      open = { pack: new Pack(), steps: [] }
      return batcher.work(Effect.gen(function*() {
        const slice = pack.filled === 0 ? 0 : yield* fs.numbers.take(InodeNumber.zoneOf(target.inode))
        if (slice !== 0) {
          yield* Effect.mapError(
            client.blocks.store(keyOf(slice, 0, pack.filled), pack.contents()),
            FileWriter.dataError
          )
        }
        yield* batcher.deliver(files.map((file) => file(slice)))
      }))
    })

    /** Owner, mode and times as the source has them; `back` places before stands the inode they are for. */
    const attributesCommand = (stat: LocalStat, inode: number): Command =>
      command("setAttributes", {
        inode,
        handle: 0,
        mode: Mode.isSymlink(stat.mode) ? undefined : stat.mode & Mode.PERMISSIONS,
        uid: asRoot ? stat.uid : undefined,
        gid: asRoot ? stat.gid : undefined,
        size: undefined,
        atime: { now: false, time: stat.atime },
        mtime: { now: false, time: stat.mtime }
      })

    /**
     * The commands that give an inode what its source has: first the attributes that a read-only file would refuse,
     * last those that a change of owner takes away. `inodeAt` names the inode from the place of a command among these.
     */
    const finishing = (path: Buffer, stat: LocalStat, inodeAt: (index: number) => number): ReadonlyArray<Command> => {
      if (!options.preserve) return []
      const [plain, security] = divideXattrs(local.xattrs?.(path) ?? [])
      const set = ([name, value]: readonly [Buffer, Buffer], index: number) =>
        command("setXattr", { inode: inodeAt(index), name: fromBytes(name), value: fromBytes(value), mode: "either" })
      return [
        ...plain.map(set),
        attributesCommand(stat, inodeAt(plain.length)),
        ...(asRoot ? security.map((xattr, index) => set(xattr, plain.length + 1 + index)) : [])
      ]
    }

    const outcomeOf = (path: ByteString, stat: LocalStat, size: number) => (outcomes: ReadonlyArray<Outcome>): void => {
      const failure = outcomes.find(({ errno }) => errno !== 0 && errno !== Errno.ECANCELED)
      if (failure !== undefined) return failedWith(path, failure.errno)
      for (const outcome of outcomes) {
        const inode = inodeOf(outcome)
        const first = linked.get(stat.identity)
        if (inode !== undefined && first !== undefined) first.inode = inode
      }
      if (Mode.isRegular(stat.mode)) report.done(size)
      else report.links++
    }

    /** What stands at the name already goes, unless it can be written over. */
    const clearing = (parent: number, name: ByteString, existing: Attributes | undefined): ReadonlyArray<Command> =>
      existing === undefined ? [] : [command("unlink", { parent, name })]

    const createCommands = (
      parent: number,
      name: ByteString,
      stat: LocalStat,
      existing: Attributes | undefined
    ): ReadonlyArray<Command> => {
      const overwrite = existing !== undefined && Mode.isRegular(existing.mode)
      const mode = options.preserve ? PRIVATE_FILE : stat.mode & Mode.RWX
      return [
        ...overwrite ? [] : clearing(parent, name, existing),
        command("create", {
          parent,
          name,
          mode,
          umask: options.preserve ? 0 : options.umask,
          exclusive: !overwrite,
          truncate: overwrite,
          access: 0
        })
      ]
    }

    const fileCommands = (
      path: Buffer,
      parent: number,
      name: ByteString,
      stat: LocalStat,
      existing: Attributes | undefined,
      pieces: ReadonlyArray<FileWriter.Piece>
    ): ReadonlyArray<Command> => {
      const created = createCommands(parent, name, stat, existing)
      const writes: Array<Command> = []
      let offset = 0
      for (let at = 0; at < pieces.length; at += Limits.extentsPerWriteMax) {
        const part = pieces.slice(at, at + Limits.extentsPerWriteMax)
        writes.push(command("write", { inode: -1 - writes.length, handle: 0, offset, append: false, pieces: part }))
        for (const { length } of part) offset += length
      }
      return [...created, ...writes, ...finishing(path, stat, (index) => -(1 + writes.length + index))]
    }

    const small = (folder: Folder, path: Buffer, name: ByteString, stat: LocalStat, existing: Attributes | undefined) =>
      Effect.gen(function*() {
        const fits = open.pack.room(stat.size + 1) !== undefined && open.steps.length < FILES_PER_PACK_MAX
        if (!fits) yield* flushPack
        const room = open.pack.room(stat.size + 1) as Buffer
        const remote = join(folder.path, name)
        const size = readInto(path, room)
        if (typeof size === "string") return report.failed(path.toString(), size)
        if (size > stat.size) return yield* stream(folder, path, name, stat, existing)
        const { pack } = open
        const at = pack.keep(size)
        open.steps.push((slice) => ({
          commands: fileCommands(
            path,
            folder.inode,
            name,
            stat,
            existing,
            size === 0 ? [] : [pack.piece(slice, at, size)]
          ),
          onOutcomes: outcomeOf(remote, stat, size)
        }))
      })

    /** A file of its own slices, read and stored piece by piece. */
    const stream = (
      folder: Folder,
      path: Buffer,
      name: ByteString,
      stat: LocalStat,
      existing: Attributes | undefined
    ) =>
      Effect.gen(function*() {
        yield* large.take(1)
        const copy = Effect.scoped(Effect.gen(function*() {
          const fd = yield* openLocal(path)
          const writer = yield* FileWriter.make(client, fs.numbers, InodeNumber.zoneOf(folder.inode))
          const size = yield* pump(path, fd, stat, writer)
          const pieces = yield* writer.finish
          yield* batcher.deliver([{
            commands: fileCommands(path, folder.inode, name, stat, existing, pieces),
            onOutcomes: outcomeOf(join(folder.path, name), stat, size)
          }])
        }))
        yield* batcher.work(copy.pipe(
          Effect.catchTag("LocalRefused", refusedLocally),
          Effect.ensuring(large.release(1))
        ))
      })

    /** All data of an open file, holes left out where the system shows them. Gives the file's size. */
    const pump = (path: Buffer, fd: number, stat: LocalStat, writer: FileWriter.FileWriter) =>
      Effect.gen(function*() {
        const buffer = Buffer.allocUnsafe(READ_BYTES)
        const sparse = local.nextData !== undefined && stat.allocated < stat.size
        let at = 0
        for (;;) {
          const segment = sparse ? local.nextData?.(fd, at, stat.size) : [at, Number.MAX_SAFE_INTEGER] as const
          if (segment === undefined) {
            yield* writer.skip(stat.size - at)
            return stat.size
          }
          const [start, end] = segment
          yield* writer.skip(start - at)
          at = start
          while (at < end) {
            const count = yield* readAt(path, fd, buffer, Math.min(buffer.length, end - at), at)
            if (count === 0) return at
            yield* writer.write(buffer.subarray(0, count))
            at += count
          }
        }
      })

    /** Fewer blocks than bytes may be compression: then the file is asked. */
    const hasHoles = (path: Buffer, { allocated, size }: LocalStat) => {
      const { nextData } = local
      if (nextData === undefined || allocated >= size) return Effect.succeed(false)
      return Effect.scoped(Effect.map(openLocal(path), (fd) => {
        const data = nextData(fd, 0, size)
        return data === undefined || data[0] > 0 || data[1] < size
      }))
    }

    const regular = (
      folder: Folder,
      path: Buffer,
      name: ByteString,
      stat: LocalStat,
      existing: Attributes | undefined
    ) =>
      Effect.gen(function*() {
        report.progress.expect(1, stat.size)
        if (existing !== undefined && Mode.isRegular(existing.mode) && (yield* isSame(path, stat, existing))) {
          report.skipped(stat.size)
          const first = linked.get(stat.identity)
          if (first !== undefined) first.inode = existing.inode
          if (options.preserve && differs(stat, existing)) {
            const commands = finishing(path, stat, () => existing.inode)
            yield* step({ commands, onOutcomes: complainOf(join(folder.path, name)) })
          }
          return
        }
        yield* stat.size <= SMALL_FILE_BYTES_MAX && !(yield* hasHoles(path, stat))
          ? small(folder, path, name, stat, existing)
          : stream(folder, path, name, stat, existing)
      })

    const isSame = (path: Buffer, stat: LocalStat, existing: Attributes) =>
      Effect.gen(function*() {
        if (existing.size !== stat.size) return false
        if (!options.checksum) {
          const rounded = local.exact ? 0 : 1000
          return existing.mtime.seconds === stat.mtime.seconds &&
            Math.abs(existing.mtime.nanos - stat.mtime.nanos) <= rounded
        }
        return yield* sameContents(path, existing)
      })

    const sameContents = (path: Buffer, existing: Attributes) =>
      Effect.scoped(Effect.gen(function*() {
        const fd = yield* openLocal(path)
        let at = 0
        return yield* fs.read(existing.inode, "", 0, existing.size).pipe(
          Stream.mapEffect((theirs) => {
            const ours = Buffer.allocUnsafe(theirs.length)
            return Effect.map(readAt(path, fd, ours, ours.length, at), (count) => {
              at += count
              return count === theirs.length && Buffer.compare(ours, theirs) === 0
            })
          }),
          Stream.takeUntil((same) => !same),
          Stream.runFold(true, (all, same) => all && same)
        )
      }))

    const differs = (stat: LocalStat, existing: Attributes): boolean =>
      (stat.mode & Mode.PERMISSIONS) !== (existing.mode & Mode.PERMISSIONS) ||
      Timestamp.compare(stat.mtime, existing.mtime) !== 0 ||
      (asRoot && (stat.uid !== existing.uid || stat.gid !== existing.gid))

    const complainOf = (path: ByteString) => (outcomes: ReadonlyArray<Outcome>): void => {
      const failure = outcomes.find(({ errno }) => errno !== 0 && errno !== Errno.ECANCELED)
      if (failure !== undefined) failedWith(path, failure.errno)
    }

    /** Whether a link or a special file is there already. A link's length is that of its target. */
    const looksSame = (stat: LocalStat, existing: Attributes): boolean =>
      options.preserve && !options.checksum && !differs(stat, existing) &&
      stat.mode === existing.mode && stat.size === existing.size && stat.rdev === existing.rdev

    /** A link or a special file. */
    const other = (folder: Folder, path: Buffer, name: ByteString, stat: LocalStat, existing: Attributes | undefined) =>
      Effect.gen(function*() {
        if (existing !== undefined && looksSame(stat, existing)) {
          report.unchanged++
          const first = linked.get(stat.identity)
          if (first !== undefined) first.inode = existing.inode
          return
        }
        const { inode: parent } = folder
        const mode = stat.mode & (Mode.S_IFMT | Mode.RWX)
        const made = Mode.isSymlink(stat.mode)
          ? command("makeSymlink", {
            parent,
            name,
            target: fromBytes(yield* tryLocal(path, () => local.readlink(path)))
          })
          : command("makeNode", { parent, name, mode, umask: options.umask, rdev: stat.rdev })
        yield* step({
          commands: [...clearing(parent, name, existing), made, ...finishing(path, stat, (index) => -(1 + index))],
          onOutcomes: outcomeOf(join(folder.path, name), stat, 0)
        })
      })

    /** A further name of a local file that was met before: made when everything else is there. */
    const laterLink = (
      folder: Folder,
      name: ByteString,
      first: { readonly inode: number },
      existing: Attributes | undefined
    ) => {
      laterLinks.push(() => {
        if (first.inode === 0 || existing?.inode === first.inode) return undefined
        const { inode: parent } = folder
        return {
          commands: [...clearing(parent, name, existing), command("link", { inode: first.inode, parent, name })],
          onOutcomes: (outcomes) => {
            complainOf(join(folder.path, name))(outcomes)
            if (outcomes.every(({ errno }) => errno === 0)) report.links++
          }
        }
      })
    }

    /** One entry of a folder. Folders below are given back for the next wave. */
    const entry = (folder: Folder, path: Buffer, name: ByteString) =>
      Effect.gen(function*() {
        const stat = yield* tryLocal(path, () => local.lstat(path))
        const existing = folder.existing?.get(name)
        if (Mode.isDirectory(stat.mode)) {
          return { local: path, parent: folder.inode, name, path: join(folder.path, name), stat }
        }
        if (existing !== undefined && Mode.isDirectory(existing.mode)) {
          report.failed(toText(join(folder.path, name)), "a folder stands where a file shall be")
          return undefined
        }
        const first = linked.get(stat.identity)
        if (stat.nlink > 1 && first !== undefined) laterLink(folder, name, first, existing)
        else {
          if (stat.nlink > 1) linked.set(stat.identity, { inode: 0 })
          yield* Mode.isRegular(stat.mode)
            ? regular(folder, path, name, stat, existing)
            : other(folder, path, name, stat, existing)
        }
        return undefined
      }).pipe(Effect.catchTag("LocalRefused", refusedLocally))

    /** Makes the folders of a wave, or finds those that are there. */
    const makeFolders = (wave: ReadonlyArray<NewFolder>) =>
      Effect.gen(function*() {
        const mode = options.preserve ? PRIVATE_FOLDER : Mode.RWX
        const umask = options.preserve ? 0 : options.umask
        const made: Array<Folder> = []
        const outcomes = yield* Effect.forEach(byZone(wave), (group) =>
          Effect.map(
            client.callAll(group.map(({ name, parent }) => command("makeDirectory", { parent, name, mode, umask }))),
            (results) => group.map((folder, index) => ({ folder, outcome: results[index] as Outcome }))
          ))
        // Many at a time, so that what they ask travels together.
        const there = yield* Effect.forEach(outcomes.flat(), reach, { concurrency: FOLDERS_AT_ONCE })
        for (const folder of there) {
          if (folder === undefined) continue
          made.push(folder)
          if (!options.preserve) continue
          const commands = finishing(folder.local, folder.stat, () => folder.inode)
          folderSteps.push({ commands, onOutcomes: complainOf(folder.path) })
        }
        return made
      })

    /** A folder that was made or stood there already, with what it holds. */
    const reach = ({ folder, outcome }: { readonly folder: NewFolder; readonly outcome: Outcome }) =>
      Effect.gen(function*() {
        const { local: path, path: remote, stat } = folder
        if (outcome.errno === Errno.EEXIST) {
          const inode = yield* findFolder(folder)
          return inode === undefined
            ? undefined
            : { local: path, path: remote, stat, inode, existing: yield* listed(inode, remote) }
        }
        const inode = inodeOf(outcome)
        if (inode === undefined) return failedWith(remote, outcome.errno)
        report.folders++
        return { local: path, path: remote, stat, inode, existing: undefined }
      })

    const findFolder = ({ name, parent, path }: NewFolder) =>
      Effect.gen(function*() {
        const { attributes } = yield* fs.call("lookup", { parent, name }, path)
        if (Mode.isDirectory(attributes.mode)) return attributes.inode
        report.failed(toText(path), "a file stands where a folder shall be")
        return undefined
      })

    const listed = (inode: number, path: ByteString) =>
      Effect.map(
        Stream.runFold(fs.list(inode, path), new Map<ByteString, Attributes>(), (map, { attributes, name }) =>
          map.set(name, attributes)),
        (map): ReadonlyMap<ByteString, Attributes> =>
          map
      )

    const fill = (folder: Folder) =>
      Effect.gen(function*() {
        const below: Array<NewFolder> = []
        const names = yield* Effect.catchTag(
          tryLocal(folder.local, () => local.list(folder.local)),
          "LocalRefused",
          refusedLocally
        )
        for (const name of names ?? []) {
          const found = yield* entry(folder, joinPath(folder.local, name), fromBytes(name))
          if (found !== undefined) below.push(found)
        }
        return below
      })

    const top: Folder = { local: Buffer.alloc(0), ...target, existing: yield* listed(target.inode, target.path) }
    const wave: Array<NewFolder> = []
    for (const { local: path, name } of sources) {
      const found = yield* entry(top, path, name)
      if (found !== undefined) wave.push(found)
    }
    while (wave.length > 0) {
      const folders = yield* makeFolders(wave.splice(0, FOLDERS_PER_WAVE_MAX))
      for (const folder of folders) {
        for (const below of yield* fill(folder)) wave.push(below)
      }
    }
    yield* flushPack
    yield* flushSteps
    yield* batcher.settled
    yield* batcher.send(laterLinks.flatMap((make) => make() ?? []))
    yield* batcher.settled
    // Last, because whatever came into a folder moved its time.
    yield* batcher.send(folderSteps)
    yield* batcher.settled
  }))

const PRIVATE_FILE = 0o600
const PRIVATE_FOLDER = 0o700

/** What the local system did not let be read. */
class LocalRefused extends Data.TaggedError("LocalRefused")<{ readonly path: Buffer; readonly code: string }> {}

const tryLocal = <A>(path: Buffer, action: () => A): Effect.Effect<A, LocalRefused> =>
  Effect.try({ try: action, catch: (cause) => new LocalRefused({ path, code: codeOf(cause) }) })

const openLocal = (path: Buffer): Effect.Effect<number, LocalRefused, Scope.Scope> =>
  Effect.acquireRelease(tryLocal(path, () => Fs.openSync(path, "r")), (fd) => Effect.sync(() => Fs.closeSync(fd)))

/** Reads a small file into the room, which is one byte larger than it should be. The size, or why not. */
const readInto = (path: Buffer, room: Buffer): number | string => {
  let fd: number
  try {
    fd = Fs.openSync(path, "r")
  } catch (cause) {
    return codeOf(cause)
  }
  try {
    // A file that is no longer than it was gives less than the room, and that is its end: one call is enough.
    let size = 0
    for (;;) {
      const count = Fs.readSync(fd, room, size, room.length - size, size)
      size += count
      if (count === 0 || size === room.length || size === room.length - 1) return size
    }
  } catch (cause) {
    return codeOf(cause)
  } finally {
    Fs.closeSync(fd)
  }
}

const readAt = (
  path: Buffer,
  fd: number,
  buffer: Buffer,
  length: number,
  position: number
): Effect.Effect<number, LocalRefused> =>
  Effect.async((resume) => {
    Fs.read(fd, buffer, 0, length, position, (error, count) => {
      resume(error === null ? Effect.succeed(count) : Effect.fail(new LocalRefused({ path, code: codeOf(error) })))
    })
  })

/** The inode that a reply with attributes speaks of. */
const inodeOf = (outcome: Outcome): number | undefined =>
  (outcome.reply as { readonly attributes?: Attributes } | undefined)?.attributes?.inode

const byZone = (wave: ReadonlyArray<NewFolder>): ReadonlyArray<ReadonlyArray<NewFolder>> => {
  const groups = new Map<number, Array<NewFolder>>()
  for (const folder of wave) {
    const zone = InodeNumber.zoneOf(folder.parent)
    const group = groups.get(zone)
    if (group === undefined) groups.set(zone, [folder])
    else group.push(folder)
  }
  return [...groups.values()]
}
