import * as SqlFileSystem from "#bench/peers/SqlFileSystem.ts"
import * as Database from "#persistence/Database.ts"
import { freshDatabase } from "#runners/testing/FreshDatabase.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describe, expect } from "vitest"

const MINUTE = 60_000
const FILES = 100

/** The statements of a script of pgbench, with its variables' values in their places. */
const bound = (script: string, values: Readonly<Record<string, number>>): string =>
  script.split("\n").filter((line) => !line.startsWith("\\")).join("\n").replaceAll(
    /(?<!:):([a-z_]+)/g,
    (_, name: string) => String(values[name])
  )

describe("the SQL file system", () => {
  it.live(
    "finds each file that it begins with, and creates one more in one transaction",
    () =>
      Effect.scoped(Effect.gen(function*() {
        const database = yield* Database.make({ ...(yield* freshDatabase), connectionsMax: 1 })
        yield* database.script("make it", SqlFileSystem.schemaOf(FILES))
        const find = (parent: number, file: number) =>
          database.query("stat", bound(SqlFileSystem.STAT, { parent, file }).replace(";", ""))
        const last = SqlFileSystem.CLIENTS + 1
        for (const [parent, file] of [[2, 1], [2, FILES], [last, 1], [last, FILES]] as const) {
          expect(yield* find(parent, file)).toHaveLength(1)
        }
        expect(yield* find(last + 1, 1)).toEqual([])
        expect(yield* find(2, FILES + 1)).toEqual([])

        const create = bound(SqlFileSystem.CREATE, { made: 1, parent: 2, inode: 1_000_000_001, client_id: 0 })
        yield* database.script("create", create)
        const made = "select type, parent from node where inode = 1000000001"
        expect(yield* database.query("look", made)).toEqual([[1, "2"]])
        const name = "select inode from edge where parent = 2 and name = convert_to('file.new.1', 'UTF8')"
        expect(yield* database.query("look", name)).toEqual([["1000000001"]])
        const changed = "select mtime > 0 and ctime > 0 from node where inode = 2"
        expect(yield* database.query("look", changed)).toEqual([[true]])
        expect(yield* database.query("look", "select sum(value) from counter")).toEqual([["1"]])

        const again = yield* Effect.flip(database.script("create", create.replaceAll("1000000001", "1000000002")))
        expect(again.code).toBe("23505")
      })),
    MINUTE
  )
})
