/**
 * The hash chain of a zone's journal: each row's hash covers all of the row and the hash before it, so no
 * byte of the past can change unseen.
 */
import { Limits } from "#domain/Limits.ts"
import type { Timestamp } from "#domain/Timestamp.ts"
import { createHash } from "node:crypto"

/** One batch as it is stored. */
export interface JournalRow {
  readonly zone: number
  /** Sequence of the first and the last event. */
  readonly first: number
  readonly last: number
  /** Activation of the zone that wrote it. */
  readonly epoch: number
  readonly time: Timestamp
  /** Version of the payload's codec. */
  readonly codec: number
  /** The batch, as `BatchCodec` writes it. */
  readonly payload: Uint8Array
  /** SHA-256 of the row before; 32 zero bytes for the first. */
  readonly previous: Uint8Array
  /** SHA-256 of this row. */
  readonly hash: Uint8Array
}

export const HASH_BYTES = 32
export const GENESIS: Uint8Array = new Uint8Array(HASH_BYTES)

const HEADER_BYTES = 2 + 8 * 4 + 4 + 1

/** SHA-256 over previous hash, header (little-endian) and payload. */
export const hashOf = (row: Omit<JournalRow, "hash">): Uint8Array => {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16LE(row.zone, 0)
  header.writeBigUInt64LE(BigInt(row.first), 2)
  header.writeBigUInt64LE(BigInt(row.last), 10)
  header.writeBigUInt64LE(BigInt(row.epoch), 18)
  header.writeBigInt64LE(BigInt(row.time.seconds), 26)
  header.writeUInt32LE(row.time.nanos, 34)
  header.writeUInt8(row.codec, 38)
  return createHash("sha256").update(row.previous).update(header).update(row.payload).digest()
}

/** Where a chain stands: the last sequence and the hash of the row that holds it. */
export interface ChainHead {
  readonly sequence: number
  readonly hash: Uint8Array
}

export const START: ChainHead = { sequence: 0, hash: GENESIS }

/** Why the row does not continue the chain; undefined when it does. */
export const problemOf = (head: ChainHead, row: JournalRow): string | undefined => {
  if (row.first <= head.sequence) return `events ${row.first} to ${head.sequence} are there twice`
  if (row.first !== head.sequence + 1) {
    return `events ${head.sequence + 1} to ${row.first - 1} are missing`
  }
  if (row.last < row.first) return `the row ends (${row.last}) before it begins (${row.first})`
  if (row.last - row.first >= Limits.batchCommandsMax * 2048) return "the row claims more events than a batch holds"
  if (!equal(row.previous, head.hash)) return "it does not name the hash of the row before it"
  if (!equal(row.hash, hashOf(row))) return "its contents do not give its hash"
  return undefined
}

export const headOf = (row: JournalRow): ChainHead => ({ sequence: row.last, hash: row.hash })

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
