/** `cadastre rm`: removes files and folders. */
import { Exit, type Run } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import * as Progress from "#cli/Progress.ts"
import * as Batcher from "#cli/transfer/Batcher.ts"
import { Report } from "#cli/transfer/Report.ts"
import { below, type Found } from "#cli/Walk.ts"
import { command } from "#client/Client.ts"
import { PosixError } from "#client/ClientError.ts"
import { FileSystem, type FileSystemService, pathOf } from "#client/FileSystem.ts"
import { toText } from "#domain/ByteString.ts"
import { Errno, nameOf, textOf } from "#domain/Errno.ts"
import * as Mode from "#domain/Mode.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export const run: Run = (paths, options) =>
  withClient(
    options,
    Effect.scoped(Effect.gen(function*() {
      const fs = yield* FileSystem
      const report = new Report("removed", Progress.start("rm", options["quiet"] === true))
      const remover = yield* makeRemover(fs, report)
      for (const given of paths) {
        const { attributes, name, parent, path } = yield* fs.resolve(pathOf(given), false)
        if (attributes === undefined) {
          if (options["force"] !== true) report.failed(given, missing)
          continue
        }
        const found: Found = { path, parent, name, attributes }
        if (!Mode.isDirectory(attributes.mode)) yield* remover.files([found])
        else if (name === "") report.failed(given, "a root cannot be removed")
        else if (options["recursive"] === true) yield* remover.tree(found)
        else if (options["dir"] === true) yield* remover.folders([found])
        else report.failed(given, "is a folder; -r removes it with all that is in it")
      }
      report.progress.stop()
      if (options["json"] === true) return report.finish(true)
      return report.failures > 0 ? Exit.failed : Exit.ok
    }))
  )

const missing = `${textOf(Errno.ENOENT)} (${nameOf(Errno.ENOENT)})`
const ENTRIES_AT_ONCE = 1024

const makeRemover = (fs: FileSystemService, report: Report) =>
  Effect.map(Batcher.make(fs.client), (batcher) => {
    const remove = (name: "unlink" | "removeDirectory") => (all: ReadonlyArray<Found>) =>
      Effect.zipRight(
        batcher.send(all.map((found) => ({
          commands: [command(name, { parent: found.parent, name: found.name })],
          onOutcomes: ([outcome]) => {
            if (outcome?.errno === 0) {
              if (name === "unlink") report.done(found.attributes.size)
              else report.folders++
            } else {
              const { errno } = outcome ?? { errno: Errno.EIO }
              report.failed(toText(found.path), new PosixError({ errno, operation: name, path: "" }).message)
            }
          }
        }))),
        batcher.settled
      )
    const files = remove("unlink")
    const folders = remove("removeDirectory")
    return {
      files,
      folders,
      /** Files as they are found; then the folders, the deepest first. */
      tree: (top: Found) =>
        Effect.gen(function*() {
          const all: Array<Found> = [top]
          yield* below(fs, top.attributes.inode, top.path).pipe(
            Stream.grouped(ENTRIES_AT_ONCE),
            Stream.runForEach((chunk) => {
              const found = [...chunk]
              for (const one of found) if (Mode.isDirectory(one.attributes.mode)) all.push(one)
              const rest = found.filter(({ attributes }) => !Mode.isDirectory(attributes.mode))
              report.progress.expect(rest.length, 0)
              return files(rest)
            })
          )
          for (let end = all.length; end > 0; end -= ENTRIES_AT_ONCE) {
            yield* folders(all.slice(Math.max(0, end - ENTRIES_AT_ONCE), end).reverse())
          }
        })
    }
  })
