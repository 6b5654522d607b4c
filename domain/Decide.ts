/**
 * How a zone decides: messages in, replies and one batch out. It recognises what it answered before, opens
 * sessions on their first change, and lets later commands of a message refer to inodes of earlier ones.
 * It commits nothing: its caller appends the batch, and lets no reply leave before that.
 */
import type { Attributes } from "#domain/Attributes.ts"
import * as Batch from "#domain/Batch.ts"
import type { ByteString } from "#domain/ByteString.ts"
import type { Command, Message } from "#domain/codec/MessageCodec.ts"
import { Reader } from "#domain/codec/Reader.ts"
import * as Credentials from "#domain/Credentials.ts"
import { Errno } from "#domain/Errno.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import type { CommandRecord, Context, Operation, Plan } from "#domain/Operation.ts"
import { operations } from "#domain/Operations.ts"
import type { Session } from "#domain/Session.ts"
import { PageFault } from "#domain/state/pages/Pages.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import type { Timestamp } from "#domain/Timestamp.ts"
import { missing, warm } from "#domain/Warm.ts"

/** The zone ended this session, or never knew what its client believes it knows. */
export const SESSION_ENDED = "session ended"
/** The command waits; a later batch completes it. */
export const WAITS = "waits"

export type Decision = { readonly reply: ByteString } | typeof WAITS

/** What a reply counts for at least, where work is told by the bytes of its replies. */
const REPLY_BYTES_LEAST = 64

const DEFERRED: Decision = WAITS

export class Decider {
  readonly state: ZoneState
  /** The batch's moment. It becomes the state's with the batch's first event. */
  private now: Timestamp
  private records: Array<CommandRecord> = []
  private completed: Array<Batch.Completion> = []
  /** Floors that clients told, which reach the state with the next batch that has events. */
  private readonly floors = new Map<number, number>()
  /**
   * Refusals and empty changes of this activation, by session: a duplicate of the message gets them again.
   * A message from before this activation is known by its epoch.
   */
  private readonly refusals = new Map<number, Map<number, ByteString>>()

  constructor(state: ZoneState) {
    this.state = state
    this.now = state.time
  }

  /** Commands that the coming batch holds. */
  get commandCount(): number {
    return this.records.length
  }

  /** A new batch begins, at a moment that is never before the last one's. */
  begin(time: Timestamp): void {
    this.now = time
  }

  /**
   * Decides all commands of a message, in order, after those in `decisions`, where it adds theirs. A `PageFault` leaves
   * the command that met it undecided: once the page is there, the same call goes on with it. So it does where it
   * stopped because their replies, `REPLY_BYTES_LEAST` at least for each, had come to `most` bytes.
   */
  decide(
    message: Message,
    decisions: Array<Decision> = [],
    most = Number.POSITIVE_INFINITY
  ): ReadonlyArray<Decision> | typeof SESSION_ENDED {
    const { state } = this
    const { session } = message
    // One that goes on may have ended its own session.
    if (session !== 0 && decisions.length === 0) {
      if (state.ended.has(session) || (message.known && !state.sessions.has(session))) return SESSION_ENDED
      this.raise(session, message.floor)
    }
    let bytes = 0
    for (const decision of decisions) if (decision !== WAITS) bytes += decision.reply.length
    let left = most
    for (let index = decisions.length; index < message.commands.length && left > 0; index++) {
      const command = message.commands[index] as Command
      const decision = bytes > Limits.messageRepliesBytesMax && isRead(command.operation)
        ? { reply: Batch.encodeRefusal(Errno.EAGAIN) }
        : this.earlier(session, command) ?? this.resolved(message, index, decisions)
      decisions.push(decision)
      const length = decision === WAITS ? 0 : decision.reply.length
      bytes += length
      left -= Math.max(length, REPLY_BYTES_LEAST)
    }
    return decisions
  }

