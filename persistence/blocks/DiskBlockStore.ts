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
import { attempt, codeOf, isFull, textOf, tryIo, unavailable } from "#persistence/blocks/DiskFailure.ts"
import { mark, walk } from "#persistence/blocks/DiskWalk.ts"
import * as FolderSync from "#persistence/blocks/FolderSync.ts"
import * as ObjectKey from "#persistence/blocks/ObjectKey.ts"
import * as SealedObject from "#persistence/blocks/SealedObject.ts"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"

/** Operations at a time, of one file each; libuv runs fewer at once, the rest wait inside it. */
const operationsMax = 32
/** Bytes between a range and the trailer that are read along rather than with one more call. */
const gapBytesMax = 32 * 1024
/** This run of the program, in the names of its temporary files. */
const run = randomUUID()
let temporaries = 0

export interface DiskOptions {
  /** Made if it is missing. */
  readonly folder: string
}

export const make = (options: DiskOptions): Effect.Effect<BlockStore.BlockStoreService, BlockStore.StoreUnavailable> =>
  Effect.gen(function*() {
    const store = resolve(options.folder)
    const objects = join(store, "objects")
    const temporary = join(store, "tmp")
    yield* attempt(store, "start", () => prepare([objects, temporary]))
    yield* attempt(store, "clean up", () => removeLeftOvers(temporary))
    return serve(store, objects, temporary, yield* Effect.makeSemaphore(operationsMax))
  })

export const layer = (options: DiskOptions): Layer.Layer<BlockStore.BlockStore, BlockStore.StoreUnavailable> =>
  Layer.effect(BlockStore.BlockStore, make(options))

/** Longer than a screen, because its operations share the folders and the semaphore; each of them is short. */
const serve = (
  store: string,
  objects: string,
  temporary: string,
  semaphore: Effect.Semaphore
): BlockStore.BlockStoreService => {
  const folders = FolderSync.make(objects)
  const pathOf = (key: string): string => join(objects, `${key}${mark}`)

  /** The disk finishes what it has begun, so that an interruption leaves no file open and none half written. */
  const limited = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    semaphore.withPermits(1)(Effect.uninterruptible(effect))

  const forKey = <A, E>(key: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.zipRight(ObjectKey.checkKey(key), limited(effect))

  /** A file that is not there; but if the store itself is not there, that says nothing about the file. */
  const unlessMissing = <A>(
    operation: string,
    io: () => Promise<A>
  ): Effect.Effect<Option.Option<A>, BlockStore.StoreUnavailable> =>
    tryIo(io).pipe(
      Effect.map(Option.some),
      Effect.catchAll((error) =>
        codeOf(error) === "ENOENT"
          ? Effect.as(attempt(store, operation, () => stat(objects)), Option.none<A>())
          : Effect.fail(unavailable(store, operation, error))
      )
    )

  const read = <A>(key: string, operation: string, io: (path: string) => Promise<A>) =>
    Effect.flatten(unlessMissing(operation, () => io(pathOf(key)))).pipe(
      Effect.catchTag("NoSuchElementException", () => new BlockStore.ObjectMissing({ key, store }))
    )

  const corrupt = (key: string) => (reason: string): BlockStore.ObjectCorrupt =>
    new BlockStore.ObjectCorrupt({ key, store, reason })

  const put = (key: string, bytes: Uint8Array): Effect.Effect<void, BlockStore.WriteError> =>
    Effect.suspend(() => {
      const path = pathOf(key)
      const folder = dirname(path)
      const aside = join(temporary, `${process.pid}-${run}-${++temporaries}`)
      const place = async (handle: FileHandle): Promise<void> => {
        await writeAll(handle, [bytes, SealedObject.seal(bytes)])
        await folders.ensure(folder)
        await rename(aside, path)
      }
      return tryIo(() => open(aside, "wx", 0o600)).pipe(
        Effect.flatMap((handle) => Effect.tapError(tryIo(() => place(handle)), () => discard(aside))),
        Effect.tapError((error) => Effect.sync(() => codeOf(error) === "ENOENT" && folders.forget(folder))),
        Effect.mapError((error) =>
          isFull(error)
            ? new BlockStore.StoreFull({ key, store, reason: textOf(error) })
            : unavailable(store, `put ${key}`, error)
        ),
        Effect.zipRight(attempt(store, `put ${key}`, () => folders.sync(folder)))
      )
    })

  const remove = (key: string): Effect.Effect<void, BlockStore.StoreUnavailable> =>
    unlessMissing(`remove ${key}`, async () => {
      await unlink(pathOf(key))
      await folders.sync(dirname(pathOf(key)))
    })

  const head = (key: string): Effect.Effect<BlockStore.ObjectInfo | undefined, BlockStore.StoreUnavailable> =>
    Effect.map(
      unlessMissing(`head ${key}`, () => stat(pathOf(key))),
      (found) => Option.isSome(found) ? { key, bytes: SealedObject.objectBytesOf(found.value.size) } : undefined
    )

  const list = (prefix: string): Stream.Stream<BlockStore.ObjectInfo, BlockStore.StoreUnavailable> =>
    Stream.unwrap(Effect.gen(function*() {
      yield* ObjectKey.checkPrefix(prefix)
      yield* attempt(store, `list ${prefix}`, () => stat(objects))
      const walked = walk(objects, prefix)
      const step = Effect.map(
        limited(attempt(store, `list ${prefix}`, () => walked.next())),
        (next) =>
          next.done === true ? Option.none() : Option.some([Chunk.unsafeFromArray(next.value), undefined] as const)
      )
      return Stream.unfoldChunkEffect(undefined, () => step)
    }))

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
        const view = forKey(key, read(key, `get a range of ${key}`, (path) => readCover(path, objectBytes, cover)))
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

/** Makes the folders of the store, durable. */
const prepare = async (folders: ReadonlyArray<string>): Promise<void> => {
  for (const folder of folders) {
    const first = await mkdir(folder, { recursive: true, mode: 0o700 })
    if (first === undefined) continue
    for (let made = folder; made.length >= first.length; made = dirname(made)) await FolderSync.fsync(dirname(made))
  }
}

/**
 * Removes the temporary files of processes that are no more. One that belongs to a process out of sight, in another
 * container on the same folder, may go too: its put then fails at the rename, and is tried again.
 */
const removeLeftOvers = async (temporary: string): Promise<void> => {
  for (const name of await readdir(temporary)) {
    const [, pid, itsRun] = /^(\d+)-(.+)-\d+$/.exec(name) ?? []
    if (pid === undefined || itsRun === run) continue
    if (Number(pid) === process.pid || !isRunning(Number(pid))) await rm(join(temporary, name), { force: true })
  }
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) !== "ESRCH"
  }
}

