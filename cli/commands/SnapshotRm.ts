/** `cadastre snapshot rm`: removes a snapshot. */
import { Exit, type Run } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import { FileSystem, pathOf } from "#client/FileSystem.ts"
import { fromText } from "#domain/ByteString.ts"
import * as Effect from "effect/Effect"

export const run: Run = ([folder = "/", name = ""], options) =>
  withClient(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const path = pathOf(folder)
      const directory = /^[0-9]+$/.test(folder) ? Number(folder) : (yield* fs.stat(path, true)).inode
      yield* fs.call("removeSnapshot", { directory, name: fromText(name) }, path)
      return Exit.ok
    })
  )
