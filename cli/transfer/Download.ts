/**
 * Copies files and folders out of the file system: links, modes, owners, times and attributes included. Folders
 * are walked breadth first; what is here with the same size and time is left alone, so a copy that was cut short
 * goes on where it stopped.
 */
import { codeOf, divideXattrs, joinPath, type LocalFiles, type LocalStat } from "#cli/local/LocalFiles.ts"
import * as Batcher from "#cli/transfer/Batcher.ts"
import type { Report } from "#cli/transfer/Report.ts"
import { command } from "#client/Client.ts"
import { DataError, type PosixError, type TransportError } from "#client/ClientError.ts"
import { type DirectoryEntry, type FileSystemService, join } from "#client/FileSystem.ts"
import { SMALL_FILE_BYTES_MAX } from "#client/Pack.ts"
import type { Attributes } from "#domain/Attributes.ts"
import { type ByteString, fromBytes, toBytes, toText } from "#domain/ByteString.ts"
import type { Outcome } from "#domain/codec/MessageCodec.ts"
import { nameOf, textOf } from "#domain/Errno.ts"
import type { Extent } from "#domain/Extents.ts"
import * as Mode from "#domain/Mode.ts"
import type { ReplyOf } from "#domain/Operations.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"

export interface DownloadOptions {
  /** Owners (for root), modes, times and attributes of the sources. */
  readonly preserve: boolean
}

export type DownloadError = PosixError | TransportError | DataError

/** What to copy, and where to. */
export interface Wanted {
  readonly path: ByteString
  readonly attributes: Attributes
  readonly local: Buffer
}

interface Folder {
  readonly path: ByteString
  readonly attributes: Attributes
  readonly local: Buffer
}

const FILES_AT_ONCE = 512
const SMALL_AT_ONCE = 8
const LISTINGS_AT_ONCE = 64
const LARGE_AT_ONCE = 2
const ROOT_UID = 0

