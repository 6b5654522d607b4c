/**
 * Packed messages for zones, and their packed replies, over one connection: many under way at a time, answered in any
 * order. What every create goes through is plain calls: no fiber, no Schema. Everything rarer goes by rpc (`Api`).
 */
import { Limits } from "#domain/Limits.ts"
import { InFlight } from "#shards/InFlight.ts"
import type { Wire } from "#shards/Network.ts"
import * as ZoneError from "#shards/ZoneError.ts"
import { Decoder, encode, type Frame, Kind } from "#transport/Frame.ts"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

/** Bytes of a message or of its replies at most. */
const BYTES_MAX = Limits.mailboxBytesMax

/** The connection is gone, or what came over it was none of ours. Whether the message arrived is not known. */
export class ChannelBroken extends Data.TaggedError("ChannelBroken")<{ readonly reason: string }> {
  override get message(): string {
    return this.reason
  }
}

const BROKE = "the connection broke"

export type Replies = Either.Either<Uint8Array, ZoneError.SubmitError | ChannelBroken>

/** Takes back the wish for an answer; the message may have its effect all the same. */
export type Cancel = () => void

export interface MessageChannel {
  /** Sends a message. `done` is called once, at once or later, unless it is cancelled. */
  readonly submit: (message: Uint8Array, done: (replies: Replies) => void) => Cancel
}

/** A client's end of a connection. */
export class ChannelClient implements MessageChannel {
  private readonly wire: Wire
  private readonly pending = new InFlight<(replies: Replies) => void>()
  private last = 0
  private heard = true
  private asked = false

  constructor(wire: Wire) {
    this.wire = wire
    const decoder = new Decoder({ bytesMax: BYTES_MAX })
    wire.onBytes((chunk) => {
      this.heard = true
      const problem = decoder.push(chunk, (frame) => this.settle(frame))
      if (problem !== undefined) this.fail(problem)
    })
    wire.onClose(() => this.fail(BROKE))
  }

  submit(message: Uint8Array, done: (replies: Replies) => void): Cancel {
    const request = this.last = (this.last + 1) % 2 ** 32
    this.pending.add(request, done)
    if (!this.wire.send(encode({ kind: Kind.message, request, data: message }), message)) this.fail(BROKE)
    return () => void this.pending.take(request)
  }

  /**
   * To be called at a steady pace. False once somebody has waited for two of these times while nothing at all came, not
   * even an answer to the question whether anybody is there: a process that stands still keeps its connections.
   */
  isAlive(): boolean {
    const { asked, heard } = this
    this.heard = false
    this.asked = !heard && this.pending.size > 0
    if (!this.asked) return true
    if (asked) return false
    this.wire.send(encode({ kind: Kind.ping, request: 0 }))
    return true
  }

  /** Tells all who wait, and is of no use any more. */
  fail(reason: string): void {
    const waiting = this.pending.takeAll()
    this.wire.close()
    for (const done of waiting) done(Either.left(new ChannelBroken({ reason })))
  }

  private settle({ data, kind, request }: Frame): void {
    if (kind === Kind.pong) return
    const done = this.pending.take(request)
    // Nobody waits for it any more.
    if (done === undefined) return
    done(kind === Kind.replies ? Either.right(data) : Either.left(readRefusal(data)))
  }
}

/** What a runner does with a message: calls back once, now or later. */
export type Receive = (
  message: Uint8Array,
  done: (replies: Either.Either<Uint8Array, ZoneError.SubmitError>) => void
) => void

/** A runner's end. */
export const serve = (receive: Receive) => (wire: Wire): void => {
  const decoder = new Decoder({ bytesMax: BYTES_MAX })
  const answer = ({ data, kind, request }: Frame): void => {
    if (kind === Kind.ping) return void wire.send(encode({ kind: Kind.pong, request }))
    if (kind !== Kind.message) return wire.close()
    receive(data, (replies) => {
      const kind = Either.isRight(replies) ? Kind.replies : Kind.refusal
      const bytes = Either.isRight(replies) ? replies.right : writeRefusal(replies.left)
      wire.send(encode({ kind, request, data: bytes }), bytes)
    })
  }
  wire.onBytes((chunk) => {
    if (decoder.push(chunk, answer) !== undefined) wire.close()
  })
}

const refusal = Schema.parseJson(ZoneError.SubmitError)

const writeRefusal = (error: ZoneError.SubmitError): Uint8Array =>
  Buffer.from(Schema.encodeSync(refusal)(error), "utf8")

const readRefusal = (bytes: Uint8Array): ZoneError.SubmitError | ChannelBroken =>
  Either.getOrElse(
    Schema.decodeEither(refusal)(Buffer.from(bytes).toString("utf8")),
    ({ message }) => new ChannelBroken({ reason: `what it refuses with is not known here: ${message}` })
  )
