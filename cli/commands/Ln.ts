/** `cadastre ln`: makes links. */
import { Exit, type Run } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import { sayJson, text } from "#cli/Output.ts"
import * as Target from "#cli/Target.ts"
import { FileSystem, pathOf } from "#client/FileSystem.ts"
import { fromText } from "#domain/ByteString.ts"
import * as Effect from "effect/Effect"

export const run: Run = ([target = "", path = ""], options) =>
  withClient(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const into = yield* Target.find(path, 1)
      const named = fromText(target).split("/").findLast((part) => part !== "") ?? ""
      const name = into.name ?? named
      const at = Target.pathIn(into, named)
      const made = options["symbolic"] === true
        ? yield* fs.call("makeSymlink", { parent: into.inode, name, target: fromText(target) }, at)
        : yield* Effect.flatMap(fs.stat(pathOf(target), false), ({ inode }) =>
          fs.call("link", { inode, parent: into.inode, name }, at))
      if (options["json"] === true) {
        sayJson({ path: text(at), target, inode: made.attributes.inode })
      }
      return Exit.ok
    })
  )
