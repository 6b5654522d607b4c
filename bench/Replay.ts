/**
 * `bench replay`: journal bytes of a create, and how many events a second one core replays with the chain verified:
 * hash, decode, apply. The batches are those of clients that create in bulk. Beside it: SHA-256 alone, a bare fold.
 */
import { replay as replayRows } from "#actors/Recovery.ts"
import { foldsPerSecond, millisOf } from "#bench/Floors.ts"
import { nameOf } from "#bench/MdtestNames.ts"
import type { Bench } from "#bench/Report.ts"
import * as Batch from "#domain/Batch.ts"
import * as BatchCodec from "#domain/codec/BatchCodec.ts"
import type { Command, Message } from "#domain/codec/MessageCodec.ts"
import { Writer } from "#domain/codec/Writer.ts"
import { Decider } from "#domain/Decide.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Mode from "#domain/Mode.ts"
import { operations } from "#domain/Operations.ts"
import { ZoneState } from "#domain/state/ZoneState.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as MemoryBlockStore from "#persistence/blocks/MemoryBlockStore.ts"
import * as Chain from "#persistence/Chain.ts"
import { fresh } from "#persistence/pages/ZonePages.ts"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"

const FILES_BY_DEFAULT = 1_000_000
const CLIENTS = 16
const ROWS_PER_PAGE = 256
const ROWS_OF_WARM_UP = 256
/** Commands of a client in one message; a batch holds one message of each. */
const MESSAGE_COMMANDS = 64

const root = InodeNumber.rootOf(0)
const who = { uid: 1000, gid: 1000, groups: [] }
const descriptor = { client: "bench", host: "bench", user: "bench", uid: 1000, pid: 1 }

export const replay: Bench = async (options, say) => {
  const files = options.files ?? FILES_BY_DEFAULT
  const rows = journalOf(files)
  const bytes = rows.reduce((sum, { payload }) => sum + payload.length, 0)
  say(`replay: ${files} creates in ${rows.length} rows`)
  // The compiler has seen all of it before the clock runs.
  await replayed(rows.slice(0, ROWS_OF_WARM_UP))
  const start = process.hrtime.bigint()
  const events = await replayed(rows)
  const millis = Number(process.hrtime.bigint() - start) / 1e6
  const hashMillis = millisOf(() => {
    for (const row of rows) createHash("sha256").update(row.previous).update(row.payload).digest()
  })
  const figures = { bytesPerCreate: bytes / files, eventsPerSecond: events / (millis / 1000) }
  const beside = { hashedEventsPerSecond: events / (hashMillis / 1000), foldsPerSecond: foldsPerSecond() }
  const ratios = { eventsOverHashed: figures.eventsPerSecond / beside.hashedEventsPerSecond }
  return { bench: "replay", figures, beside, ratios }
}

/** Replays a journal from its start, and answers its events. */
const replayed = async (rows: ReadonlyArray<Chain.JournalRow>): Promise<number> => {
  const pages = fresh(0, MemoryBlockStore.make().service, Number.MAX_SAFE_INTEGER)
  let head = Chain.START
  for (let at = 0; at < rows.length; at += ROWS_PER_PAGE) {
    head = await Effect.runPromise(replayRows(pages, head, rows.slice(at, at + ROWS_PER_PAGE)))
  }
  return head.sequence
}

/** The rows that a zone writes while so many files are created in its root by several clients at once. */
const journalOf = (files: number): ReadonlyArray<Chain.JournalRow> => {
  const state = new ZoneState(0)
  const decider = new Decider(state)
  const rows: Array<Chain.JournalRow> = []
  const writer = new Writer()
  let head = Chain.START
  let nanos = 1_700_000_000_000_000_000n
  const commit = (): void => {
    const { batch } = decider.take()
    if (batch === undefined) return
    writer.reset()
    BatchCodec.encode(writer, batch)
    const row = {
      zone: 0,
      first: head.sequence + 1,
      last: head.sequence + Batch.eventCount(batch),
      epoch: 1,
      time: batch.time,
      codec: BatchCodec.VERSION,
      payload: writer.take(),
      previous: head.hash
    }
    rows.push({ ...row, hash: Chain.hashOf(row) })
    head = Chain.headOf(rows.at(-1) as Chain.JournalRow)
    nanos += 2_000_000n
    decider.begin(Timestamp.fromNanos(nanos))
  }
  decider.begin(Timestamp.fromNanos(nanos))
  decider.decideOwn(operations.foundZone, { inode: root, mode: Mode.S_IFDIR | 0o777 })
  commit()
  for (let done = 0; done < files;) {
    for (let client = 0; client < CLIENTS && done < files; client++) {
      const count = Math.min(MESSAGE_COMMANDS, files - done)
      decider.decide(messageOf(client, done, count))
      done += count
    }
    commit()
  }
  return rows
}

const messageOf = (client: number, done: number, count: number): Message => {
  const first = Math.floor(done / (CLIENTS * MESSAGE_COMMANDS)) * MESSAGE_COMMANDS + 1
  const commands = Array.from({ length: count }, (_, index): Command => ({
    number: first + index,
    who,
    operation: operations.create,
    request: {
      parent: root,
      name: nameOf((first + index) * CLIENTS + client),
      mode: 0o644,
      umask: 0o022,
      exclusive: true,
      truncate: false,
      access: 0
    }
  }))
  return { zone: 0, epoch: 1, session: 1000 + client, known: first > 1, floor: first, descriptor, commands }
}
