import { verify } from "#audit/Verify.ts"
import { fromText } from "#domain/ByteString.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Database from "#persistence/Database.ts"
import { placeOf } from "#persistence/SpreadJournal.ts"
import * as Cluster from "#runners/testing/Cluster.ts"
import { freshDatabase } from "#runners/testing/FreshDatabase.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expect } from "vitest"

const ZONES = 4
const FOLDERS = 20

it.scopedLive(
  "journals of zones take turns over two databases, and come back from both",
  () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make
      const further = yield* freshDatabase
      const journals = [further]
      const zones = Array.from({ length: ZONES }, (_, zone) => zone)
      const folder = (name: number) => fromText(`folder-${name}`)
      yield* Effect.scoped(Effect.gen(function*() {
        const runner = yield* cluster.runner({ journals })
        const fs = yield* cluster.fileSystem([runner.address])
        yield* Effect.forEach(
          zones.flatMap((zone) => Array.from({ length: FOLDERS }, (_, name) => ({ zone, name }))),
          ({ name, zone }) =>
            fs.client.call("makeDirectory", {
              parent: InodeNumber.rootOf(zone),
              name: folder(name),
              mode: 0o755,
              umask: 0
            }),
          { concurrency: "unbounded", discard: true }
        )
      }))

      const databases = yield* Effect.forEach([cluster.database, further], Database.make)
      for (const [place, database] of databases.entries()) {
        const found = yield* database.query("look", "select distinct zone from cadastre.journal order by zone")
        expect(found.map(([zone]) => zone)).toEqual(zones.filter((zone) => placeOf(zone, 2) === place))
      }

      const next = yield* cluster.runner({ journals })
      const fs = yield* cluster.fileSystem([next.address])
      for (const zone of zones) {
        const reply = yield* fs.client.call("lookup", { parent: InodeNumber.rootOf(zone), name: folder(FOLDERS - 1) })
        expect(InodeNumber.zoneOf(reply.attributes.inode)).toBe(zone)
        expect((yield* verify(fs.client, zone, () => undefined)).problem).toBeUndefined()
      }

      for (
        const [given, reason] of [
          [{ journals: [] }, "the journals of this cluster are in 2 databases, not 1"],
          [{ journals: [further, yield* freshDatabase] }, "are in 2 databases, not 3"],
          [{ journals: [yield* otherCluster] }, "is number 1 of the 1 databases of cluster"],
          [{ database: further, journals: [cluster.database] }, "is number 2 of the 2 of cluster"]
        ] as const
      ) {
        const refused = yield* Effect.flip(Effect.scoped(cluster.runner(given)))
        expect(refused._tag).toBe("ClusterRefused")
        expect(refused.message).toContain(reason)
      }
    }),
  60_000
)

/** The database of another cluster. */
const otherCluster = Effect.gen(function*() {
  const other = yield* Cluster.make
  yield* Effect.scoped(other.runner())
  return other.database
})
