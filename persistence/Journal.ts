/**
 * The journals of all zones: append-only, hash-chained, each with one writer at a time. Two implementations,
 * Postgres and memory, pass one suite (`Journal.contract.ts`).
 *
 * It does not decode batches and keeps no state of a zone. Of what is archived it knows the records, not the objects:
 * `ArchivedJournal` reads across both.
 */
import type { Timestamp } from "#domain/Timestamp.ts"
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

/** Events that were acknowledged cannot be read: they are not what was written, or nowhere. */
export class HistoryDamaged extends Schema.TaggedError<HistoryDamaged>()("HistoryDamaged", {
  zone: Schema.Number,
  /** The first and the last event that cannot be read. */
  first: Schema.Number,
  last: Schema.Number,
  reason: Schema.String
}) {
  override get message(): string {
    return `zone ${this.zone}: events ${this.first} to ${this.last} cannot be read: ${this.reason}`
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
  /** Activation of the zone that took it. */
  readonly epoch: number
  /** Bytes of all that it needs in the block store. */
  readonly bytes: number
  /** SHA-256 of its manifest (`persistence/pages/Manifest.ts`). */
  readonly digest: Uint8Array
}

/** The newest snapshots of a zone: it comes back from the first of them that is good, and from rows in the journal. */
export const NEWEST_SNAPSHOTS = 2

/** A segment: a run of whole rows, sealed into one object of the block store (`Archive`). */
export interface SegmentRecord {
  readonly zone: number
  /** Its first event, and the hash of the row before. */
  readonly first: number
  readonly previous: Uint8Array
  /** Its last event, and the hash of the row that holds it. */
  readonly head: ChainHead
  /** Of its first row and of its last one. */
  readonly begins: Timestamp
  readonly ends: Timestamp
  readonly rows: number
  /** Bytes of the object. */
  readonly bytes: number
  /** SHA-256 of the object. */
  readonly digest: Uint8Array
}

export interface JournalService {
  /** Begins a new activation of the zone: fences every older one, for good. */
  readonly claim: (zone: number, owner: string) => Effect.Effect<Claim, JournalUnavailable>
  /** Appends a row, durable when it returns; or nothing, and `Fenced`. */
  readonly append: (row: JournalRow) => Effect.Effect<void, Fenced | JournalUnavailable>
  /**
   * The rows that follow event `sequence`, in order, at most `rowsMax` and about `bytesMax` bytes but one at least.
   * Empty at the end, and where the next event's row has left for the archive. Without gaps, so a reader that pages
   * by it never misses a late commit.
   */
  readonly read: (
    zone: number,
    sequence: number,
    rowsMax: number,
    bytesMax: number
  ) => Effect.Effect<ReadonlyArray<JournalRow>, JournalUnavailable | HistoryDamaged>
  /** The last row's, which never leaves. */
  readonly head: (zone: number) => Effect.Effect<ChainHead, JournalUnavailable>
  /** Last sequence of the zone's last row at or before the time; 0 before the first one that is here. */
  readonly sequenceAt: (
    zone: number,
    seconds: number,
    nanos: number
  ) => Effect.Effect<number, JournalUnavailable | HistoryDamaged>
  /** Newest first. */
  readonly snapshots: (zone: number) => Effect.Effect<ReadonlyArray<SnapshotRecord>, JournalUnavailable>
  /** Replaces one at the same event; or does nothing, and `Fenced`. */
  readonly addSnapshot: (record: SnapshotRecord) => Effect.Effect<void, Fenced | JournalUnavailable>
  readonly removeSnapshot: (zone: number, sequence: number) => Effect.Effect<void, JournalUnavailable>
  /** The last segment that begins at or before the event; undefined if none does. */
  readonly segmentAt: (zone: number, sequence: number) => Effect.Effect<SegmentRecord | undefined, JournalUnavailable>
  /** The last segment that begins at or before the time; undefined if none does. */
  readonly segmentAtTime: (
    zone: number,
    seconds: number,
    nanos: number
  ) => Effect.Effect<SegmentRecord | undefined, JournalUnavailable>
  /** Whether it was recorded: only one that continues the last segment is. */
  readonly addSegment: (record: SegmentRecord) => Effect.Effect<boolean, JournalUnavailable>
  /** Rows that follow an event and bytes of their payloads, counted up to `rowsMax` rows. */
  readonly measure: (
    zone: number,
    sequence: number,
    rowsMax: number
  ) => Effect.Effect<{ readonly rows: number; readonly bytes: number }, JournalUnavailable>
  /**
   * Removes the rows of the oldest segment that still has any here, and tells how many they were: if it is recorded as
   * those very rows, ends at or before the time and the newest snapshots, one at least, and is not the zone's last.
   */
  readonly removeArchived: (
    zone: number,
    seconds: number,
    nanos: number
  ) => Effect.Effect<number, JournalUnavailable>
}

export class Journal extends Context.Tag("cadastre/Journal")<Journal, JournalService>() {}
