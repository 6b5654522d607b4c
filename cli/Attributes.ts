/**
 * What `chmod` and `chown` share: the paths given, and all below them if asked, changed in large messages.
 */
import { Exit, type Options } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import { complain, sayJson, text } from "#cli/Output.ts"
import * as Batcher from "#cli/transfer/Batcher.ts"
import type { UsageError } from "#cli/UsageError.ts"
import { below, type Found } from "#cli/Walk.ts"
import { command } from "#client/Client.ts"
import { FileSystem, pathOf } from "#client/FileSystem.ts"
import type { Attributes } from "#domain/Attributes.ts"
import { Errno, nameOf, textOf } from "#domain/Errno.ts"
import * as Mode from "#domain/Mode.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

interface Owned {
  readonly mode: number | undefined
  readonly uid: number | undefined
  readonly gid: number | undefined
}

export interface AttributeChange {
  /** Whether a link that is named is followed. */
  readonly follow: boolean
  /** What to set, from what is there; undefined to leave it alone. */
  readonly change: Effect.Effect<(now: Attributes) => Owned | undefined, UsageError>
}

const ENTRIES_AT_ONCE = 1024

export const changeAttributes = (
  paths: ReadonlyArray<string>,
  options: Options,
  { change, follow }: AttributeChange
): Promise<number> =>
  withClient(
    options,
    Effect.scoped(Effect.gen(function*() {
      const fs = yield* FileSystem
      const wanted = yield* change
      const batcher = yield* Batcher.make(fs.client)
      let failures = 0
      const fail = (path: string, errno: number): void => {
        complain(`${path}: ${textOf(errno)} (${nameOf(errno)})`)
        failures++
      }
      const send = (all: ReadonlyArray<Found>) =>
        batcher.send(all.flatMap(({ attributes, path }) => {
          const set = wanted(attributes)
          if (set === undefined) return []
          const kept = { size: undefined, atime: undefined, mtime: undefined }
          return [
            {
              commands: [command("setAttributes", {
                inode: attributes.inode,
                handle: 0,
                mode: set.mode === undefined ? undefined : set.mode & Mode.PERMISSIONS,
                uid: set.uid,
                gid: set.gid,
                ...kept
              })],
              onOutcomes: ([outcome]) => {
                if (outcome?.errno !== 0) fail(text(path), outcome?.errno ?? Errno.EIO)
                else if (options["json"] === true) sayJson({ path: text(path), inode: attributes.inode })
              }
            } satisfies Batcher.Step
          ]
        }))
      for (const given of paths) {
        const { attributes, name, parent, path } = yield* fs.resolve(pathOf(given), follow)
        if (attributes === undefined) {
          fail(given, Errno.ENOENT)
          continue
        }
        if (options["recursive"] === true && Mode.isDirectory(attributes.mode)) {
          yield* below(fs, attributes.inode, path).pipe(
            Stream.grouped(ENTRIES_AT_ONCE),
            Stream.runForEach((chunk) => send([...chunk]))
          )
        }
        // The folder itself last: it may become closed to whoever changes it.
        yield* batcher.settled
        yield* send([{ path, parent, name, attributes }])
      }
      yield* batcher.settled
      return failures > 0 ? Exit.failed : Exit.ok
    }))
  )
