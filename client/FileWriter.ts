/**
 * Turns a stream of bytes into slices in the block store: full blocks go out as they fill, several at a time,
 * through bounded memory. It does not touch the file: its pieces are for a `write` command.
 */
import type { ClientService } from "#client/Client.ts"
import { DataError, type PosixError, type TransportError } from "#client/ClientError.ts"
import { keyOf } from "#client/SliceData.ts"
import type { SliceNumbers } from "#client/SliceNumbers.ts"
import { Limits } from "#domain/Limits.ts"
import type { RequestOf } from "#domain/Operations.ts"
import type { BlockError } from "#transport/BlockTransport.ts"
import { shared as pool } from "#transport/BufferPool.ts"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

export type Piece = RequestOf<"write">["pieces"][number]

/** Blocks of one writer on their way at a time; with the one being filled, its memory. */
const BLOCKS_IN_FLIGHT = 4

type WriteError = PosixError | TransportError | DataError

export interface FileWriter {
  /** Takes bytes, which its caller may reuse afterwards; waits while too many blocks are under way. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, WriteError>
  /** A hole of this many bytes. */
  readonly skip: (bytes: number) => Effect.Effect<void, WriteError>
  /** All bytes are durable; these pieces, one behind the other, are the file. */
  readonly finish: Effect.Effect<ReadonlyArray<Piece>, WriteError>
}

export const make = (
  client: ClientService,
  numbers: SliceNumbers,
  zone: number
): Effect.Effect<FileWriter, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const pieces: Array<Piece> = []
    const permits = Effect.unsafeMakeSemaphore(BLOCKS_IN_FLIGHT)
    let uploads: Array<Fiber.Fiber<void, DataError>> = []
    let block: Buffer | undefined
    let filled = 0
    let slice = 0
    let sliceBytes = 0

    /** Sends the block that is being filled on its way. */
    const flush = Effect.gen(function*() {
      if (block === undefined || filled === 0) return
      const index = Math.floor(sliceBytes / Limits.blockBytesMax)
      const key = keyOf(slice, index, filled)
      const bytes = block.subarray(0, filled)
      const slab = block
      sliceBytes += filled
      block = undefined
      filled = 0
      yield* permits.take(1)
      const upload = client.blocks.store(key, bytes).pipe(
        // A block that failed may still be on its way out; its memory is not used again.
        Effect.tap(() => Effect.sync(() => pool.give(slab))),
        Effect.mapError(dataError),
        Effect.ensuring(permits.release(1))
      )
      uploads.push(yield* Effect.forkIn(upload, scope))
    })

    const closeSlice = Effect.gen(function*() {
      yield* flush
      if (sliceBytes === 0) return
      pieces.push({ length: sliceBytes, slice, sliceOffset: 0, sliceBytes })
      slice = 0
      sliceBytes = 0
    })

    const write = (bytes: Uint8Array) =>
      Effect.gen(function*() {
        for (let at = 0; at < bytes.length;) {
          if (slice === 0) slice = yield* numbers.take(zone)
          block ??= pool.take(Limits.blockBytesMax)
          const count = Math.min(bytes.length - at, block.length - filled)
          block.set(bytes.subarray(at, at + count), filled)
          at += count
          filled += count
          if (filled === block.length) yield* flush
          if (sliceBytes === Limits.sliceBytesMax) yield* closeSlice
        }
      })

    return {
      write,
      skip: (bytes) =>
        Effect.gen(function*() {
          if (bytes === 0) return
          yield* closeSlice
          pieces.push({ length: bytes, slice: 0, sliceOffset: 0, sliceBytes: 0 })
        }),
      finish: Effect.gen(function*() {
        yield* closeSlice
        const waiting = uploads
        uploads = []
        yield* Effect.forEach(waiting, Fiber.join, { discard: true })
        return pieces
      })
    }
  })

export const dataError = (error: BlockError): DataError =>
  new DataError({ path: "", reason: error.message, damaged: error.kind === "corrupt" || error.kind === "missing" })
