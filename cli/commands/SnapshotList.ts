/** `cadastre snapshot list`: lists snapshots of a folder, or all; with `--cost`, what is in them and goes with them. */
import type { SnapshotCost } from "#audit/HistoryCost.ts"
import { Exit, type Run } from "#cli/Command.ts"
import { withAudit } from "#cli/Connect.ts"
import { costOf } from "#cli/HistoryCosts.ts"
import { bytes, plural, say, sayJson, text } from "#cli/Output.ts"
import { contentsJson, snapshotJson } from "#cli/Snapshots.ts"
import { FileSystem, pathOf } from "#client/FileSystem.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { NamedSnapshot } from "#domain/NamedSnapshot.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as Effect from "effect/Effect"

export const run: Run = ([given], options) =>
  withAudit(
    options,
    Effect.gen(function*() {
      const fs = yield* FileSystem
      const all = given === undefined
      const path = pathOf(given ?? "/")
      const show = options["json"] === true ? showJson : showLine
      const zones = Array.from({ length: fs.client.info.zones }, (_, zone) => zone)
      const directories = all ? zones.map((zone) => InodeNumber.rootOf(zone)) : [(yield* fs.stat(path, true)).inode]
      if (options["cost"] === true) {
        const { snapshots } = yield* costOf(fs.client, zones, options)
        for (const cost of snapshots) if (all || cost.snapshot.directory === directories[0]) show(cost.snapshot, cost)
        return Exit.ok
      }
      for (const directory of directories) {
        const { snapshots } = yield* fs.call("listSnapshots", { directory, all }, path)
        for (const snapshot of snapshots) show(snapshot)
      }
      return Exit.ok
    })
  )

const showJson = (snapshot: NamedSnapshot, cost?: SnapshotCost): void =>
  sayJson({ ...snapshotJson(snapshot), ...cost === undefined ? {} : contentsJson(cost) })

const showLine = ({ name, path, sequence, time, uid }: NamedSnapshot, cost?: SnapshotCost): void => {
  const when = Timestamp.format(time).slice(0, 19).replace("T", " ")
  const columns = [when, String(uid).padStart(6), String(sequence).padStart(12)]
  if (cost !== undefined) {
    columns.push(plural(cost.files, "file").padStart(15), bytes(cost.bytes).padStart(10), bytes(cost.cost).padStart(10))
  }
  say([...columns, text(path), text(name)].join("  "))
}
