/**
 * The calls to the file system that a block store on disk makes, and nothing else of it: each is one step of the
 * kernel's, so that a simulated disk can fail, or lose its power, between any two of them.
 *
 * `nodeFiles` is the real one. A call that has begun is finished, whoever is interrupted meanwhile.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises"

/** A call failed; `code` is the errno's name, as `ENOSPC`, or empty if the system gave none. */
export class FileFailure extends Data.TaggedError("FileFailure")<{
  readonly code: string
  /** As the system gave it. */
  readonly message: string
}> {}

export interface Files {
  readonly owner: FileOwner
  /** Makes a file that is not there yet, for no other user's eyes. Whoever opens must close. */
  readonly create: (path: string) => Effect.Effect<NewFile, FileFailure>
  readonly open: (path: string) => Effect.Effect<OpenFile, FileFailure>
  /** Puts the file where another one may be, atomically. */
  readonly rename: (from: string, to: string) => Effect.Effect<void, FileFailure>
  readonly unlink: (path: string) => Effect.Effect<void, FileFailure>
  /** Bytes of a file. */
  readonly size: (path: string) => Effect.Effect<number, FileFailure>
  /** Of many at a time; undefined for one that is not there. */
  readonly sizes: (paths: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<number | undefined>, FileFailure>
  /** Makes one folder, whose parent is there. */
  readonly makeFolder: (path: string) => Effect.Effect<void, FileFailure>
  /** In no order. */
  readonly entries: (folder: string) => Effect.Effect<ReadonlyArray<FolderEntry>, FileFailure>
  /** When it returns, every name made, moved or removed in the folder before it began is durable. */
  readonly syncFolder: (folder: string) => Effect.Effect<void, FileFailure>
}

/** The process that makes the calls. Its files of passing use bear its name, so that another one can clean up. */
export interface FileOwner {
  readonly pid: number
  /** This run of the program: a later process may have the same number. */
  readonly run: string
  /** Another number at each call. */
  readonly count: () => number
  readonly isRunning: (pid: number) => boolean
}

export interface NewFile {
  /** Writes behind what was written; the result is how many bytes were, which may be fewer than all. */
  readonly write: (parts: ReadonlyArray<Uint8Array>) => Effect.Effect<number, FileFailure>
  /** When it returns, what was written is durable; the file's name need not be. */
  readonly datasync: Effect.Effect<void, FileFailure>
  readonly close: Effect.Effect<void, FileFailure>
}

export interface OpenFile {
  readonly size: Effect.Effect<number, FileFailure>
  /** Fills the buffer from this offset of the file; the result is how many bytes were read, 0 behind its end. */
  readonly read: (buffer: Uint8Array, offset: number) => Effect.Effect<number, FileFailure>
  readonly close: Effect.Effect<void, FileFailure>
}

export interface FolderEntry {
  readonly name: string
  readonly isDirectory: () => boolean
}

const call = <A>(io: () => Promise<A>): Effect.Effect<A, FileFailure> =>
  Effect.uninterruptible(Effect.tryPromise({ try: io, catch: failureOf }))

const failureOf = (error: unknown): FileFailure => {
  if (!(error instanceof Error)) return new FileFailure({ code: "", message: String(error) })
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  return new FileFailure({ code, message: error.message })
}

let temporaries = 0

const thisProcess: FileOwner = {
  pid: process.pid,
  run: randomUUID(),
  count: () => ++temporaries,
  isRunning: (pid) => {
    try {
      return process.kill(pid, 0)
    } catch (error) {
      return failureOf(error).code !== "ESRCH"
    }
  }
}

export const nodeFiles: Files = {
  owner: thisProcess,
  create: (path) => Effect.map(call(() => open(path, "wx", 0o600)), newFileOf),
  open: (path) => Effect.map(call(() => open(path, "r")), openFileOf),
  rename: (from, to) => call(() => rename(from, to)),
  unlink: (path) => call(() => unlink(path)),
  size: (path) => Effect.map(call(() => stat(path)), ({ size }) => size),
  sizes: (paths) => call(() => Promise.all(paths.map(sizeIfThere))),
  makeFolder: (path) => Effect.asVoid(call(() => mkdir(path, { mode: 0o700 }))),
  entries: (folder) => call(() => readdir(folder, { withFileTypes: true })),
  syncFolder: (folder) =>
    call(async () => {
      const handle = await open(folder, "r")
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    })
}

const sizeIfThere = async (path: string): Promise<number | undefined> => {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (failureOf(error).code === "ENOENT") return undefined
    throw error
  }
}

const newFileOf = (handle: FileHandle): NewFile => ({
  write: (parts) => Effect.map(call(() => handle.writev(parts)), ({ bytesWritten }) => bytesWritten),
  datasync: call(() => handle.datasync()),
  close: call(() => handle.close())
})

const openFileOf = (handle: FileHandle): OpenFile => ({
  size: Effect.map(call(() => handle.stat()), ({ size }) => size),
  read: (buffer, offset) =>
    Effect.map(call(() => handle.read(buffer, 0, buffer.length, offset)), ({ bytesRead }) => bytesRead),
  close: call(() => handle.close())
})
