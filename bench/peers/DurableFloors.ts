/** What the database below everything does at best: a lone commit, a packed append. */
import { closed, type LoopOptions, perSecond } from "#bench/peers/Loops.ts"
import { quantile } from "#bench/Quantile.ts"
import type { DatabaseError, DatabaseService } from "#persistence/Database.ts"
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"

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