  /**
   * Absent pages that deciding the message meets first, as far as that can be told: a command that refers to another
   * one waits for that. It decides nothing.
   */
  missing(message: Message): ReadonlySet<number> {
    const { session } = message
    return missing(message.commands, (command) => {
      const { number, operation, who } = command
      if (operation.request.refers(command.request)) return
      const plan = operation.plan(this.state, { time: this.now, who, session, request: number }, command.request)
      if ("events" in plan) { for (const event of plan.events) warm(this.state, event) }
    })
  }

  /** Decides what the zone asks of itself. */
  decideOwn<Request, Reply>(operation: Operation<Request, Reply>, request: Request): void {
    this.settle(0, 0, Credentials.root, operation, request)
  }

  /** Ends the batch: what to append, if anything, and which waiting requests it answers. */
  take(): { readonly batch: Batch.Batch | undefined; readonly completed: ReadonlyArray<Batch.Completion> } {
    const { completed, records, state } = this
    this.records = []
    this.completed = []
    if (records.length === 0) return { batch: undefined, completed }
    const floors: Array<Batch.Floor> = []
    for (const [session, floor] of this.floors) {
      const known = state.sessions.get(session)
      if (known !== undefined && floor > known.floor) floors.push({ session, floor })
    }
    this.floors.clear()
    Batch.raiseFloors(state, floors)
    return { batch: { time: state.time, records, floors }, completed }
  }

  private raise(session: number, floor: number): void {
    if (floor <= (this.floors.get(session) ?? 0)) return
    // The journal keeps a floor plus one.
    this.floors.set(session, Math.min(floor, Number.MAX_SAFE_INTEGER - 1))
    const refused = this.refusals.get(session)
    if (refused === undefined) return
    for (const number of refused.keys()) if (number < floor) refused.delete(number)
    if (refused.size === 0) this.refusals.delete(session)
  }

  /**
   * What a change came to when it was asked before; undefined if it is new. It does not look at what the request
   * refers to, which may be answered otherwise by now.
   */
  private earlier(session: number, { number, operation }: Command): Decision | undefined {
    if (isRead(operation)) return undefined
    const before = this.state.sessions.get(session)?.replyTo(number) ?? this.refusals.get(session)?.get(number)
    if (before !== undefined) return { reply: before }
    return operation.code === operations.lock.code && this.isWaiting(session, number) ? DEFERRED : undefined
  }

  private resolved(message: Message, index: number, decisions: ReadonlyArray<Decision>): Decision {
    const request = resolve(message, index, decisions)
    return request === undefined
      ? { reply: Batch.encodeRefusal(Errno.ECANCELED) }
      : this.command(message, message.commands[index] as Command, request)
  }

  private command(message: Message, command: Command, request: unknown): Decision {
    const { number, operation, who } = command
    const { session } = message
    if (isRead(operation)) return this.settle(session, number, who, operation, request)
    if (session === 0) return { reply: Batch.encodeRefusal(Errno.EINVAL) }
    let known = this.state.sessions.get(session)
    if (known === undefined) {
      const problem = this.openProblem(message, who)
      if (problem !== undefined) return problem
      known = this.state.expectSession(session)
    }
    const floor = Math.max(known.floor, this.floors.get(session) ?? 0)
    if (number < floor) return { reply: Batch.encodeRefusal(Errno.ECANCELED) }
    if (isFull(known, floor)) return { reply: Batch.encodeRefusal(Errno.EAGAIN) }
    return this.settle(session, number, who, operation, request)
  }

  /** Opens the session, or says why not. One that a command of this message has ended does not come back. */
  private openProblem({ descriptor, session }: Message, who: Credentials.Credentials): Decision | undefined {
    if (this.state.ended.has(session)) return { reply: Batch.encodeRefusal(Errno.ECANCELED) }
    if (descriptor === undefined) return { reply: Batch.encodeRefusal(Errno.EINVAL) }
    const inode = InodeNumber.rootOf(this.state.zone)
    const opened = this.settle(session, 0, who, operations.openSession, { inode, descriptor })
    return this.state.sessions.has(session) ? undefined : opened
  }

