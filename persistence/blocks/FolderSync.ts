/**
 * Fsync of folders, shared: whoever asks while one fsync of a folder runs joins the next one, which covers them all.
 * It also makes folders whose own names are durable. It knows nothing of what lies in them.
 */
import { mkdir, open } from "node:fs/promises"
import { dirname } from "node:path"

/** Folders known to be durable; beyond this the memory starts afresh. */
const durableFoldersMax = 65_536

export interface FolderSync {
  /** Resolves when every change of the folder made before the call is durable. */
  readonly sync: (folder: string) => Promise<void>
  /** Makes a folder below the root and its missing parents, durable when it resolves. */
  readonly ensure: (folder: string) => Promise<void>
  /** A folder that was found missing: `ensure` shall make it again. */
  readonly forget: (folder: string) => void
}

/** The root exists and stays; `ensure` makes nothing above it. */
export const make = (root: string, syncFolder: (folder: string) => Promise<void> = fsync): FolderSync => {
  const running = new Map<string, Promise<void>>()
  const waiting = new Map<string, Promise<void>>()
  const durable = new Map<string, Promise<void>>()

  const start = (folder: string): Promise<void> => {
    waiting.delete(folder)
    const done = syncFolder(folder).finally(() => running.delete(folder))
    running.set(folder, done)
    return done
  }

  const sync = (folder: string): Promise<void> => {
    const next = waiting.get(folder)
    if (next !== undefined) return next
    const current = running.get(folder)
    if (current === undefined) return start(folder)
    const following = current.then(() => start(folder), () => start(folder))
    waiting.set(folder, following)
    return following
  }

  const ensure = (folder: string): Promise<void> => {
    if (folder === root) return Promise.resolve()
    const known = durable.get(folder)
    if (known !== undefined) return known
    if (durable.size >= durableFoldersMax) durable.clear()
    const parent = dirname(folder)
    const done = ensure(parent).then(() => mkdirIfMissing(folder)).then(() => sync(parent))
    durable.set(folder, done)
    return done.catch((error: unknown) => {
      forget(folder)
      throw error
    })
  }

  const forget = (folder: string): void => {
    for (let at = folder; at.length > root.length; at = dirname(at)) durable.delete(at)
  }

  return { sync, ensure, forget }
}

const mkdirIfMissing = (folder: string): Promise<void> =>
  mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error
  })

/** Fsync of one folder, on its own. */
export const fsync = async (folder: string): Promise<void> => {
  const handle = await open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
