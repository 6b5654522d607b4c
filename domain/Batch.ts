/**
 * A batch: the commands that a zone decided together, as what they changed. The unit of commit, of replay
 * and of time: all its events happened at one moment. Commands that changed nothing leave no record.
 */
import type { ByteString } from "#domain/ByteString.ts"
import { BatchReader } from "#domain/codec/BatchCodec.ts"
import { Malformed } from "#domain/codec/Reader.ts"
import { Writer } from "#domain/codec/Writer.ts"
import { Errno } from "#domain/Errno.ts"
import { evolve, evolveCreation, evolveNext } from "#domain/Evolve.ts"
import type { CommandRecord, Operation } from "#domain/Operation.ts"
import { operationOf, operations } from "#domain/Operations.ts"
import { Contradiction, type ZoneState } from "#domain/state/ZoneState.ts"
import type { Timestamp } from "#domain/Timestamp.ts"

/** Every request of a session below its floor has been answered. */
export interface Floor {
  readonly session: number
  readonly floor: number
}

export interface Batch {
  readonly time: Timestamp
  readonly records: ReadonlyArray<CommandRecord>
  /** Applied after the records. */
  readonly floors: ReadonlyArray<Floor>
}

/** Requests of earlier batches that this record answered: locks granted or given up. */
export interface Completion {
  readonly session: number
  readonly request: number
  /** Encoded as `encodeReply` does. */
  readonly reply: ByteString
}

export const eventCount = (batch: Batch): number => {
  let sum = 0
  for (const record of batch.records) sum += record.events.length
  return sum
}

/**
 * Applies one command's events and remembers its reply in its session, where a retry will find it.
 * Returns the encoded reply, nothing if it is `silent`: a command that waits, or whose reply nobody will ask for.
 * `completed` gathers what other requests got.
 */
export const applyRecord = (
  state: ZoneState,
  record: CommandRecord,
  silent: boolean,
  completed?: Array<Completion>
): ByteString => {
  for (const event of record.events) {
    if (event._tag === "SessionEnded") completed?.push(...interrupted(state, event.session))
    evolve(state, event)
    if (event._tag !== "LockGranted" && event._tag !== "LockAbandoned") continue
    const { request, session } = event
    const reply = event._tag === "LockGranted"
      ? encodeReply(operations.lock, undefined)
      : encodeRefusal(Errno.EINTR)
    state.sessions.get(session)?.remember(request, reply)
    completed?.push({ session, request, reply })
  }
  if (silent) return ""
  const operation = operationOf(record.operation)
  if (operation === undefined) throw new Contradiction(`operation ${record.operation} is unknown`, state.sequence)
  const reply = encodeReply(operation, operation.answer(state, record))
  if (record.session !== 0) state.sessions.get(record.session)?.remember(record.request, reply)
  return reply
}

/** The requests of a session that wait, and will not be granted any more. */
const interrupted = (state: ZoneState, session: number): ReadonlyArray<Completion> => {
  const completions: Array<Completion> = []
  for (const { waiters } of state.locked.values()) {
    for (const waiter of waiters) {
      if (waiter.session !== session) continue
      completions.push({ session, request: waiter.request, reply: encodeRefusal(Errno.EINTR) })
    }
  }
  return completions
}

/** The batch, whose first event is `first`, up to the command that event `until` belongs to. */
export const upTo = (batch: Batch, first: number, until: number): Batch => {
  if (first + eventCount(batch) - 1 <= until) return batch
  const records: Array<CommandRecord> = []
  let next = first
  for (const record of batch.records) {
    if (next > until) break
    records.push(record)
    next += record.events.length
  }
  return { ...batch, records, floors: [] }
}

/** What sessions need not remember any more, once a batch's records are applied. */
export const raiseFloors = (state: ZoneState, floors: ReadonlyArray<Floor>): void => {
  for (const { floor, session } of floors) state.sessions.get(session)?.raise(floor)
}

/** Notes each session's highest floor. */
export const noteFloors = (floors: ReadonlyArray<Floor>, highest: Map<number, number>): void => {
  for (const { floor, session } of floors) if (floor > (highest.get(session) ?? 0)) highest.set(session, floor)
}

/**
 * Replays a whole batch. `answered` are floors of it and of batches that are replayed after it without fail: replies
 * below them would be forgotten again, so they are not made.
 */
export const apply = (state: ZoneState, batch: Batch, answered?: ReadonlyMap<number, number>): void => {
  state.time = batch.time
  for (const record of batch.records) replayRecord(state, record, answered)
  raiseFloors(state, batch.floors)
}

/**
 * Replays a whole batch from its bytes as `apply` does, each record as it is read. When it throws, records before are
 * applied already, and the state is of no more use.
 */
export const applyPayload = (
  state: ZoneState,
  payload: Uint8Array,
  time: Timestamp,
  answered?: ReadonlyMap<number, number>
): void => {
  const reader = new BatchReader(payload)
  state.time = time
  try {
    applyRecords(state, reader, answered)
  } catch (cause) {
    // A payload that is malformed anywhere is that first of all, as if all of it had been decoded before.
    if (!(cause instanceof Malformed)) { while (reader.next()); }
    throw cause
  }
  raiseFloors(state, reader.floors)
}

const applyRecords = (state: ZoneState, reader: BatchReader, answered?: ReadonlyMap<number, number>): void => {
  let session = 0
  let answeredBelow = Number.POSITIVE_INFINITY
  let isRun = false
  while (reader.next()) {
    if (reader.session !== session) {
      session = reader.session
      answeredBelow = session === 0 ? Number.POSITIVE_INFINITY : answered?.get(session) ?? 0
    }
    const forgotten = reader.request < answeredBelow
    if (forgotten && reader.isCreation) {
      if (isRun && reader.isNext) evolveNext(state, reader)
      else evolveCreation(state, reader)
      isRun = true
    } else {
      isRun = false
      const record = reader.record()
      applyRecord(state, record, forgotten || isWait(record))
    }
  }
}

/** Replays one record of a batch. */
export const replayRecord = (
  state: ZoneState,
  record: CommandRecord,
  answered?: ReadonlyMap<number, number>
): void => {
  const { request, session } = record
  const forgotten = session === 0 || (answered !== undefined && request < (answered.get(session) ?? 0))
  applyRecord(state, record, forgotten || isWait(record))
}

/** Whether the command was left waiting: its own request is among its waiters. */
export const isWait = (record: CommandRecord): boolean =>
  record.events.some((event) =>
    event._tag === "LockAwaited" && event.waiter.session === record.session && event.waiter.request === record.request
  )

const writer = new Writer(256)

/** Errno 0 in two bytes, then the reply in its operation's shape. */
export const encodeReply = ({ reply }: Operation<unknown, unknown>, value: unknown): ByteString => {
  writer.reset()
  writer.u16(0)
  reply.write(writer, value)
  return writer.text()
}

/** The errno in two bytes. */
export const encodeRefusal = (errno: number): ByteString => String.fromCharCode(errno & 255, errno >> 8)
