import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A folder of a benchmark's own, which others can pass through: Postgres may have to run as somebody else. */
export const makeFolder = (name: string): string => {
  const folder = mkdtempSync(join(tmpdir(), `cadastre-${name}-`))
  chmodSync(folder, 0o711)
  return folder
}

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true })

/** Such a folder, which goes with the scope. */
export const temporaryFolder = (name: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(() => makeFolder(name)), (folder) => Effect.sync(() => removeFolder(folder)))
