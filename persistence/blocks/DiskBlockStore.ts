/**
 * The block store in a local folder: one sealed file an object, written aside, synced and renamed into place.
 * It is as durable as the disk below it; it keeps no copies, and repairs nothing that it finds corrupt.
 *
 *     FOLDER/objects/blocks/07/1234_0_4194304+sealed     key blocks/07/1234_0_4194304
 *     FOLDER/tmp/PID-RUN-NUMBER                          an object on its way
 *
 * No key contains a `+`, so the object `a` and the folder of `a/b` do not meet.
 */
import * as BlockStore from "#persistence/blocks/BlockStore.ts"
import { attempt, isFull, unavailable } from "#persistence/blocks/DiskFailure.ts"
import * as DiskWalk from "#persistence/blocks/DiskWalk.ts"
import { type FileFailure, type Files, type NewFile, nodeFiles, type OpenFile } from "#persistence/blocks/Files.ts"
import * as FolderSync from "#persistence/blocks/FolderSync.ts"
import * as ObjectKey from "#persistence/blocks/ObjectKey.ts"
import * as SealedObject from "#persistence/blocks/SealedObject.ts"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { dirname, join, resolve } from "node:path"

/** Operations at a time, of one file each; libuv runs fewer at once, the rest wait inside it. */
const operationsMax = 32
/** Bytes between a range and the trailer that are read along rather than with one more call. */
const gapBytesMax = 32 * 1024

export interface DiskOptions {
  /** Made if it is missing. */
  readonly folder: string
  /** The disk that it is on; the one of this machine if not given. */
  readonly files?: Files
}

export const make = (options: DiskOptions): Effect.Effect<BlockStore.BlockStoreService, BlockStore.StoreUnavailable> =>
  Effect.gen(function*() {
    const files = options.files ?? nodeFiles
    const store = resolve(options.folder)
    const objects = join(store, "objects")
    const temporary = join(store, "tmp")
    yield* attempt(store, "start", Effect.zipRight(makeDurable(files, objects), makeDurable(files, temporary)))
    yield* attempt(store, "clean up", removeLeftOvers(files, temporary))
    return serve(store, files, objects, temporary, yield* Effect.makeSemaphore(operationsMax))
  })

export const layer = (options: DiskOptions): Layer.Layer<BlockStore.BlockStore, BlockStore.StoreUnavailable> =>
  Layer.effect(BlockStore.BlockStore, make(options))

