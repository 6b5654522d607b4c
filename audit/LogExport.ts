/**
 * The audit log in formats that other tools read: JSON Lines and Parquet, as streams of bytes that hold one group of
 * entries at a time. Where the bytes go is its caller's affair.
 */
import { type LogEntry, toJson } from "#audit/LogEntry.ts"
import * as Chunk from "effect/Chunk"
import * as Stream from "effect/Stream"
import { ByteWriter, ParquetWriter, type SchemaElement } from "hyparquet-writer"

export const FORMATS = ["jsonl", "parquet"] as const
export type Format = (typeof FORMATS)[number]

/** Entries of one row group, and of one write. */
const GROUP_ENTRIES = 8192
const NANOS_PER_SECOND = 1_000_000_000n

export const encode = <E>(format: Format, entries: Stream.Stream<LogEntry, E>): Stream.Stream<Uint8Array, E> =>
  format === "jsonl" ? jsonLines(entries) : parquet(entries)

const jsonLines = <E>(entries: Stream.Stream<LogEntry, E>): Stream.Stream<Uint8Array, E> =>
  Stream.map(
    Stream.grouped(entries, GROUP_ENTRIES),
    (group) => Buffer.from(Chunk.toReadonlyArray(group).map((entry) => `${JSON.stringify(toJson(entry))}\n`).join(""))
  )

const parquet = <E>(entries: Stream.Stream<LogEntry, E>): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    const bytes = new ByteWriter()
    const writer = new ParquetWriter({ writer: bytes, schema, createdBy: "cadastre" })
    /** What was written since the last time; the writer goes on counting. */
    const take = (): Uint8Array => {
      const written = bytes.getBytes().slice()
      bytes.index = 0
      return written
    }
    const groups = Stream.map(Stream.grouped(entries, GROUP_ENTRIES), (group) => {
      const rows = Chunk.toReadonlyArray(group)
      void writer.write({
        columnData: columns.map(({ name, of }) => ({ name, data: rows.map(of) })),
        rowGroupSize: GROUP_ENTRIES
      })
      return take()
    })
    const end = Stream.suspend(() => {
      void writer.finish()
      return Stream.make(take())
    })
    return Stream.concat(groups, end)
  })

interface Column {
  readonly name: string
  readonly element: Omit<SchemaElement, "name">
  /** Undefined and null are nulls. */
  readonly of: (entry: LogEntry) => bigint | number | string | undefined
}

const whole = { type: "INT64", repetition_type: "REQUIRED" } as const
const wholeOrNull = { type: "INT64", repetition_type: "OPTIONAL" } as const
const text = { type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" } as const
const textOrNull = { ...text, repetition_type: "OPTIONAL" } as const
const moment = {
  type: "INT64",
  logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "NANOS" },
  repetition_type: "REQUIRED"
} as const

const orNull = (value: number | undefined): bigint | undefined => value === undefined ? undefined : BigInt(value)

/** In the order of the file; `docs/archive.md` tells what they mean. */
const columns: ReadonlyArray<Column> = [
  {
    name: "time",
    element: moment,
    of: ({ time }) => BigInt(time.seconds) * NANOS_PER_SECOND + BigInt(time.nanos)
  },
  { name: "zone", element: whole, of: ({ zone }) => BigInt(zone) },
  { name: "sequence", element: whole, of: ({ sequence }) => BigInt(sequence) },
  { name: "operation", element: text, of: ({ operation }) => operation },
  { name: "path", element: textOrNull, of: (entry) => toJson(entry).path },
  { name: "to", element: textOrNull, of: (entry) => toJson(entry).to },
  { name: "inode", element: wholeOrNull, of: ({ inode }) => orNull(inode) },
  { name: "uid", element: whole, of: ({ uid }) => BigInt(uid) },
  { name: "session", element: whole, of: ({ session }) => BigInt(session) },
  { name: "user", element: textOrNull, of: (entry) => toJson(entry).user },
  { name: "host", element: textOrNull, of: (entry) => toJson(entry).host },
  { name: "client", element: textOrNull, of: (entry) => toJson(entry).client },
  { name: "pid", element: wholeOrNull, of: ({ descriptor }) => orNull(descriptor?.pid) },
  { name: "changes", element: text, of: ({ changes }) => JSON.stringify(changes) }
]

const schema: Array<SchemaElement> = [
  { name: "log", num_children: columns.length },
  ...columns.map(({ element, name }) => ({ name, ...element }))
]
