/** `cadastre snapshot create`: gives the present of a folder a name. */
import { Exit, type Run } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import { say, sayJson } from "#cli/Output.ts"
import { snapshotJson, snapshotPath } from "#cli/Snapshots.ts"
import { FileSystem, pathOf } from "#client/FileSystem.ts"
import { fromText } from "#domain/ByteString.ts"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

export const run: Run = ([given = "/", named], options) =>
  withClient(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const path = pathOf(given)
      const { inode } = yield* fs.stat(path, true)
      const now = yield* Clock.currentTimeMillis
      const name = fromText(named ?? `${new Date(now).toISOString().slice(0, 19)}Z`)
      const { snapshot } = yield* fs.call("takeSnapshot", { directory: inode, name, path }, path)
      if (options["json"] === true) sayJson(snapshotJson(snapshot))
      else say(snapshotPath(snapshot))
      return Exit.ok
    })
  )
