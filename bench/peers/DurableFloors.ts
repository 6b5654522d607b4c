/** What the database and the disk below everything do at best: a lone commit, a packed append, a synced write. */
import { closed, type LoopOptions, perSecond, quantile } from "#bench/peers/Loops.ts"
import type { DatabaseError, DatabaseService } from "#persistence/Database.ts"
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"

/** Milliseconds of the commit of one small row, one at a time: the middle one of all. */
export const commitP50 = (database: DatabaseService, options: LoopOptions): Effect.Effect<number, DatabaseError> =>
  Effect.gen(function*() {
    yield* database.script("make a table", "create table lone (id bigserial primary key, value integer not null)")
    const insert = database.query("insert a row", "insert into lone (value) values ($1)", [1])
    const { millis } = yield* closed(1, () => Effect.as(insert, 1), options)
    return quantile(millis, 0.5)
  })

/** Rows of so many bytes that one connection appends and commits a second, each a transaction. */
export const appendsPerSecond = (
  database: DatabaseService,
  bytes: number,
  options: LoopOptions
): Effect.Effect<number, DatabaseError> =>
  Effect.gen(function*() {
    yield* database.script("make a table", "create table packed (id bigserial primary key, payload bytea not null)")
    // As a journal's payload is, it is packed already: neither Postgres nor the disk makes it smaller.
    yield* database.script("keep it as it is", "alter table packed alter payload set storage external")
    const payload = randomBytes(bytes)
    const insert = database.query("append", "insert into packed (payload) values ($1)", [payload])
    return perSecond(yield* closed(1, () => Effect.as(insert, 1), options))
  })

const SYNCED_BYTES = 4096

/** Milliseconds of a small write at a file's end with its fdatasync: the middle one of all. */
export const fdatasyncP50 = (folder: string, options: LoopOptions): Effect.Effect<number, Error> =>
  Effect.acquireUseRelease(
    Effect.sync(() => Fs.openSync(Path.join(folder, "synced"), "w")),
    (file) => {
      const page = Buffer.alloc(SYNCED_BYTES, 1)
      const millis: Array<number> = []
      const sync = Effect.try({
        try: () => {
          const begun = performance.now()
          Fs.writeSync(file, page)
          Fs.fdatasyncSync(file)
          millis.push(performance.now() - begun)
          return 1
        },
        catch: (cause) => cause as Error
      })
      // Others get their turn after each, above all a signal.
      const loop = closed(1, () => Effect.zipLeft(sync, Effect.sleep(0)), options)
      return Effect.map(loop, () => quantile(millis, 0.5))
    },
    (file) => Effect.sync(() => Fs.closeSync(file))
  )