/** Longer than a screen, because its operations share the folders and the semaphore; each of them is short. */
const serve = (
  store: string,
  files: Files,
  objects: string,
  temporary: string,
  semaphore: Effect.Semaphore
): BlockStore.BlockStoreService => {
  const folders = FolderSync.make(objects, files)
  const pathOf = (key: string): string => join(objects, `${key}${DiskWalk.mark}`)

  /** The disk finishes what it has begun, so that an interruption leaves no file open and none half written. */
  const limited = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    semaphore.withPermits(1)(Effect.uninterruptible(effect))

  const forKey = <A, E>(key: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.zipRight(ObjectKey.checkKey(key), limited(effect))

  /** A file that is not there; but if the store itself is not there, that says nothing about the file. */
  const unlessMissing = <A>(
    operation: string,
    io: Effect.Effect<A, FileFailure>
  ): Effect.Effect<Option.Option<A>, BlockStore.StoreUnavailable> =>
    io.pipe(
      Effect.map(Option.some),
      Effect.catchAll((failure) =>
        failure.code === "ENOENT"
          ? Effect.as(attempt(store, operation, files.size(objects)), Option.none<A>())
          : Effect.fail(unavailable(store, operation, failure))
      )
    )

  const read = <A>(key: string, operation: string, use: (file: OpenFile) => Effect.Effect<A, FileFailure>) =>
    Effect.flatten(
      unlessMissing(operation, Effect.flatMap(files.open(pathOf(key)), (file) => closing(file, use(file))))
    )
      .pipe(Effect.catchTag("NoSuchElementException", () => new BlockStore.ObjectMissing({ key, store })))

  const corrupt = (key: string) => (reason: string): BlockStore.ObjectCorrupt =>
    new BlockStore.ObjectCorrupt({ key, store, reason })

  const put = (key: string, bytes: Uint8Array): Effect.Effect<void, BlockStore.WriteError> =>
    Effect.suspend(() => {
      const path = pathOf(key)
      const folder = dirname(path)
      const { count, pid, run } = files.owner
      const aside = join(temporary, `${pid}-${run}-${count()}`)
      const place = (file: NewFile): Effect.Effect<void, FileFailure> =>
        writeAll(file, [bytes, SealedObject.seal(bytes)]).pipe(
          Effect.zipRight(folders.ensure(folder)),
          Effect.zipRight(files.rename(aside, path))
        )
      return files.create(aside).pipe(
        Effect.flatMap((file) => Effect.tapError(place(file), () => discard(files, aside))),
        Effect.tapError(({ code }) => Effect.sync(() => code === "ENOENT" && folders.forget(folder))),
        Effect.mapError((failure) =>
          isFull(failure)
            ? new BlockStore.StoreFull({ key, store, reason: failure.message })
            : unavailable(store, `put ${key}`, failure)
        ),
        Effect.zipRight(attempt(store, `put ${key}`, folders.sync(folder)))
      )
    })

  /** One that is gone already may come back at a power cut, if whoever removed it died before its fsync. */
  const remove = (key: string): Effect.Effect<void, BlockStore.StoreUnavailable> => {
    const path = pathOf(key)
    const unlinked = Effect.catchIf(files.unlink(path), ({ code }) => code === "ENOENT", () => Effect.void)
    return Effect.asVoid(unlessMissing(`remove ${key}`, Effect.zipRight(unlinked, folders.sync(dirname(path)))))
  }

  const head = (key: string): Effect.Effect<BlockStore.ObjectInfo | undefined, BlockStore.StoreUnavailable> =>
    Effect.map(
      unlessMissing(`head ${key}`, files.size(pathOf(key))),
      (found) => Option.isSome(found) ? { key, bytes: SealedObject.objectBytesOf(found.value) } : undefined
    )

  const list = (prefix: string): Stream.Stream<BlockStore.ObjectInfo, BlockStore.StoreUnavailable> => {
    const stepFrom = (place: DiskWalk.Place) =>
      Effect.map(
        limited(attempt(store, `list ${prefix}`, DiskWalk.step(files, objects, prefix, place))),
        ([infos, next]) => Option.some([Chunk.unsafeFromArray(infos), next] as const)
      )
    return Stream.unwrap(Effect.gen(function*() {
      yield* ObjectKey.checkPrefix(prefix)
      yield* attempt(store, `list ${prefix}`, files.size(objects))
      return Stream.unfoldChunkEffect(
        DiskWalk.begin(prefix) as DiskWalk.Place | undefined,
        (place) => place === undefined ? Effect.succeed(Option.none()) : stepFrom(place)
      )
    }))
  }

  return {
    description: store,
    put: (key, bytes) => forKey(key, put(key, bytes)),
    get: (key) =>
      forKey(key, read(key, `get ${key}`, readWhole)).pipe(
        Effect.flatMap((stored) => Effect.mapError(SealedObject.open(stored), corrupt(key)))
      ),
    getRange: (key, objectBytes, offset, length) =>
      Effect.suspend(() => {
        const cover = SealedObject.cover(objectBytes, offset, length)
        const view = forKey(key, read(key, `get a range of ${key}`, (file) => readCover(file, objectBytes, cover)))
        return Effect.flatMap(view, ({ storedBytes, pieces, trailer }) => {
          const fault = SealedObject.sizeFault(storedBytes, objectBytes) ??
            SealedObject.trailerFault(trailer, objectBytes) ??
            SealedObject.piecesFault(pieces, cover, trailer)
          return fault === undefined
            ? Effect.succeed(pieces.subarray(offset - cover.start, offset - cover.start + length))
            : Effect.fail(corrupt(key)(fault))
        })
      }),
    head: (key) => forKey(key, head(key)),
    remove: (key) => forKey(key, remove(key)),
    list
  }
}

/**
 * Makes a folder of the store and its missing parents, durable. Each is so before anything is made in it; of one that is
 * there already, only the own name may not be, because whoever made it may have died before its fsync.
 */
const makeDurable = (files: Files, folder: string): Effect.Effect<void, FileFailure> =>
  Effect.flatMap(isFolder(files, folder), (isThere) => {
    const parent = dirname(folder)
    if (isThere) return unlessForeign(files.syncFolder(parent))
    return makeDurable(files, parent).pipe(
      Effect.zipRight(FolderSync.makeIfMissing(files, folder)),
      Effect.zipRight(files.syncFolder(parent))
    )
  })

/** With the slash, a file of this name is an error. */
const isFolder = (files: Files, folder: string): Effect.Effect<boolean, FileFailure> =>
  files.size(`${folder}/`).pipe(
    Effect.as(true),
    Effect.catchAll((failure) => failure.code === "ENOENT" ? Effect.succeed(false) : Effect.fail(failure))
  )

/** Where this process may not look, it made nothing; where nobody may write, nothing is acknowledged any more. */
const unlessForeign = (io: Effect.Effect<void, FileFailure>): Effect.Effect<void, FileFailure> =>
  Effect.catchIf(io, ({ code }) => code === "EACCES" || code === "EPERM" || code === "EROFS", () => Effect.void)

/**
 * Removes the temporary files of processes that are no more. One that belongs to a process out of sight, in another
 * container on the same folder, may go too: its put then fails at the rename, and is tried again.
 */
const removeLeftOvers = (files: Files, temporary: string): Effect.Effect<void, FileFailure> =>
  Effect.flatMap(files.entries(temporary), (entries) =>
    Effect.forEach(
      entries.filter(({ name }) => isLeftOver(files, name)),
      ({ name }) => discard(files, join(temporary, name)),
      { discard: true }
    ))

const isLeftOver = ({ owner }: Files, name: string): boolean => {
  const [, pid, run] = /^(\d+)-(.+)-\d+$/.exec(name) ?? []
  if (pid === undefined || run === owner.run) return false
  return Number(pid) === owner.pid || !owner.isRunning(Number(pid))
}

/** Writes the parts one behind the other, makes them durable, and closes the file. */
const writeAll = (file: NewFile, parts: ReadonlyArray<Uint8Array>): Effect.Effect<void, FileFailure> =>
  closing(file, Effect.zipRight(writeRest(file, parts), file.datasync))

const writeRest = (file: NewFile, parts: ReadonlyArray<Uint8Array>): Effect.Effect<void, FileFailure> =>
  parts.length === 0
    ? Effect.void
    : Effect.flatMap(file.write(parts), (bytes) => writeRest(file, skip(parts, bytes)))

/** What is left of the parts once their first bytes are written; no part of it is empty. */
const skip = (parts: ReadonlyArray<Uint8Array>, bytes: number): ReadonlyArray<Uint8Array> => {
  const rest: Array<Uint8Array> = []
  let passed = bytes
  for (const part of parts) {
    if (part.length > passed) rest.push(part.subarray(passed))
    passed = Math.max(0, passed - part.length)
  }
  return rest
}

const discard = (files: Files, aside: string): Effect.Effect<void> =>
  Effect.catchAll(files.unlink(aside), ({ code, message }) =>
    code === "ENOENT"
      ? Effect.void
      : Effect.logWarning(`temporary file stays until the next start: ${message}`))

const closing = <A>(
  file: { readonly close: Effect.Effect<void, FileFailure> },
  use: Effect.Effect<A, FileFailure>
): Effect.Effect<A, FileFailure> => Effect.flatMap(Effect.exit(use), (exit) => Effect.zipRight(file.close, exit))

const readWhole = (file: OpenFile): Effect.Effect<Uint8Array, FileFailure> =>
  Effect.flatMap(file.size, (bytes) => readAt(file, 0, bytes))

interface CoverRead {
  readonly storedBytes: number
  readonly pieces: Uint8Array
  readonly trailer: Uint8Array
}

const readCover = (
  file: OpenFile,
  objectBytes: number,
  { start, end }: SealedObject.Cover
): Effect.Effect<CoverRead, FileFailure> =>
  Effect.gen(function*() {
    const sealedBytes = SealedObject.sealedBytes(objectBytes)
    const storedBytes = yield* file.size
    if (objectBytes - end <= gapBytesMax) {
      const tail = yield* readAt(file, start, sealedBytes)
      return { storedBytes, pieces: tail.subarray(0, end - start), trailer: tail.subarray(objectBytes - start) }
    }
    const parts = [readAt(file, start, end), readAt(file, objectBytes, sealedBytes)] as const
    const [pieces, trailer] = yield* Effect.all(parts, { concurrency: "unbounded" })
    return { storedBytes, pieces, trailer }
  })

/** The bytes from `start` to `end`, or to the end of the file where that comes first. */
const readAt = (file: OpenFile, start: number, end: number): Effect.Effect<Uint8Array, FileFailure> =>
  Effect.suspend(() => {
    const { buffer } = Buffer.allocUnsafeSlow(end - start)
    const fill = (filled: number): Effect.Effect<Uint8Array, FileFailure> =>
      filled === buffer.byteLength
        ? Effect.succeed(new Uint8Array(buffer))
        : Effect.flatMap(
          file.read(new Uint8Array(buffer, filled), start + filled),
          (bytes) => bytes === 0 ? Effect.succeed(new Uint8Array(buffer, 0, filled)) : fill(filled + bytes)
        )
    return fill(0)
  })
