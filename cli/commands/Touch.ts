/** `cadastre touch`: sets times, or makes empty files. */
import { Exit, type Run } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import { sayJson, text } from "#cli/Output.ts"
import { parseTime } from "#cli/Time.ts"
import { UsageError } from "#cli/UsageError.ts"
import { FileSystem, pathOf } from "#client/FileSystem.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as Effect from "effect/Effect"

const FILE_MODE = 0o666

export const run: Run = (paths, options) =>
  withClient(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const date = options["date"] as string | undefined
      const time = date === undefined ? undefined : parseTime(date)
      if (date !== undefined && time === undefined) {
        return yield* new UsageError({ message: `${date} is no time; give it as 2026-01-31T12:00:00Z` })
      }
      const moment = { now: time === undefined, time: time ?? Timestamp.zero }
      for (const given of paths) {
        const { attributes, name, parent, path } = yield* fs.resolve(pathOf(given), true)
        if (attributes === undefined && options["create"] === false) continue
        const inode = attributes?.inode ?? (yield* fs.call("create", {
          parent,
          name,
          mode: FILE_MODE,
          umask: process.umask(),
          exclusive: false,
          truncate: false,
          access: 0
        }, path)).attributes.inode
        if (attributes !== undefined || time !== undefined) {
          const kept = { mode: undefined, uid: undefined, gid: undefined, size: undefined }
          yield* fs.call("setAttributes", { inode, handle: 0, ...kept, atime: moment, mtime: moment }, path)
        }
        if (options["json"] === true) sayJson({ path: text(path), inode })
      }
      return Exit.ok
    })
  )