export const download = (
  fs: FileSystemService,
  local: LocalFiles,
  options: DownloadOptions,
  report: Report
) =>
(wanted: ReadonlyArray<Wanted>) =>
  Effect.scoped(Effect.gen(function*() {
    const { client } = fs
    const batcher = yield* Batcher.make<DownloadError>(client)
    const large = Effect.unsafeMakeSemaphore(LARGE_AT_ONCE)
    const asRoot = process.getuid?.() === ROOT_UID
    const folders: Array<Folder> = []
    /** First local name of each inode that has several. */
    const linked = new Map<number, Buffer>()
    const laterLinks: Array<() => void> = []
    let files: Array<Wanted> = []
    let links: Array<Wanted> = []
    let attributed: Array<Wanted> = []

    /** Does something to a local file; what the local system refuses is reported. */
    const attempt = (path: Buffer, action: () => void): boolean => {
      try {
        action()
        return true
      } catch (cause) {
        report.failed(path.toString(), codeOf(cause))
        return false
      }
    }

    /** Owner, mode and times, in the order in which none undoes another. */
    const finish = (path: Buffer, attributes: Attributes): void => {
      if (!options.preserve) return
      attempt(path, () => {
        if (asRoot) local.lchown(path, attributes.uid, attributes.gid)
        if (!Mode.isSymlink(attributes.mode)) local.chmod(path, attributes.mode & Mode.PERMISSIONS)
        local.setTimes(path, attributes.atime, attributes.mtime)
      })
    }

    const isSame = ({ attributes }: Wanted, stat: LocalStat | undefined): boolean =>
      stat !== undefined && Mode.isRegular(stat.mode) && stat.size === attributes.size &&
      stat.mtime.seconds === attributes.mtime.seconds &&
      Math.abs(stat.mtime.nanos - attributes.mtime.nanos) <= (local.exact ? 0 : 1000)

    const failedWith = (path: ByteString, errno: number): void =>
      report.failed(toText(path), `${textOf(errno)} (${nameOf(errno)})`)

    /** Where the bytes of some files are; then each one is fetched and written. */
    const flushFiles = Effect.suspend(() => {
      const batch = files
      files = []
      const steps = batch.map((file): Batcher.Step => ({
        commands: [
          command("readExtents", { inode: file.attributes.inode, handle: 0, offset: 0, length: file.attributes.size })
        ],
        onOutcomes: ([outcome]) => located.push({ file, outcome: outcome as Outcome })
      }))
      const located: Array<{ readonly file: Wanted; readonly outcome: Outcome }> = []
      return batcher.work(Effect.gen(function*() {
        yield* batcher.deliver(steps)
        yield* Effect.forEach(located, ({ file, outcome }) => content(file, outcome), {
          concurrency: SMALL_AT_ONCE,
          discard: true
        })
      }))
    })

    const content = (file: Wanted, outcome: Outcome) => {
      if (outcome.errno !== 0) return Effect.sync(() => failedWith(file.path, outcome.errno))
      const { extents, length, size } = outcome.reply as ReplyOf<"readExtents">
      const [extent] = extents
      const whole = extents.length === 1 && extent !== undefined && extent.offset === 0 && extent.length === size
      const write = whole && size <= SMALL_FILE_BYTES_MAX
        ? writeSmall(file, extent)
        : writeLarge(
          file,
          length === size ? Stream.fromIterable(extents) : fs.extents(file.attributes.inode, file.path),
          size
        )
      // A damaged or missing block costs its file, not the copy.
      return Effect.catchIf(write, (error) => error._tag === "DataError" && error.damaged, (error) =>
        Effect.sync(() => {
          attempt(file.local, () => Fs.rmSync(file.local, { force: true }))
          report.failed(toText(file.path), error.message)
        }))
    }

    const writeSmall = (file: Wanted, extent: Extent) =>
      Effect.map(fs.reader.readShared(extent), (bytes) => {
        const written = attempt(file.local, () => {
          const fd = Fs.openSync(file.local, WRITE_FLAGS, PRIVATE_FILE)
          try {
            writeAll(fd, bytes, 0)
          } finally {
            Fs.closeSync(fd)
          }
        })
        if (written) done(file, bytes.length)
      })

    const writeLarge = <E>(file: Wanted, extents: Stream.Stream<Extent, E>, size: number) =>
      large.withPermits(1)(Effect.scoped(Effect.gen(function*() {
        const fd = yield* Effect.acquireRelease(
          Effect.sync(() => {
            let opened = -1
            attempt(file.local, () => {
              opened = Fs.openSync(file.local, WRITE_FLAGS, PRIVATE_FILE)
              Fs.ftruncateSync(opened, size)
            })
            return opened
          }),
          (fd) => Effect.sync(() => fd === -1 ? undefined : Fs.closeSync(fd))
        )
        if (fd === -1) return
        yield* Stream.runForEach(extents, (extent) => {
          let at = extent.offset
          return Stream.runForEach(fs.reader.stream(extent), (bytes) =>
            Effect.sync(() => {
              writeAll(fd, bytes, at)
              at += bytes.length
            }))
        }).pipe(Effect.catchAllDefect(notWritten(file.local)))
        done(file, size)
      })))

    const done = (file: Wanted, size: number): void => {
      finish(file.local, file.attributes)
      report.done(size)
    }

    const flushLinks = Effect.suspend(() => {
      const batch = links
      links = []
      return batcher.send(batch.map((link) => ({
        commands: [command("readLink", { inode: link.attributes.inode })],
        onOutcomes: ([outcome]) => {
          if (outcome === undefined || outcome.errno !== 0) return failedWith(link.path, outcome?.errno ?? 0)
          const { target } = outcome.reply as ReplyOf<"readLink">
          const made = attempt(link.local, () => {
            const before = local.find(link.local)
            if (before !== undefined && !Mode.isDirectory(before.mode)) local.remove(link.local)
            local.symlink(Buffer.from(toBytes(target)), link.local)
          })
          if (!made) return
          finish(link.local, link.attributes)
          report.links++
        }
      })))
    })

    /** Attributes of the files that have some; which ones, only the zone knows. */
    const flushXattrs = Effect.gen(function*() {
      const batch = attributed
      attributed = []
      const found: Array<readonly [name: Buffer, file: Wanted]> = []
      yield* batcher.deliver(batch.map((file) => ({
        commands: [command("listXattrs", { inode: file.attributes.inode })],
        onOutcomes: ([outcome]) => {
          if (outcome?.errno !== 0) return
          const { names } = outcome.reply as ReplyOf<"listXattrs">
          for (const name of names) found.push([Buffer.from(toBytes(name)), file])
        }
      })))
      const [plain, security] = divideXattrs(found)
      yield* setXattrs(plain, (file, set) => {
        const { mode } = file.attributes
        // A file that its owner may not write takes no attribute from them, either.
        if (!asRoot && Mode.isRegular(mode)) local.chmod(file.local, PRIVATE_FILE)
        set()
        if (!Mode.isDirectory(mode)) finish(file.local, file.attributes)
      })
      yield* setXattrs(security, (_file, set) => set())
    })

    const setXattrs = (
      named: ReadonlyArray<readonly [name: Buffer, file: Wanted]>,
      action: (file: Wanted, set: () => void) => void
    ) =>
      batcher.deliver(named.map(([name, file]) => ({
        commands: [command("getXattr", { inode: file.attributes.inode, name: fromBytes(name) })],
        onOutcomes: ([outcome]) => {
          if (outcome?.errno !== 0) return
          const { value } = outcome.reply as ReplyOf<"getXattr">
          attempt(file.local, () => action(file, () => local.setXattr?.(file.local, name, Buffer.from(toBytes(value)))))
        }
      })))

    /** One thing to copy. */
    const take = (one: Wanted) =>
      Effect.gen(function*() {
        const { attributes } = one
        if (options.preserve && local.setXattr !== undefined) attributed.push(one)
        if (Mode.isDirectory(attributes.mode)) {
          const made = attempt(one.local, () => {
            const before = local.find(one.local)
            if (before === undefined) local.mkdir(one.local)
            else if (!Mode.isDirectory(before.mode)) throw Object.assign(new Error(), { code: "ENOTDIR" })
          })
          if (!made) return
          folders.push(one)
          report.folders++
          return
        }
        if (attributes.nlink > 1 && linkLater(one)) return
        if (Mode.isSymlink(attributes.mode)) {
          links.push(one)
          if (links.length >= FILES_AT_ONCE) yield* flushLinks
        } else if (Mode.isRegular(attributes.mode)) yield* takeFile(one)
        else takeSpecial(one)
      })

    const takeFile = (one: Wanted) =>
      Effect.gen(function*() {
        const { attributes: { size } } = one
        report.progress.expect(1, size)
        let stat: LocalStat | undefined
        if (!attempt(one.local, () => stat = local.find(one.local))) return
        if (isSame(one, stat)) {
          finish(one.local, one.attributes)
          return report.skipped(size)
        }
        // Never write through a link or into a further name of what stands there.
        if (stat !== undefined && (!Mode.isRegular(stat.mode) || stat.nlink > 1)) {
          if (!attempt(one.local, () => local.remove(one.local))) return
        }
        if (size === 0) {
          if (attempt(one.local, () => Fs.closeSync(Fs.openSync(one.local, WRITE_FLAGS, PRIVATE_FILE)))) done(one, 0)
          return
        }
        files.push(one)
        if (files.length >= FILES_AT_ONCE) yield* flushFiles
      })

    const takeSpecial = (one: Wanted): void => {
      const { mknod } = local
      if (mknod === undefined) {
        return report.failed(
          toText(one.path),
          `a ${Mode.kindOf(one.attributes.mode)} needs the native part (apt-get install g++)`
        )
      }
      const made = attempt(one.local, () => {
        if (local.find(one.local) !== undefined) local.remove(one.local)
        mknod(one.local, (one.attributes.mode & Mode.S_IFMT) | PRIVATE_FILE, one.attributes.rdev)
      })
      if (!made) return
      finish(one.local, one.attributes)
      report.links++
    }

    /** Whether this is a further name of a file that is copied under another. */
    const linkLater = (one: Wanted): boolean => {
      const first = linked.get(one.attributes.inode)
      if (first === undefined) {
        linked.set(one.attributes.inode, one.local)
        return false
      }
      laterLinks.push(() => {
        const made = attempt(one.local, () => {
          const before = local.find(one.local)
          if (before !== undefined && before.identity === local.lstat(first).identity) return
          if (before !== undefined) local.remove(one.local)
          local.link(first, one.local)
        })
        if (made) report.links++
      })
      return true
    }

    const child = (folder: Folder, { attributes, name }: DirectoryEntry): Wanted => ({
      path: join(folder.path, name),
      attributes,
      local: joinPath(folder.local, toBytes(name))
    })

    for (const one of wanted) yield* take(one)
    for (let at = 0; at < folders.length;) {
      const wave = folders.slice(at)
      at = folders.length
      // Many listings at a time, so that they travel together.
      const children = Stream.flatMap(Stream.fromIterable(wave), (folder) =>
        Stream.map(fs.list(folder.attributes.inode, folder.path), (entry) => child(folder, entry)), {
        concurrency: LISTINGS_AT_ONCE
      })
      yield* Stream.runForEach(children, take)
    }
    yield* flushFiles
    yield* flushLinks
    yield* batcher.settled
    for (const link of laterLinks) {
      link()
    }
    yield* flushXattrs
    // The deepest first: whatever came into a folder moved its time, and a closed one lets nothing in.
    for (const folder of folders.reverse()) {
      finish(folder.local, folder.attributes)
    }
  }))

const PRIVATE_FILE = 0o600
const WRITE_FLAGS = Fs.constants.O_CREAT | Fs.constants.O_WRONLY | Fs.constants.O_TRUNC | Fs.constants.O_NOFOLLOW

/** A local file that cannot be written ends the copy: the next one would not fit either. */
const notWritten = (path: Buffer) => (cause: unknown): Effect.Effect<never, DataError> =>
  Effect.fail(new DataError({ path: path.toString(), reason: codeOf(cause), damaged: false }))

const writeAll = (fd: number, bytes: Uint8Array, position: number): void => {
  for (let at = 0; at < bytes.length;) at += Fs.writeSync(fd, bytes, at, bytes.length - at, position + at)
}
