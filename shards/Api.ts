/**
 * What a runner answers to clients: where zones are, and the journal for auditors. Commands for zones are not here:
 * they travel in packed messages over connections of their own (`MessageChannel`).
 */
import { NotOwner, SubmitError, ZoneDamaged, ZoneUnavailable } from "#shards/ZoneError.ts"
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcGroup from "@effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"

const Bytes = Schema.Uint8ArrayFromSelf

/** A runner cannot answer now: its database or its cluster does not. */
export class RunnerUnavailable extends Schema.TaggedError<RunnerUnavailable>()("RunnerUnavailable", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

/** What a client needs to know of a cluster once. */
export class ClusterInfo extends Schema.Class<ClusterInfo>("ClusterInfo")({
  cluster: Schema.String,
  zones: Schema.Number,
  version: Schema.String,
  /** Where blocks are kept, for people. */
  blockStore: Schema.String,
  /** How old the history may get that still keeps blocks, in days; for ever where there is none. */
  historyRetentionDays: Schema.optional(Schema.Number)
}) {}

export class ZoneLocation extends Schema.Class<ZoneLocation>("ZoneLocation")({
  zone: Schema.Number,
  host: Schema.String,
  port: Schema.Number,
  /** Activation of the zone that answered. */
  epoch: Schema.Number
}) {}

/** A row of the journal, as `persistence/Chain` has it. */
export class JournalRowWire extends Schema.Class<JournalRowWire>("JournalRow")({
  zone: Schema.Number,
  first: Schema.Number,
  last: Schema.Number,
  epoch: Schema.Number,
  seconds: Schema.Number,
  nanos: Schema.Number,
  codec: Schema.Number,
  payload: Bytes,
  previous: Bytes,
  hash: Bytes
}) {}

export class ZoneStatus extends Schema.Class<ZoneStatus>("ZoneStatus")({
  zone: Schema.Number,
  epoch: Schema.Number,
  /** Last committed event. */
  sequence: Schema.Number,
  inodes: Schema.Number,
  dataBytes: Schema.Number,
  sessions: Schema.Number,
  /** SHA-256 of the whole state at `sequence`, where it was asked for. */
  digest: Schema.optional(Bytes)
}) {}

export class RunnerStatus extends Schema.Class<RunnerStatus>("RunnerStatus")({
  host: Schema.String,
  port: Schema.Number,
  healthy: Schema.Boolean,
  /** Zones that are active there; only the asked runner knows its own. */
  zones: Schema.Array(Schema.Number)
}) {}

const LocateError = Schema.Union(ZoneUnavailable, ZoneDamaged)
const JournalError = Schema.Union(RunnerUnavailable, ZoneDamaged)
const zone = { zone: Schema.Number }

export class Api extends RpcGroup.make(
  Rpc.make("Hello", { success: ClusterInfo }),
  Rpc.make("Locate", { payload: zone, success: ZoneLocation, error: LocateError }),
  /**
   * Packed reads, and their packed replies, of the message's zone as it was right after the command of event
   * `sequence`; any runner can answer for any zone. Changes are refused with EROFS.
   */
  Rpc.make("SubmitPast", {
    payload: { sequence: Schema.Number, message: Bytes },
    success: Bytes,
    error: SubmitError
  }),
  /** Keeps a session alive in these zones; answers those that are not on this runner. */
  Rpc.make("Heartbeat", {
    payload: { session: Schema.Number, zones: Schema.Array(Schema.Number) },
    success: Schema.Array(Schema.Number)
  }),
  Rpc.make("Status", { payload: { ...zone, digest: Schema.Boolean }, success: ZoneStatus, error: SubmitError }),
  Rpc.make("Runners", { success: Schema.Array(RunnerStatus), error: RunnerUnavailable }),
  /** Rows that end after a sequence, a page of them, archived or not; any runner can read any zone's. */
  Rpc.make("ReadJournal", {
    payload: { ...zone, after: Schema.Number, rowsMax: Schema.Number },
    success: Schema.Array(JournalRowWire),
    error: JournalError
  }),
  /** The zone's last sequence at or before a time. */
  Rpc.make("SequenceAt", {
    payload: { ...zone, seconds: Schema.Number, nanos: Schema.Number },
    success: Schema.Number,
    error: JournalError
  }),
  /** The zone's last committed sequence, now and after each commit. Ends when the zone leaves this runner. */
  Rpc.make("Follow", { payload: zone, success: Schema.Number, error: NotOwner, stream: true })
) {}
