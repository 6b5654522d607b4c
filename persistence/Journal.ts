/**
 * The journals of all zones: append-only, hash-chained, each with one writer at a time. Two implementations,
 * Postgres and memory, pass one suite (`Journal.contract.ts`).
 *
 * It does not decode batches and keeps no state of a zone.
 */
import type { ChainHead, JournalRow } from "#persistence/Chain.ts"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A newer activation of the zone exists. Nothing was written; this one must stop. */
export class Fenced extends Schema.TaggedError<Fenced>()("Fenced", {
  zone: Schema.Number,
  epoch: Schema.Number
}) {
  override get message(): string {
    return `zone ${this.zone}: epoch ${this.epoch} is over, another runner has taken the zone`
  }
}

/**
 * The journal did not answer, or not in time. An append may have been committed (`uncertain`): whoever made
 * it must read the journal again before it writes on.
 */
export class JournalUnavailable extends Schema.TaggedError<JournalUnavailable>()("JournalUnavailable", {
  operation: Schema.String,
  reason: Schema.String,
  uncertain: Schema.Boolean
}) {
  override get message(): string {
    return `journal: ${this.operation}: ${this.reason}`
  }
}

/** What a new activation starts from. */
export interface Claim {
  readonly epoch: number
  /** The last row; `Chain.START` for an empty journal. Nobody else can append after this. */
  readonly head: ChainHead
}

/** A snapshot of a zone's state in the block store. */
export interface SnapshotRecord {
  readonly zone: number
  /** The state's last event, and the hash of its row. */
  readonly head: ChainHead
  /** Objects that hold it, in order: `Snapshot.keyOf(record, part)`. */
  readonly parts: number
  readonly bytes: number
  /** SHA-256 of the state's bytes. */
  readonly digest: Uint8Array
}

export interface JournalService {
  /** Begins a new activation of the zone: fences every older one, for good. */
  readonly claim: (zone: number, owner: string) => Effect.Effect<Claim, JournalUnavailable>
  /** Appends a row, durable when it returns; or nothing, and `Fenced`. */
  readonly append: (row: JournalRow) => Effect.Effect<void, Fenced | JournalUnavailable>
  /**
   * Rows that end after `sequence`, in order, at most `rowsMax` and about `bytesMax` bytes but one at least.
   * Empty at the end. Without gaps, so a reader that pages by it never misses a late commit.
   */
  readonly read: (
    zone: number,
    sequence: number,
    rowsMax: number,
    bytesMax: number
  ) => Effect.Effect<ReadonlyArray<JournalRow>, JournalUnavailable>
  readonly head: (zone: number) => Effect.Effect<ChainHead, JournalUnavailable>
  /** Last sequence of the zone's last row at or before the time; 0 before its first. */
  readonly sequenceAt: (zone: number, seconds: number, nanos: number) => Effect.Effect<number, JournalUnavailable>
  /** Newest first. */
  readonly snapshots: (zone: number) => Effect.Effect<ReadonlyArray<SnapshotRecord>, JournalUnavailable>
  readonly addSnapshot: (record: SnapshotRecord) => Effect.Effect<void, JournalUnavailable>
  readonly removeSnapshot: (zone: number, sequence: number) => Effect.Effect<void, JournalUnavailable>
}

export class Journal extends Context.Tag("cadastre/Journal")<Journal, JournalService>() {}
