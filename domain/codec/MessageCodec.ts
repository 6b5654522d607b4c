/**
 * The bytes between a client and a zone: many commands one way, their replies the other. Hand-written,
 * because a message carries thousands of commands and Schema would cost more than the commands do.
 */
import type { ByteString } from "#domain/ByteString.ts"
import { Reader } from "#domain/codec/Reader.ts"
import { Writer } from "#domain/codec/Writer.ts"
import type { Credentials } from "#domain/Credentials.ts"
import type { ZoneNumber } from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import type { Operation } from "#domain/Operation.ts"
import { operationOf } from "#domain/Operations.ts"
import { descriptorCodec, type SessionDescriptor } from "#domain/Session.ts"

export const VERSION = 1

/** One command on its way to a zone. */
export interface Command {
  readonly operation: Operation<unknown, unknown>
  /** Number of the request in its session, from 1. */
  readonly number: number
  readonly who: Credentials
  readonly request: unknown
}

export interface Message {
  readonly zone: ZoneNumber
  /** The activation of the zone that the client means; a message for an older one is not decided. */
  readonly epoch: number
  readonly session: number
  /** Every request of the session to this zone below it has been answered. */
  readonly floor: number
  /** Whether the zone has told this session before that it knows it. */
  readonly known: boolean
  /** Who the session is, until the zone is known to know. */
  readonly descriptor: SessionDescriptor | undefined
  readonly commands: ReadonlyArray<Command>
}

/** The zone and epoch of a message, without looking at the rest. */
export const header = (bytes: Uint8Array): { readonly zone: ZoneNumber; readonly epoch: number } => {
  const r = new Reader(bytes)
  if (r.u8() !== VERSION) r.fail("unknown message version")
  return { zone: r.u16(), epoch: r.varint() }
}

export const encode = (message: Message): Uint8Array => {
  const w = new Writer(64 + message.commands.length * 48)
  w.u8(VERSION)
  w.u16(message.zone)
  w.varint(message.epoch)
  w.u56(message.session)
  w.varint(message.floor)
  w.u8((message.known ? 1 : 0) | (message.descriptor === undefined ? 0 : 2))
  if (message.descriptor !== undefined) descriptorCodec.write(w, message.descriptor)
  const callers = new Map<Credentials, number>()
  for (const { who } of message.commands) if (!callers.has(who)) callers.set(who, callers.size)
  w.varint(callers.size)
  for (const who of callers.keys()) writeCredentials(w, who)
  w.varint(message.commands.length)
  for (const { number, operation, request, who } of message.commands) {
    w.u8(operation.code)
    w.varint(number)
    w.varint(callers.get(who) as number)
    operation.request.write(w, request)
  }
  return w.take()
}

/** The message, or `Malformed`. */
export const decode = (bytes: Uint8Array): Message => {
  const r = new Reader(bytes)
  if (r.u8() !== VERSION) r.fail("unknown message version")
  const zone = r.u16()
  const epoch = r.varint()
  const session = r.u56()
  const floor = r.varint()
  const flags = r.u8()
  const descriptor = (flags & 2) === 0 ? undefined : descriptorCodec.read(r)
  const callers: Array<Credentials> = []
  for (let i = r.count(Limits.messageCommandsMax); i > 0; i--) callers.push(readCredentials(r))
  const commands: Array<Command> = []
  for (let i = r.count(Limits.messageCommandsMax); i > 0; i--) {
    const code = r.u8()
    const operation = operationOf(code) ?? r.fail(`unknown operation ${code}`)
    const number = r.varint()
    if (number === 0) r.fail("a command has no number")
    const who = callers[r.varint()] ?? r.fail("unknown caller")
    commands.push({ operation, number, who, request: operation.request.read(r) })
  }
  r.end()
  return { zone, epoch, session, floor, known: (flags & 1) !== 0, descriptor, commands }
}

/** The replies to a message, in the order of its commands, each as `Batch.encodeReply` writes it. */
export const encodeReplies = (replies: ReadonlyArray<ByteString>): Uint8Array => {
  let bytes = 8
  for (const reply of replies) bytes += reply.length + 3
  const w = new Writer(bytes)
  w.varint(replies.length)
  for (const reply of replies) w.string(reply)
  return w.take()
}

/** What a command came to: its reply, or a POSIX error number. */
export type Outcome = { readonly errno: 0; readonly reply: unknown } | {
  readonly errno: number
  readonly reply?: never
}

export const decodeReplies = (bytes: Uint8Array, commands: ReadonlyArray<Command>): ReadonlyArray<Outcome> => {
  const r = new Reader(bytes)
  if (r.count(Limits.messageCommandsMax) !== commands.length) r.fail("not as many replies as commands")
  const outcomes = commands.map(({ operation }): Outcome => {
    const bytes = r.count(Limits.messageRepliesBytesMax)
    const end = r.at + bytes
    const errno = r.u16()
    const outcome = errno === 0 ? { errno, reply: operation.reply.read(r) } as const : { errno }
    if (r.at !== end) r.fail(`a reply to ${operation.name} is not of ${bytes} bytes`)
    return outcome
  })
  r.end()
  return outcomes
}

const writeCredentials = (w: Writer, { gid, groups, uid }: Credentials): void => {
  w.varint(uid)
  w.varint(gid)
  w.varint(groups.length)
  for (const group of groups) w.varint(group)
}

const readCredentials = (r: Reader): Credentials => {
  const uid = readId(r)
  const gid = readId(r)
  const groups: Array<number> = []
  for (let i = r.count(Limits.groupsMax); i > 0; i--) groups.push(readId(r))
  return { uid, gid, groups }
}

/** A user or group, which has 32 bits. */
const readId = (r: Reader): number => {
  const id = r.varint()
  return id <= 0xffff_ffff ? id : r.fail(`${id} is no user and no group`)
}
