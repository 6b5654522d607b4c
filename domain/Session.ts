/**
 * A client of a zone: who it is, what it holds open, and the replies it may still ask for again.
 */
import type { ByteString } from "#domain/ByteString.ts"
import * as Codec from "#domain/codec/Codec.ts"
import type { InodeNumber } from "#domain/InodeNumber.ts"
import type { Timestamp } from "#domain/Timestamp.ts"

const TEXT_BYTES_MAX = 255

/** Who a session is, as its client declares it; every event of the session points here. */
export interface SessionDescriptor {
  /** Program and version, such as `cadastre-cli/0.1.0`. */
  readonly client: ByteString
  readonly host: ByteString
  /** Login name. */
  readonly user: ByteString
  readonly uid: number
  readonly pid: number
}

export const descriptorCodec: Codec.Codec<SessionDescriptor> = Codec.struct({
  client: Codec.bytes(TEXT_BYTES_MAX),
  host: Codec.bytes(TEXT_BYTES_MAX),
  user: Codec.bytes(TEXT_BYTES_MAX),
  uid: Codec.u32,
  pid: Codec.u32
})

/** What an open file may be used for; bits. */
export const Access = { read: 1, write: 2 } as const

/** Whether the bits are of `Access` alone. */
export const isAccess = (access: number): boolean => (access & ~(Access.read | Access.write)) === 0

export interface OpenFile {
  readonly inode: InodeNumber
  /** Bits of `Access`. */
  readonly access: number
}

export class Session {
  readonly id: number
  readonly descriptor: SessionDescriptor
  readonly since: Timestamp
  /** Every request below it has been answered to the client's knowledge. */
  floor = 0
  /** Open files by handle, which is the number of the request that opened them. */
  readonly opens = new Map<number, OpenFile>()
  private readonly remembered = new Map<number, ByteString>()
  /** The highest number of a request that was ever remembered. */
  private highest = 0

  constructor(id: number, descriptor: SessionDescriptor, since: Timestamp) {
    this.id = id
    this.descriptor = descriptor
    this.since = since
  }

  /** Encoded replies by request number, at or above the floor. */
  get replies(): ReadonlyMap<number, ByteString> {
    return this.remembered
  }

  /** What the request was answered, if it is remembered. Most are new, and have the highest number yet. */
  replyTo(request: number): ByteString | undefined {
    return request > this.highest ? undefined : this.remembered.get(request)
  }

  remember(request: number, reply: ByteString): void {
    this.remembered.set(request, reply)
    if (request > this.highest) this.highest = request
  }

  /** Forgets the replies below the floor, which only rises. */
  raise(floor: number): void {
    if (floor <= this.floor) return
    this.floor = floor
    for (const request of this.remembered.keys()) if (request < floor) this.remembered.delete(request)
  }
}
