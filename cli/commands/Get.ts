/** `cadastre get`: copies files and folders out of the file system, or one file to standard output. */
import { Exit, type Run } from "#cli/Command.ts"
import { printFile } from "#cli/commands/Cat.ts"
import { withView } from "#cli/Connect.ts"
import * as LocalFiles from "#cli/local/LocalFiles.ts"
import { note } from "#cli/Output.ts"
import * as Progress from "#cli/Progress.ts"
import * as Target from "#cli/Target.ts"
import { download } from "#cli/transfer/Download.ts"
import { Report } from "#cli/transfer/Report.ts"
import { UsageError } from "#cli/UsageError.ts"
import { FileSystem, pathOf } from "#client/FileSystem.ts"
import { toBytes } from "#domain/ByteString.ts"
import { Limits } from "#domain/Limits.ts"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"

export const run: Run = (args, options) =>
  withView(
    options,
    Effect.gen(function*() {
      const { sources, target } = yield* Target.splitArguments(args)
      if (target === "-") {
        if (sources.length > 1) return yield* new UsageError({ message: "one file at a time to standard output" })
        yield* printFile(sources[0] as string, 0, Limits.fileBytesMax)
        return Exit.ok
      }
      const fs = yield* FileSystem
      const isFolder = Fs.existsSync(target) && Fs.statSync(target).isDirectory()
      if (!isFolder && (sources.length > 1 || target.endsWith("/"))) {
        return yield* new UsageError({ message: `${target}: no folder there` })
      }
      const local = LocalFiles.open()
      if (!local.exact) note("the native part is not built: times are kept to the microsecond (apt-get install g++)")
      const root = Buffer.from(Path.resolve(target))
      const wanted = yield* Effect.forEach(sources, (source) =>
        Effect.map(fs.resolve(pathOf(source), false), ({ attributes, name, path }) => ({ attributes, name, path })))
      const found = []
      for (const { attributes, name, path } of wanted) {
        if (attributes === undefined) {
          return yield* Effect.zipRight(fs.stat(path, false), Effect.succeed(Exit.failed))
        }
        const into = isFolder && name !== "" ? LocalFiles.joinPath(root, toBytes(name)) : root
        found.push({ attributes, path, local: into })
      }
      const report = new Report("got", Progress.start("get", options["quiet"] === true))
      yield* download(fs, local, { preserve: options["preserve"] !== false }, report)(found).pipe(
        Effect.ensuring(Effect.sync(() =>
          report.progress.stop()
        ))
      )
      return report.finish(options["json"] === true)
    })
  )
