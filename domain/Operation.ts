/**
 * The shape of every metadata operation: what is asked, what is answered, and how a zone decides.
 * An operation is one file in `operations/` and one line in `Operations.ts`.
 */
import type { Codec, StructCodec } from "#domain/codec/Codec.ts"
import type { Credentials } from "#domain/Credentials.ts"
import type { Errno } from "#domain/Errno.ts"
import type { Event } from "#domain/Event.ts"
import type { InodeNumber } from "#domain/InodeNumber.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import type { Timestamp } from "#domain/Timestamp.ts"

/** What a decision may depend on besides the state and the request. */
export interface Context {
  readonly time: Timestamp
  readonly who: Credentials
  /** The session that asks; 0 for the zone itself. */
  readonly session: number
  /** Number of the request in its session. */
  readonly request: number
}

/** A POSIX error as a value. Nothing changed. */
export interface Refusal {
  readonly _tag: "Refusal"
  readonly errno: Errno
}

/** A reply that needs no event. */
export interface Answer<Reply> {
  readonly _tag: "Answer"
  readonly reply: Reply
}

/** What happens. The reply follows from the state afterwards, by `answer`. */
export interface Change {
  readonly _tag: "Change"
  readonly events: ReadonlyArray<Event>
}

/** The request waits, durably; a later event answers it. */
export interface Wait {
  readonly _tag: "Wait"
  readonly events: ReadonlyArray<Event>
}

/**
 * What a zone decides. An operation whose parts lie in several zones gets a further kind here, a deed,
 * made of the same events; no operation that stays in one zone changes for it.
 */
export type Plan<Reply> = Refusal | Answer<Reply> | Change | Wait

/** What the journal keeps of a command: who asked which operation, and what happened. */
export interface CommandRecord {
  readonly session: number
  readonly request: number
  /** The user whose rights decided. */
  readonly uid: number
  readonly operation: number
  readonly events: ReadonlyArray<Event>
}

export interface Operation<Request, Reply> {
  /** Number on the wire and in the journal; never reused. */
  readonly code: number
  readonly name: string
  readonly request: StructCodec<Request>
  readonly reply: Codec<Reply>
  /** The inode whose zone decides; of a request whose references are resolved. */
  routeOf(request: Request): InodeNumber
  plan(state: ZoneState, context: Context, request: Request): Plan<Reply>
  /** The reply to a change, from its events and the state right after them. Reads never get here. */
  answer(state: ZoneState, record: CommandRecord): Reply
}

const refusals = new Map<Errno, Refusal>()

export const refuse = (errno: Errno): Refusal => {
  let refusal = refusals.get(errno)
  if (refusal === undefined) refusals.set(errno, refusal = { _tag: "Refusal", errno })
  return refusal
}

export const reply = <Reply>(value: Reply): Answer<Reply> => ({ _tag: "Answer", reply: value })

export const change = (...events: ReadonlyArray<Event>): Change => ({ _tag: "Change", events })

export const wait = (...events: ReadonlyArray<Event>): Wait => ({ _tag: "Wait", events })

/** The `answer` of an operation that never changes anything. */
export const readOnly = (): never => {
  throw new Error("a read has no events to answer from")
}
