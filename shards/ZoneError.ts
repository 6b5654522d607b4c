/**
 * Why a zone did not take a message. POSIX refusals are not here: they are replies to single commands.
 */
import * as Schema from "effect/Schema"

/** Another runner has the zone. Ask where it is, then send the same again. */
export class NotOwner extends Schema.TaggedError<NotOwner>()("NotOwner", {
  zone: Schema.Number
}) {
  override get message(): string {
    return `zone ${this.zone} is not on this runner`
  }
}

/** The message means an older activation of the zone. Send the same again with this epoch. */
export class StaleEpoch extends Schema.TaggedError<StaleEpoch>()("StaleEpoch", {
  zone: Schema.Number,
  epoch: Schema.Number
}) {
  override get message(): string {
    return `zone ${this.zone} is in epoch ${this.epoch} by now`
  }
}

/** The zone's mailbox is full. Slow down, then send the same again. */
export class ZoneBusy extends Schema.TaggedError<ZoneBusy>()("ZoneBusy", {
  zone: Schema.Number,
  waiting: Schema.Number
}) {
  override get message(): string {
    return `zone ${this.zone} is busy: ${this.waiting} messages wait already`
  }
}

/** The zone cannot decide or commit now. Whether the message took effect is unknown; send the same again. */
export class ZoneUnavailable extends Schema.TaggedError<ZoneUnavailable>()("ZoneUnavailable", {
  zone: Schema.Number,
  reason: Schema.String
}) {
  override get message(): string {
    return `zone ${this.zone} is not available: ${this.reason}`
  }
}

/** The zone's stored history is not what was written. It stays closed until a person has looked. */
export class ZoneDamaged extends Schema.TaggedError<ZoneDamaged>()("ZoneDamaged", {
  zone: Schema.Number,
  /** The first event that cannot be trusted. */
  sequence: Schema.Number,
  reason: Schema.String
}) {
  override get message(): string {
    return `zone ${this.zone} is damaged at event ${this.sequence}: ${this.reason}; ` +
      `it is kept closed (cadastre audit verify --zone ${this.zone} shows more)`
  }
}

/** The session fell silent for too long, or was ended. Its open files and locks are gone. */
export class SessionLost extends Schema.TaggedError<SessionLost>()("SessionLost", {
  zone: Schema.Number,
  session: Schema.Number
}) {
  override get message(): string {
    return `session ${this.session} has ended in zone ${this.zone}: its open files and locks are gone`
  }
}

/** The bytes are no message. The same will never be taken. */
export class BadMessage extends Schema.TaggedError<BadMessage>()("BadMessage", {
  reason: Schema.String
}) {
  override get message(): string {
    return `not a message: ${this.reason}`
  }
}

/** The program failed on this message, and only on it. A defect to report. */
export class ZoneDefect extends Schema.TaggedError<ZoneDefect>()("ZoneDefect", {
  zone: Schema.Number,
  reason: Schema.String
}) {
  override get message(): string {
    return `zone ${this.zone} failed on this message: ${this.reason} (please report this)`
  }
}

export const SubmitError = Schema.Union(
  NotOwner,
  StaleEpoch,
  ZoneBusy,
  ZoneUnavailable,
  ZoneDamaged,
  SessionLost,
  BadMessage,
  ZoneDefect
)
export type SubmitError = typeof SubmitError.Type

/** Errors after which the same message may be sent again, here or elsewhere. */
export type RetryableError = NotOwner | StaleEpoch | ZoneBusy | ZoneUnavailable

const retryable: ReadonlySet<SubmitError["_tag"]> = new Set(["NotOwner", "StaleEpoch", "ZoneBusy", "ZoneUnavailable"])

export const isRetryable = (error: SubmitError): error is RetryableError => retryable.has(error._tag)