/** Writes the parts one behind the other, makes them durable, and closes the file. */
const writeAll = async (handle: FileHandle, parts: ReadonlyArray<Uint8Array>): Promise<void> => {
  try {
    for (let rest = parts; rest.length > 0;) {
      const { bytesWritten } = await handle.writev(rest)
      rest = skip(rest, bytesWritten)
    }
    await handle.datasync()
  } finally {
    await handle.close()
  }
}

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

const discard = (aside: string): Effect.Effect<void> =>
  Effect.tryPromise({ try: () => rm(aside, { force: true }), catch: textOf }).pipe(
    Effect.catchAll((reason) => Effect.logWarning(`temporary file stays until the next start: ${reason}`))
  )

const readWhole = (path: string): Promise<Uint8Array> =>
  withFile(path, async (handle) => readAt(handle, 0, (await handle.stat()).size))

interface CoverRead {
  readonly storedBytes: number
  readonly pieces: Uint8Array
  readonly trailer: Uint8Array
}

const readCover = (path: string, objectBytes: number, { start, end }: SealedObject.Cover): Promise<CoverRead> =>
  withFile(path, async (handle) => {
    const sealedBytes = SealedObject.sealedBytes(objectBytes)
    const storedBytes = (await handle.stat()).size
    if (objectBytes - end <= gapBytesMax) {
      const tail = await readAt(handle, start, sealedBytes)
      return { storedBytes, pieces: tail.subarray(0, end - start), trailer: tail.subarray(objectBytes - start) }
    }
    const [pieces, trailer] = await Promise.all([
      readAt(handle, start, end),
      readAt(handle, objectBytes, sealedBytes)
    ])
    return { storedBytes, pieces, trailer }
  })

const withFile = async <A>(path: string, use: (handle: FileHandle) => Promise<A>): Promise<A> => {
  const handle = await open(path, "r")
  try {
    return await use(handle)
  } finally {
    await handle.close()
  }
}

/** The bytes from `start` to `end`, or to the end of the file where that comes first. */
const readAt = async (handle: FileHandle, start: number, end: number): Promise<Uint8Array> => {
  const buffer = Buffer.allocUnsafeSlow(end - start)
  let filled = 0
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, start + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return new Uint8Array(buffer.buffer, 0, filled)
}
