import type { LogEntry } from "#audit/LogEntry.ts"
import * as LogExport from "#audit/LogExport.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { parquetMetadata, parquetReadObjects } from "hyparquet"
import { expect } from "vitest"

const COUNT = 20_000

const entryOf = (index: number): LogEntry => ({
  time: { seconds: 1_790_000_000 + index, nanos: (index * 999_999_937) % 1_000_000_000 },
  zone: index % 1024,
  sequence: 2 ** 50 + index,
  operation: index % 2 === 0 ? "create" : "rename",
  uid: 2 ** 32 - 1 - index,
  session: index % 3 === 0 ? 0 : 2 ** 52 + index,
  descriptor: index % 3 === 0
    ? undefined
    : { client: "test", host: `host-${index % 7}`, user: "alice", uid: 1, pid: index },
  path: index % 5 === 0 ? undefined : `/folder/\u00e9-${index}`,
  inode: index % 5 === 0 ? undefined : 2 ** 43 + index,
  to: index % 2 === 0 ? undefined : `/to/${index}`,
  changes: index % 4 === 0 ? {} : { size: index, mode: "0644", removed: true }
})

const bytesOf = (format: LogExport.Format, count: number) =>
  Effect.map(
    Stream.runCollect(LogExport.encode(format, Stream.map(Stream.range(0, count - 1), entryOf))),
    (chunks) => Buffer.concat([...chunks])
  )

/** A row of Parquet as the line of JSON that it should equal. */
const lineOf = ({ changes, time, ...row }: Record<string, unknown>) => ({
  ...Object.fromEntries(
    Object.entries(row).flatMap(([name, value]) =>
      value === null || value === undefined ? [] : [[name, typeof value === "bigint" ? Number(value) : value]]
    )
  ),
  nanos: time,
  changes: typeof changes === "string" ? JSON.parse(changes) as unknown : changes
})

const nanosOf = (time: string): bigint =>
  BigInt(Date.parse(`${time.slice(0, 19)}Z`)) * 1_000_000n + BigInt(time.slice(20, 29))

for (const count of [1, COUNT]) {
  it.effect(`${count} entries are the same in Parquet as in JSON Lines`, () =>
    Effect.gen(function*() {
      const file = yield* bytesOf("parquet", count)
      const lines = (yield* bytesOf("jsonl", count)).toString("utf8").trimEnd().split("\n")
      const buffer = Uint8Array.from(file).buffer
      expect(parquetMetadata(buffer).row_groups).toHaveLength(Math.ceil(count / 8192))
      // The time as it is stored, because a Date knows no nanoseconds.
      const parsers = { timestampFromNanoseconds: (nanos: bigint) => nanos } as never
      const rows = yield* Effect.promise(() => parquetReadObjects({ file: buffer, parsers }))
      expect(rows).toHaveLength(count)
      const expected = lines.map((line) => {
        const { time, ...entry } = JSON.parse(line) as { readonly time: string }
        return { ...entry, nanos: nanosOf(time) }
      })
      expect(rows.map(lineOf)).toEqual(expected)
    }))
}

it.effect("no entries make a Parquet file without rows, and no line", () =>
  Effect.gen(function*() {
    const none = Stream.empty
    const file = Buffer.concat([...(yield* Stream.runCollect(LogExport.encode("parquet", none)))])
    expect(Number(parquetMetadata(Uint8Array.from(file).buffer).num_rows)).toBe(0)
    expect([...(yield* Stream.runCollect(LogExport.encode("jsonl", none)))]).toEqual([])
  }))
