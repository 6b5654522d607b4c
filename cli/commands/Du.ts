/** `cadastre du`: how much folders hold. */
import { Exit, type Run } from "#cli/Command.ts"
import { withView } from "#cli/Connect.ts"
import { bytes, plural, say, sayJson, text } from "#cli/Output.ts"
import { below } from "#cli/Walk.ts"
import { FileSystem, pathOf } from "#client/FileSystem.ts"
import type { Attributes } from "#domain/Attributes.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as Mode from "#domain/Mode.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

interface Sum {
  size: number
  dataBytes: number
  files: number
  folders: number
}

export const run: Run = (args, options) =>
  withView(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      for (const given of args.length === 0 ? ["/"] : args) {
        const path = pathOf(given)
        const top = yield* fs.stat(path, true)
        const sums = new Map<ByteString, Sum>()
        const seen = new Set<number>()
        const count = (at: ByteString, attributes: Attributes): void => {
          const isFolder = Mode.isDirectory(attributes.mode)
          if (isFolder) sums.set(at, { size: 0, dataBytes: 0, files: 0, folders: 0 })
          // A file with several names counts once, as with du.
          if (attributes.nlink > 1 && !isFolder) {
            if (seen.has(attributes.inode)) return
            seen.add(attributes.inode)
          }
          for (let folder: ByteString | undefined = isFolder ? at : parentOf(at); folder !== undefined;) {
            const sum = sums.get(folder)
            if (sum === undefined) break
            if (isFolder) sum.folders += folder === at ? 0 : 1
            else {
              sum.files++
              sum.size += attributes.size
              sum.dataBytes += attributes.dataBytes
            }
            folder = parentOf(folder)
          }
        }
        count(path, top)
        if (Mode.isDirectory(top.mode)) {
          yield* Stream.runForEach(below(fs, top.inode, path), (found) =>
            Effect.sync(() => count(found.path, found.attributes)))
        } else sums.set(path, { size: top.size, dataBytes: top.dataBytes, files: 1, folders: 0 })
        // The deepest first, the sum of all last, as with du.
        const lines = [...sums].reverse()
        for (const [at, sum] of options["summarize"] === true ? lines.slice(-1) : lines) {
          if (options["json"] === true) {
            sayJson({ path: text(at), ...sum })
          } else say(`${bytes(sum.size).padStart(12)}  ${plural(sum.files, "file").padStart(14)}  ${text(at)}`)
        }
      }
      return Exit.ok
    })
  )

const parentOf = (path: ByteString): ByteString | undefined => {
  if (path === "/") return undefined
  const slash = path.lastIndexOf("/")
  return slash <= 0 ? "/" : path.slice(0, slash)
}
