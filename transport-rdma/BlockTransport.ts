/**
 * How blocks travel between a client and a node: the contract that every transport keeps. Today there is one
 * over TCP (`TcpBlocks.ts`); one over RDMA gets the same contract and the same tests.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A block was not fetched or stored. `reason` tells what its caller can do. */
export class BlockError extends Schema.TaggedError<BlockError>()("BlockError", {
  /** `missing`, `corrupt` and `refused` will not change by trying again; `full` and `unavailable` may. */
  kind: Schema.Literal("missing", "corrupt", "full", "refused", "unavailable"),
  key: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason.includes(this.key) ? this.reason : `block ${this.key}: ${this.reason}`
  }
}

export interface BlockTransport {
  /** Bytes `offset` to `offset + length` of a block that is `blockBytes` long, checked end to end. */
  readonly fetch: (
    key: string,
    blockBytes: number,
    offset: number,
    length: number
  ) => Effect.Effect<Uint8Array, BlockError>
  /** Stores a block, durable when it returns. */
  readonly store: (key: string, bytes: Uint8Array) => Effect.Effect<void, BlockError>
}
