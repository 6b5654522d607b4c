/**
 * Slices and their blocks: how a slice is cut, what its blocks are called, and where a range of it lies. Pure.
 */
import type { Extent } from "#domain/Extents.ts"
import { Limits } from "#domain/Limits.ts"

const SPREAD = 256

/** Block names spread over 256 prefixes, so that no store sees one hot range of keys. */
export const keyOf = (slice: number, index: number, bytes: number): string =>
  `blocks/${(slice % SPREAD).toString(16).padStart(2, "0")}/${slice}_${index}_${bytes}`

/** A part of one block. */
export interface BlockRange {
  readonly key: string
  readonly blockBytes: number
  readonly offset: number
  readonly length: number
}

/** The parts of blocks that hold an extent's bytes, in order. */
export const rangesOf = (
  extent: Pick<Extent, "slice" | "sliceBytes" | "sliceOffset" | "length">
): ReadonlyArray<BlockRange> => {
  const { blockBytesMax } = Limits
  const ranges: Array<BlockRange> = []
  const end = extent.sliceOffset + extent.length
  for (let at = extent.sliceOffset; at < end;) {
    const index = Math.floor(at / blockBytesMax)
    const blockBytes = Math.min(blockBytesMax, extent.sliceBytes - index * blockBytesMax)
    const offset = at - index * blockBytesMax
    const length = Math.min(end - at, blockBytes - offset)
    ranges.push({ key: keyOf(extent.slice, index, blockBytes), blockBytes, offset, length })
    at += length
  }
  return ranges
}
