/**
 * A zone's state in the block store: its bytes in parts, named by a record in the journal's tables. The record
 * is written last, so a snapshot is whole or is not there.
 */
import { BlockStore, type ObjectCorrupt, type ReadError, type WriteError } from "#persistence/blocks/BlockStore.ts"
import * as BlockStores from "#persistence/blocks/BlockStore.ts"
import type { ChainHead } from "#persistence/Chain.ts"
import { Journal, type JournalUnavailable, type SnapshotRecord } from "#persistence/Journal.ts"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"

/** Bytes of one part at most. */
export const PART_BYTES = 4 * 1024 * 1024
/** Snapshots of one zone that are kept, the newest first. */
const KEPT = 2
const CONCURRENCY = 4

/** The state's bytes, gathered into parts while the state stands still. */
export interface Image {
  readonly parts: ReadonlyArray<Uint8Array>
  readonly bytes: number
  readonly digest: Uint8Array
}

/** Gathers runs of bytes, each valid only until the next; or only their digest. */
export class ImageBuilder {
  private readonly keep: boolean
  private readonly parts: Array<Uint8Array> = []
  private current: Array<Uint8Array> = []
  private currentBytes = 0
  private bytes = 0
  private readonly hash = createHash("sha256")

  constructor(keep = true) {
    this.keep = keep
  }

  add(run: Uint8Array): void {
    this.hash.update(run)
    this.bytes += run.length
    for (let at = 0; this.keep && at < run.length;) {
      const piece = Uint8Array.prototype.slice.call(run, at, at + PART_BYTES - this.currentBytes)
      this.current.push(piece)
      this.currentBytes += piece.length
      at += piece.length
      if (this.currentBytes === PART_BYTES) this.close()
    }
  }

  finish(): Image {
    if (this.currentBytes > 0) this.close()
    return { parts: this.parts, bytes: this.bytes, digest: this.hash.digest() }
  }

  private close(): void {
    this.parts.push(this.current.length === 1 ? this.current[0] as Uint8Array : Buffer.concat(this.current))
    this.current = []
    this.currentBytes = 0
  }
}

const NUMBER_WIDTH = 16

export const keyOf = (zone: number, sequence: number, part: number): string =>
  `snapshots/${zone}/${String(sequence).padStart(NUMBER_WIDTH, "0")}/${part}`

/** Stores an image of the zone at `head`, and forgets all but the newest ones. */
export const save = (
  zone: number,
  head: ChainHead,
  image: Image
): Effect.Effect<
  SnapshotRecord,
  WriteError | JournalUnavailable | BlockStores.StoreUnavailable,
  BlockStore | Journal
> =>
  Effect.gen(function*() {
    const store = yield* BlockStore
    const journal = yield* Journal
    yield* Effect.forEach(image.parts, (part, index) => store.put(keyOf(zone, head.sequence, index), part), {
      concurrency: CONCURRENCY,
      discard: true
    })
    const { bytes, digest, parts } = image
    const record: SnapshotRecord = { zone, head, parts: parts.length, bytes, digest }
    yield* journal.addSnapshot(record)
    const all = yield* journal.snapshots(zone)
    // The new one is recorded, and good; what stays of the old ones costs room, not safety.
    yield* Effect.forEach(all.slice(KEPT), forget, { discard: true }).pipe(
      Effect.catchAll(({ message }) => Effect.logWarning(`an old snapshot of zone ${zone} stays: ${message}`))
    )
    return record
  })

const forget = (record: SnapshotRecord) =>
  Effect.gen(function*() {
    const store = yield* BlockStore
    const journal = yield* Journal
    // The record first: what is left over then is garbage, not a snapshot with a hole.
    yield* journal.removeSnapshot(record.zone, record.head.sequence)
    for (let part = 0; part < record.parts; part++) yield* store.remove(keyOf(record.zone, record.head.sequence, part))
  })

/** The snapshot's bytes, verified. */
export const load = (record: SnapshotRecord): Effect.Effect<Uint8Array, ReadError, BlockStore> =>
  Effect.gen(function*() {
    const store = yield* BlockStore
    const indexes = Array.from({ length: record.parts }, (_, part) => part)
    const parts = yield* Effect.forEach(indexes, (part) => store.get(keyOf(record.zone, record.head.sequence, part)), {
      concurrency: CONCURRENCY
    })
    const bytes = parts.length === 1 ? parts[0] as Uint8Array : Buffer.concat(parts)
    if (Buffer.compare(createHash("sha256").update(bytes).digest(), record.digest) !== 0) {
      return yield* corrupt(record, store.description)
    }
    return bytes
  })

const corrupt = (record: SnapshotRecord, store: string): ObjectCorrupt =>
  new BlockStores.ObjectCorrupt({
    key: `snapshots/${record.zone}/${record.head.sequence}`,
    store,
    reason: "its parts do not give the digest that was recorded"
  })
