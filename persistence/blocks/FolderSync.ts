/**
 * Fsync of folders, shared: whoever asks while one fsync of a folder runs joins the next one, which covers them all.
 * It also makes folders whose own names are durable. It knows nothing of what lies in them.
 */
import type { FileFailure, Files } from "#persistence/blocks/Files.ts"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import { dirname } from "node:path"

/** Folders known to be durable; beyond this the memory starts afresh. */
const durableFoldersMax = 65_536

export interface FolderSync {
  /** Returns when every change of the folder made before the call is durable. */
  readonly sync: (folder: string) => Effect.Effect<void, FileFailure>
  /** Makes a folder below the root and its missing parents, durable when it returns. */
  readonly ensure: (folder: string) => Effect.Effect<void, FileFailure>
  /** A folder that was found missing: `ensure` shall make it again. */
  readonly forget: (folder: string) => void
}

/** What one does for all who wait for it. */
type Shared = Deferred.Deferred<void, FileFailure>

/** The root exists and stays; `ensure` makes nothing above it. */
export const make = (root: string, files: Pick<Files, "makeFolder" | "syncFolder">): FolderSync => {
  const running = new Map<string, Shared>()
  const waiting = new Map<string, Shared>()
  const durable = new Map<string, Shared>()

  const start = (folder: string, shared: Shared): Effect.Effect<void, FileFailure> =>
    Effect.suspend(() => {
      waiting.delete(folder)
      running.set(folder, shared)
      return settle(shared, files.syncFolder(folder), () => running.delete(folder))
    })

  const sync = (folder: string): Effect.Effect<void, FileFailure> =>
    Effect.suspend(() => {
      const next = waiting.get(folder)
      if (next !== undefined) return Deferred.await(next)
      const mine = shared()
      const current = running.get(folder)
      if (current === undefined) return start(folder, mine)
      waiting.set(folder, mine)
      // Others rely on it from now on, so it cannot be interrupted any more.
      return Effect.uninterruptible(Effect.zipRight(Effect.exit(Deferred.await(current)), start(folder, mine)))
    })

  const ensure = (folder: string): Effect.Effect<void, FileFailure> =>
    Effect.suspend(() => {
      if (folder === root) return Effect.void
      const known = durable.get(folder)
      if (known !== undefined) return Deferred.await(known)
      if (durable.size >= durableFoldersMax) durable.clear()
      const mine = shared()
      durable.set(folder, mine)
      const parent = dirname(folder)
      const made = ensure(parent).pipe(Effect.zipRight(makeIfMissing(files, folder)), Effect.zipRight(sync(parent)))
      return settle(mine, Effect.tapErrorCause(made, () => Effect.sync(() => forget(folder))), () => undefined)
    })

  const forget = (folder: string): void => {
    for (let at = folder; at.length > root.length; at = dirname(at)) durable.delete(at)
  }

  return { sync, ensure, forget }
}

/** Makes a folder if it is missing. */
export const makeIfMissing = (
  files: Pick<Files, "makeFolder">,
  folder: string
): Effect.Effect<void, FileFailure> =>
  Effect.catchAll(
    files.makeFolder(folder),
    (failure) => failure.code === "EEXIST" ? Effect.void : Effect.fail(failure)
  )

const shared = (): Shared => Deferred.unsafeMake(FiberId.none)

/** Does it to its end, for oneself and for all who wait. */
const settle = (
  shared: Shared,
  work: Effect.Effect<void, FileFailure>,
  before: () => void
): Effect.Effect<void, FileFailure> =>
  Effect.uninterruptible(Effect.flatMap(Effect.exit(work), (exit) => {
    before()
    Deferred.unsafeDone(shared, exit)
    return exit
  }))
