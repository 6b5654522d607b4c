/**
 * Files are written and read in pieces, with bytes that tell their slice, so that a reader knows whether each byte
 * is the one that was written. Blocks go through the block transport, as those of real clients.
 */
import { keyOf, rangesOf } from "#client/SliceData.ts"
import type { Extent } from "#domain/Extents.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { unset } from "#domain/testing/Steps.ts"
import type { Hands, Workload } from "#simulations/workloads/Hands.ts"
import { create } from "#simulations/workloads/Namespace.ts"
import * as Effect from "effect/Effect"

const FILE_BYTES_MAX = 64 * 1024
const WRITE_BYTES_MAX = 8 * 1024

export const data: Workload = (hands) => {
  const { dice, known } = hands
  if (known.files.length === 0) return create(hands, dice.of(known.directories), `f${dice.below(8)}`, false)
  const inode = dice.of(known.files)
  switch (dice.below(8)) {
    case 0:
      return Effect.asVoid(hands.call("setAttributes", { ...sizeOf(dice.below(FILE_BYTES_MAX)), inode }))
    case 1:
      return copy(hands, inode)
    case 2:
    case 3:
    case 4:
      return write(hands, inode)
    default:
      return read(hands, inode)
  }
}

export const sizeOf = (size: number) => ({ ...unset, size })

const write = (hands: Hands, inode: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { call, dice } = hands
    const piece = yield* stored(hands, inode, 1 + dice.below(WRITE_BYTES_MAX))
    yield* call("write", {
      inode,
      handle: 0,
      offset: dice.below(FILE_BYTES_MAX - WRITE_BYTES_MAX),
      append: dice.chance(20),
      pieces: [piece]
    })
  }).pipe(Effect.ignore)

/** The end of a slice that nobody had before, once its block is stored. */
export const stored = ({ client, complain, dice, known, numbers }: Hands, inode: number, sliceBytes: number) =>
  Effect.gen(function*() {
    const slice = yield* numbers.take(InodeNumber.zoneOf(inode))
    if (!known.takes(slice)) complain(`slice ${slice} was given twice`)
    yield* client.blocks.store(keyOf(slice, 0, sliceBytes), contentOf(slice, sliceBytes))
    const sliceOffset = dice.below(sliceBytes)
    return { length: sliceBytes - sliceOffset, slice, sliceOffset, sliceBytes }
  })

const copy = ({ call, dice, known }: Hands, source: number): Effect.Effect<void> =>
  Effect.asVoid(call("copyRange", {
    source,
    sourceHandle: 0,
    sourceOffset: dice.below(FILE_BYTES_MAX / 2),
    target: dice.of(known.files),
    targetHandle: 0,
    targetOffset: dice.below(FILE_BYTES_MAX / 2),
    length: dice.below(WRITE_BYTES_MAX)
  }))

const read = (hands: Hands, inode: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const reply = yield* hands.call("readExtents", { inode, handle: 0, offset: 0, length: 2 * FILE_BYTES_MAX })
    for (const extent of reply?.extents ?? []) yield* verify(hands, extent)
  })

/** Fetches an extent's bytes and complains unless they are what was written. */
export const verify = ({ client, complain }: Hands, extent: Extent): Effect.Effect<void> =>
  Effect.gen(function*() {
    const content = contentOf(extent.slice, extent.sliceBytes)
    let at = extent.sliceOffset
    for (const { blockBytes, key, length, offset } of rangesOf(extent)) {
      // Once more, and again: bytes may turn on their way, those in the store must not.
      const bytes = yield* Effect.retry(client.blocks.fetch(key, blockBytes, offset, length), {
        times: 20,
        while: ({ kind }) => kind === "corrupt"
      })
      if (Buffer.compare(bytes, content.subarray(at, at + length)) !== 0) complain(`${key}: other bytes than written`)
      at += length
    }
  }).pipe(Effect.catchAll(({ kind, message }) =>
    Effect.sync(() => {
      // The block was durable before the file pointed to it.
      if (kind === "missing" || kind === "corrupt") complain(message)
    })
  ))

/** The bytes of a slice, which its number tells. */
const contentOf = (slice: number, bytes: number): Uint8Array => {
  const content = new Uint8Array(bytes)
  let value = (slice ^ (slice / 0x1_0000_0000)) >>> 0
  for (let at = 0; at < bytes; at++) {
    value = (Math.imul(value, 0x0019_660d) + 0x3c6e_f35f) >>> 0
    content[at] = value >>> 24
  }
  return content
}
