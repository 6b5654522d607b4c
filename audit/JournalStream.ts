/**
 * A zone's journal as an auditor reads it: rows from any runner, every link of the chain checked here, so that
 * nobody has to be believed.
 */
import type { ClientService } from "#client/Client.ts"
import { RequestRefused, type TransportError } from "#client/ClientError.ts"
import type { Batch } from "#domain/Batch.ts"
import * as BatchCodec from "#domain/codec/BatchCodec.ts"
import { Malformed } from "#domain/codec/Reader.ts"
import * as Chain from "#persistence/Chain.ts"
import type { JournalRowWire, RunnerUnavailable } from "#shards/Api.ts"
import type { ZoneDamaged } from "#shards/ZoneError.ts"
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

/** The journal is not what was written, from this event on. */
export class HistoryBroken extends Data.TaggedError("HistoryBroken")<{
  readonly zone: number
  /** The first event that cannot be trusted. */
  readonly sequence: number
  readonly reason: string
}> {
  override get message(): string {
    return `zone ${this.zone}: event ${this.sequence}: ${this.reason}`
  }
}

/** A batch, and the row that holds it. */
export interface AuditedBatch {
  readonly row: Chain.JournalRow
  readonly batch: Batch
}

const ROWS_PER_PAGE = 256

/** All batches that are committed now, from the first one, each checked. */
export const batches = (
  client: ClientService,
  zone: number
): Stream.Stream<AuditedBatch, HistoryBroken | TransportError> =>
  Stream.paginateChunkEffect(Chain.START, (head) =>
    Effect.gen(function*() {
      const rows = yield* readPage(client, zone, head.sequence)
      const checked: Array<AuditedBatch> = []
      let at = head
      for (const row of rows) {
        checked.push(yield* check(at, row))
        at = Chain.headOf(row)
      }
      return [Chunk.unsafeFromArray(checked), rows.length === 0 ? Option.none() : Option.some(at)] as const
    }))

/** One page of rows that end after a sequence. */
export const readPage = (
  client: ClientService,
  zone: number,
  after: number
): Effect.Effect<ReadonlyArray<Chain.JournalRow>, HistoryBroken | TransportError> =>
  client.anyRunner((runner) => runner.ReadJournal({ zone, after, rowsMax: ROWS_PER_PAGE })).pipe(
    Effect.map((rows) => rows.map(fromWire)),
    Effect.catchTags(journalErrors)
  )

/** What a runner says when it cannot read the journal, as an auditor has it. */
export const journalErrors = {
  RunnerUnavailable: ({ reason }: RunnerUnavailable): Effect.Effect<never, RequestRefused> =>
    Effect.fail(new RequestRefused({ reason })),
  ZoneDamaged: ({ reason, sequence, zone }: ZoneDamaged): Effect.Effect<never, HistoryBroken> =>
    Effect.fail(new HistoryBroken({ zone, sequence, reason }))
}

/** The row's batch, if the row continues the chain. */
export const check = (head: Chain.ChainHead, row: Chain.JournalRow): Effect.Effect<AuditedBatch, HistoryBroken> =>
  Effect.suspend(() => {
    const broken = (reason: string): Effect.Effect<never, HistoryBroken> =>
      Effect.fail(new HistoryBroken({ zone: row.zone, sequence: head.sequence + 1, reason }))
    const problem = Chain.problemOf(head, row)
    if (problem !== undefined) return broken(problem)
    try {
      return Effect.succeed({ row, batch: BatchCodec.decode(row.payload, row.time) })
    } catch (cause) {
      if (cause instanceof Malformed) return broken(cause.message)
      throw cause
    }
  })

const fromWire = ({ nanos, seconds, ...row }: JournalRowWire): Chain.JournalRow => ({
  ...row,
  time: { seconds, nanos }
})
