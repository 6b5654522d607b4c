import * as Log from "#audit/Log.ts"
import { verify } from "#audit/Verify.ts"
import { fromText } from "#domain/ByteString.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Database from "#persistence/Database.ts"
import * as Cluster from "#runners/testing/Cluster.ts"
import { it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"

const FOLDERS = 100
const ZONE = 0

it.scopedLive(
  "a history that has left Postgres is verified, logged, and missed by its name when it is gone",
  () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make
      const runner = yield* cluster.runner({
        zone: {
          sessionLease: Duration.seconds(60),
          snapshotEvents: 20,
          memoryBytes: 2 ** 30,
          deflatesPages: false,
          idle: Duration.seconds(60),
          archive: { segmentBytes: 2 ** 20, segmentRows: 8, retention: Duration.zero }
        }
      })
      const fs = yield* cluster.fileSystem([runner.address])
      const parent = InodeNumber.rootOf(ZONE)
      const names = Array.from({ length: FOLDERS }, (_, index) => `folder-${index}`)
      yield* Effect.forEach(
        names,
        (name) =>
          fs.call("makeDirectory", { parent, name: fromText(name), mode: 0o755, umask: 0 }, fromText(`/${name}`)),
        {
          discard: true
        }
      )

      const database = yield* Database.make(cluster.database)
      const leftOf = database.query("look", "select min(first) from cadastre.journal where zone = $1", [ZONE]).pipe(
        Effect.map(([row]) => Number(row?.[0]))
      )
      yield* Effect.repeat(leftOf, { until: (first) => first > 16, schedule: Schedule.spaced(Duration.millis(20)) })
      const verdict = yield* verify(fs.client, ZONE, () => undefined)
      expect(verdict.problem).toBeUndefined()
      expect(verdict.notCompared).toBeUndefined()
      const entries = Chunk.toReadonlyArray(yield* Stream.runCollect(Log.past(fs.client, [ZONE])))
      const made = entries.flatMap(({ path }) => path?.startsWith("/folder-") === true ? [path] : [])
      expect(made).toEqual(names.map((name) => `/${name}`))

      const segments = join(cluster.folder, "blocks", "objects", "journal", String(ZONE))
      const first = readdirSync(segments).sort()[0] as string
      rmSync(join(segments, first))
      // Another runner has nothing of it in memory.
      const other = yield* cluster.runner()
      const stranger = yield* cluster.fileSystem([other.address])
      const broken = yield* Effect.repeat(verify(stranger.client, ZONE, () => undefined), {
        until: ({ problem }) => problem !== undefined,
        times: 10
      })
      expect(broken.problem).toMatchObject({ sequence: 1 })
      expect(broken.problem?.reason).toContain(`journal/${ZONE}/0000000000000001-`)
    }),
  60_000
)