  private settle<Request, Reply>(
    session: number,
    number: number,
    who: Credentials.Credentials,
    operation: Operation<Request, Reply>,
    request: Request
  ): Decision {
    const { state } = this
    const context: Context = { time: this.now, who, session, request: number }
    const plan: Plan<Reply> = operation.plan(state, context, request)
    if (plan._tag === "Refusal" || plan._tag === "Answer") {
      const reply = plan._tag === "Refusal"
        ? Batch.encodeRefusal(plan.errno)
        : Batch.encodeReply(operation, plan.reply)
      if (!isRead(operation) && session !== 0) this.remember(session, number, reply)
      return { reply }
    }
    const waits = plan._tag === "Wait"
    if (state.pages.absent > 0) { for (const event of plan.events) warm(state, event) }
    const record: CommandRecord = {
      session,
      request: number,
      uid: who.uid,
      operation: operation.code,
      events: plan.events
    }
    this.records.push(record)
    state.time = this.now
    const reply = applied(state, record, waits, this.completed)
    if (operation.code === operations.endSession.code) this.forgetEnded(record)
    return waits ? DEFERRED : { reply }
  }

  private forgetEnded({ events }: CommandRecord): void {
    for (const event of events) {
      if (event._tag !== "SessionEnded") continue
      this.refusals.delete(event.session)
      this.floors.delete(event.session)
    }
  }

  private remember(session: number, number: number, reply: ByteString): void {
    if (!this.state.sessions.has(session)) return
    let refused = this.refusals.get(session)
    if (refused === undefined) this.refusals.set(session, refused = new Map())
    refused.set(number, reply)
    // Only a client that never reports its floor gets here; its oldest answers go.
    if (refused.size > Limits.repliesPerSessionMax) refused.delete(refused.keys().next().value as number)
  }

  private isWaiting(session: number, number: number): boolean {
    for (const { waiters } of this.state.locked.values()) {
      for (const waiter of waiters) {
        if (waiter.session === session && waiter.request === number) return true
      }
    }
    return false
  }
}

/** Once the first change is made there is no trying again: an absent page is met before that, or never. */
const applied = (
  state: ZoneState,
  record: CommandRecord,
  silent: boolean,
  completed: Array<Batch.Completion>
): ByteString => {
  try {
    return Batch.applyRecord(state, record, silent, completed)
  } catch (cause) {
    if (cause instanceof PageFault) throw new Error(`page ${cause.page} was met when changes had begun`, { cause })
    throw cause
  }
}

const FIRST_CHANGING_CODE = 32

/** Whether the operation never changes anything. Reads have the codes below 32. */
export const isRead = (operation: { readonly code: number }): boolean => operation.code < FIRST_CHANGING_CODE

/** Whether the zone remembers as many replies of the session as it may. Those below the floor go with this batch. */
const isFull = ({ replies }: Session, floor: number): boolean => {
  if (replies.size < Limits.repliesPerSessionMax) return false
  let count = 0
  for (const number of replies.keys()) if (number >= floor) count++
  return count >= Limits.repliesPerSessionMax
}

/** The request with its references replaced; undefined if one points to a command that gave no inode. */
const resolve = (message: Message, index: number, decisions: ReadonlyArray<Decision>): unknown => {
  const { operation, request } = message.commands[index] as Command
  if (!operation.request.refers(request)) return request
  const resolved: { [field: string]: unknown } = { ...request as object }
  for (const field of operation.request.inodeFields) {
    const reference = resolved[field] as number
    if (reference >= 0) continue
    const inode = inodeOf(message.commands[index + reference], decisions[index + reference])
    if (inode === undefined) return undefined
    resolved[field] = inode
  }
  return resolved
}

/** The inode whose attributes a command replied with. */
const inodeOf = (command: Command | undefined, decision: Decision | undefined): number | undefined => {
  if (command === undefined || decision === undefined || decision === WAITS) return undefined
  const reader = new Reader(Buffer.from(decision.reply, "latin1"))
  if (reader.u16() !== 0) return undefined
  const reply = command.operation.reply.read(reader) as { readonly attributes?: Attributes } | undefined
  return reply?.attributes?.inode
}
