/**
 * A disk as one process of its host sees it: calls that take time, and fail with an errno. It decides when a call takes
 * effect, not what it does.
 */
import { FileFailure, type Files, type NewFile, type OpenFile } from "#persistence/blocks/Files.ts"
import type { Disk, DiskHandle, Errno } from "#simulations/world/Disk.ts"
import type { Process } from "#simulations/world/Process.ts"
import { MICRO, MILLI } from "#simulations/world/World.ts"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

const CALL_MIN = 50 * MICRO
const CALL_MAX = 3 * MILLI

/** What the system says to each error, and its number on Linux. */
const ERRORS: { readonly [code in Errno]: readonly [number: number, text: string] } = {
  ENOENT: [2, "no such file or directory"],
  EIO: [5, "i/o error"],
  EBADF: [9, "bad file descriptor"],
  EEXIST: [17, "file already exists"],
  ENOTDIR: [20, "not a directory"],
  EISDIR: [21, "illegal operation on a directory"],
  ENOSPC: [28, "no space left on device"],
  EROFS: [30, "read-only file system"],
  ENAMETOOLONG: [36, "name too long"]
}

export const make = (disk: Disk, process: Process): Files => {
  /** A result that is a string is an errno. */
  const call = <A>(name: string, path: string, act: () => A | Errno): Effect.Effect<A, FileFailure> =>
    callOn(disk, process, name, path, act)
  const done = (name: string, path: string, act: () => Errno | undefined): Effect.Effect<void, FileFailure> =>
    Effect.asVoid(call<undefined>(name, path, act))
  const closeOf = (handle: DiskHandle) => done("close", handle.path, () => disk.close(handle))
  const newFile = (handle: DiskHandle): NewFile => ({
    write: (parts) => call<number>("write", handle.path, () => disk.write(handle, parts)),
    datasync: done("fdatasync", handle.path, () => disk.datasync(handle)),
    close: closeOf(handle)
  })
  const openFile = (handle: DiskHandle): OpenFile => ({
    size: call<number>("fstat", handle.path, () => disk.sizeOf(handle)),
    read: (buffer, offset) => call<number>("read", handle.path, () => disk.read(handle, buffer, offset)),
    close: closeOf(handle)
  })
  return {
    owner: disk.ownerOf(process),
    create: (path) => Effect.map(call<DiskHandle>("open", path, () => disk.create(path)), newFile),
    open: (path) => Effect.map(call<DiskHandle>("open", path, () => disk.open(path)), openFile),
    rename: (from, to) => done("rename", `${from}' -> '${to}`, () => disk.rename(from, to)),
    unlink: (path) => done("unlink", path, () => disk.unlink(path)),
    size: (path) => call<number>("stat", path, () => disk.size(path)),
    sizes: (paths) =>
      call("stat", paths.join(" "), () =>
        paths.map((path) => {
          const bytes = disk.size(path)
          return typeof bytes === "number" ? bytes : undefined
        })),
    makeFolder: (path) => done("mkdir", path, () => disk.makeFolder(path)),
    entries: (folder) => call("scandir", folder, () => disk.entries(folder)),
    syncFolder: (folder) => done("fsync", folder, () => disk.syncFolder(folder))
  }
}

/**
 * The effect falls in the midst of the time that the call takes: its process may die before it, or behind it without
 * having heard of it. If the process is frozen, the kernel goes on.
 */
const callOn = <A>(
  disk: Disk,
  process: Process,
  name: string,
  path: string,
  act: () => A | Errno
): Effect.Effect<A, FileFailure> =>
  Effect.uninterruptible(Effect.async((resume) => {
    const { cuts, world } = disk
    const all = world.between(CALL_MIN, CALL_MAX) * disk.slowness + disk.faults.delay(path)
    const before = world.between(0, all)
    world.later(before, undefined, () => {
      if (process.isDead) return
      const result = disk.cuts === cuts ? act() : "EIO"
      world.note(isErrno(result) ? ERRORS[result][0] : 0)
      world.later(all - before, process, () => resume(exitOf(result, name, path)))
    })
  }))

const exitOf = <A>(result: A | Errno, name: string, path: string): Exit.Exit<A, FileFailure> => {
  if (!isErrno(result)) return Exit.succeed(result)
  return Exit.fail(new FileFailure({ code: result, message: `${result}: ${ERRORS[result][1]}, ${name} '${path}'` }))
}

const isErrno = (result: unknown): result is Errno => typeof result === "string"
