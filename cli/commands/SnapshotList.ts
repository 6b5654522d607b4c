/** `cadastre snapshot list`: lists snapshots of a folder, or all. */
import { Exit, type Run } from "#cli/Command.ts"
import { withClient } from "#cli/Connect.ts"
import { say, sayJson, text } from "#cli/Output.ts"
import { snapshotJson } from "#cli/Snapshots.ts"
import { FileSystem, pathOf } from "#client/FileSystem.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as Effect from "effect/Effect"

export const run: Run = ([given = "/"], options) =>
  withClient(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const all = options["all"] === true
      const path = pathOf(given)
      const zones = Array.from({ length: fs.client.info.zones }, (_, zone) => InodeNumber.rootOf(zone))
      const directories = all ? zones : [(yield* fs.stat(path, true)).inode]
      for (const directory of directories) {
        const { snapshots } = yield* fs.call("listSnapshots", { directory, all }, path)
        for (const snapshot of snapshots) {
          if (options["json"] === true) {
            sayJson(snapshotJson(snapshot))
            continue
          }
          const { name, path, sequence, time, uid } = snapshot
          const when = Timestamp.format(time).slice(0, 19).replace("T", " ")
          say(`${when}  ${String(uid).padStart(6)}  ${String(sequence).padStart(12)}  ${text(path)}  ${text(name)}`)
        }
      }
      return Exit.ok
    })
  )
