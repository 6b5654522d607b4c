/** `cadastre mv`: moves or renames. */
import { Exit, type Run } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import { complain, sayJson, text } from "#cli/Output.ts"
import * as Target from "#cli/Target.ts"
import { UsageError } from "#cli/UsageError.ts"
import { PosixError } from "#client/ClientError.ts"
import { FileSystem, pathOf } from "#client/FileSystem.ts"
import { Errno } from "#domain/Errno.ts"
import * as Effect from "effect/Effect"

export const run: Run = (args, options) =>
  withClient(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const { sources, target } = yield* Target.splitArguments(args)
      const exchange = options["exchange"] === true
      if (exchange && sources.length > 1) {
        return yield* new UsageError({ message: "two entries are exchanged, not more" })
      }
      const mode = exchange ? "exchange" : options["clobber"] === false ? "keep" : "replace"
      const into = exchange
        ? yield* Effect.map(
          fs.resolve(pathOf(target), false),
          ({ name, parent, path }) => ({ inode: parent, path, name })
        )
        : yield* Target.find(target, sources.length)
      let failures = 0
      for (const source of sources) {
        const moved = yield* Effect.either(Effect.gen(function*() {
          const { attributes, name, parent, path } = yield* fs.resolve(pathOf(source), false)
          if (attributes === undefined || name === "") {
            const errno = attributes === undefined ? Errno.ENOENT : Errno.EBUSY
            return yield* new PosixError({ errno, operation: "rename", path: source })
          }
          const toName = into.name ?? name
          yield* fs.call("rename", { fromParent: parent, fromName: name, toParent: into.inode, toName, mode }, path)
          if (options["json"] === true) {
            sayJson({ from: text(path), to: text(Target.pathIn(into, name)), inode: attributes.inode })
          }
          return undefined
        }))
        if (moved._tag === "Right") continue
        if (moved.left._tag !== "PosixError") return yield* moved.left
        complain(moved.left.message)
        failures++
      }
      return failures > 0 ? Exit.failed : Exit.ok
    })
  )
