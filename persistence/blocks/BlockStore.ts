/**
 * Where immutable objects live: blocks of file data, snapshots, archived journal segments. One contract for
 * local disk, for any S3, and for memory; `BlockStore.contract.ts` holds them all to it.
 *
 * It does not know what is in an object. Keys are made of `[A-Za-z0-9._-]` segments joined by `/`
 * (`ObjectKey.ts`); any other key is a defect.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"

/** No object has this key. */
export class ObjectMissing extends Schema.TaggedError<ObjectMissing>()("ObjectMissing", {
  key: Schema.String,
  store: Schema.String
}) {
  override get message(): string {
    return `no object ${this.key} in ${this.store}`
  }
}

/** An object is not what was stored: a checksum or its length is wrong. Never returned as good. */
export class ObjectCorrupt extends Schema.TaggedError<ObjectCorrupt>()("ObjectCorrupt", {
  key: Schema.String,
  store: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `object ${this.key} in ${this.store} is corrupt: ${this.reason}`
  }
}

/** No room in the store. Nothing was stored under the key. */
export class StoreFull extends Schema.TaggedError<StoreFull>()("StoreFull", {
  key: Schema.String,
  store: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.store} is full: ${this.reason}; free space or move the store, then try again`
  }
}

/** The store refuses or cannot be reached. `retryable` tells whether the same call may succeed later. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  store: Schema.String,
  operation: Schema.String,
  reason: Schema.String,
  retryable: Schema.Boolean
}) {
  override get message(): string {
    return `${this.store}: ${this.operation} failed: ${this.reason}`
  }
}

export type ReadError = ObjectMissing | ObjectCorrupt | StoreUnavailable
export type WriteError = StoreFull | StoreUnavailable

export interface ObjectInfo {
  readonly key: string
  /** Bytes of the object as it was put, without anything that the store adds. */
  readonly bytes: number
}

export interface BlockStoreService {
  /** What the store is, for people: `/data/blocks` or `s3://bucket/prefix at http://host`. Never a secret. */
  readonly description: string
  /**
   * Stores an object, durable when it returns: after a power cut it is there, whole. Putting the same key again
   * replaces it atomically. The bytes must not change until it returns: they are not copied.
   */
  readonly put: (key: string, bytes: Uint8Array) => Effect.Effect<void, WriteError>
  /** The whole object, verified. */
  readonly get: (key: string) => Effect.Effect<Uint8Array, ReadError>
  /**
   * Bytes `offset` to `offset + length`, verified, of an object that is `objectBytes` long, as its caller
   * knows (a block's name holds its size). An object of another size is `ObjectCorrupt`; a range that is not
   * within `objectBytes` is a defect.
   */
  readonly getRange: (
    key: string,
    objectBytes: number,
    offset: number,
    length: number
  ) => Effect.Effect<Uint8Array, ReadError>
  /** Undefined if there is none. It tells the size by what is stored and verifies nothing, as does `list`. */
  readonly head: (key: string) => Effect.Effect<ObjectInfo | undefined, StoreUnavailable>
  /** Durable when it returns: what was removed does not come back. Removing what is not there succeeds. */
  readonly remove: (key: string) => Effect.Effect<void, StoreUnavailable>
  /** Every object whose key starts with the prefix, in byte order of keys. */
  readonly list: (prefix: string) => Stream.Stream<ObjectInfo, StoreUnavailable>
}

export class BlockStore extends Context.Tag("cadastre/BlockStore")<BlockStore, BlockStoreService>() {}
