/** `cadastre cp`: copies within the file system, by reference: blocks are shared, no data moves. */
import type { Run } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import * as Progress from "#cli/Progress.ts"
import * as Target from "#cli/Target.ts"
import { duplicate } from "#cli/transfer/Duplicate.ts"
import { Report } from "#cli/transfer/Report.ts"
import { UsageError } from "#cli/UsageError.ts"
import { FileSystem, pathOf } from "#client/FileSystem.ts"
import { Errno, nameOf, textOf } from "#domain/Errno.ts"
import * as Mode from "#domain/Mode.ts"
import * as Effect from "effect/Effect"

export const run: Run = (args, options) =>
  withClient(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const { sources, target } = yield* Target.splitArguments(args)
      const into = yield* Target.find(target, sources.length)
      const report = new Report("copied", Progress.start("cp", false))
      for (const source of sources) {
        const { attributes, name, parent, path } = yield* fs.resolve(pathOf(source), options["recursive"] !== true)
        if (attributes === undefined) {
          report.failed(source, `${textOf(Errno.ENOENT)} (${nameOf(Errno.ENOENT)})`)
          continue
        }
        if (Mode.isDirectory(attributes.mode) && options["recursive"] !== true) {
          return yield* new UsageError({ message: `${source} is a folder; -r copies it with all that is in it` })
        }
        yield* duplicate(fs, { preserve: options["preserve"] !== false, umask: process.umask() }, report)(
          { path, parent, name, attributes },
          { inode: into.inode, path: into.path, name: into.name ?? name }
        )
      }
      return report.finish(options["json"] === true)
    })
  )
