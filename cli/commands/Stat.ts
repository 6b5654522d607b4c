/** `cadastre stat`: all attributes of files. */
import { Exit, type Run } from "#cli/Command.ts"
import { withView } from "#cli/Connect.ts"
import { attributesJson, complain, say, sayJson, text } from "#cli/Output.ts"
import { FileSystem, pathOf } from "#client/FileSystem.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Mode from "#domain/Mode.ts"
import * as Effect from "effect/Effect"

export const run: Run = (paths, options) =>
  withView(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      let failures = 0
      for (const given of paths) {
        const path = pathOf(given)
        const stat = yield* Effect.either(fs.stat(path, options["dereference"] === true))
        if (stat._tag === "Left") {
          if (stat.left._tag !== "PosixError") return yield* stat.left
          complain(stat.left.message)
          failures++
          continue
        }
        const attributes = stat.right
        const { inode } = attributes
        const own = fs.client.past.ownOf(attributes)
        const { names } = yield* fs.call("listXattrs", { inode }, path)
        const target = Mode.isSymlink(attributes.mode)
          ? text((yield* fs.call("readLink", { inode }, path)).target)
          : undefined
        const found = {
          path: text(path),
          ...attributesJson(own),
          zone: InodeNumber.zoneOf(own.inode),
          ...target === undefined ? {} : { target },
          xattrs: names.map(text)
        }
        if (options["json"] === true) sayJson(found)
        else {
          for (const [name, value] of Object.entries(found)) {
            say(`${name.padStart(10)}  ${Array.isArray(value) ? value.join(" ") : String(value)}`)
          }
          say("")
        }
      }
      return failures > 0 ? Exit.failed : Exit.ok
    })
  )
