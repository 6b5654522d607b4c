/**
 * Where a file's bytes are: runs that do not overlap, ordered by offset, each a part of a slice.
 * What no run covers is a hole and reads as zeros. It does not know the file's size.
 */
import type { Codec } from "#domain/codec/Codec.ts"
import { Limits } from "#domain/Limits.ts"

export interface Extent {
  /** First byte in the file. */
  readonly offset: number
  /** Bytes, at least 1. */
  readonly length: number
  /** Number of the slice that holds the bytes. */
  readonly slice: number
  /** First byte in the slice. */
  readonly sliceOffset: number
  /** Bytes of the whole slice, which names its blocks. */
  readonly sliceBytes: number
}

export type Extents = ReadonlyArray<Extent>

export const empty: Extents = []

export const codec: Codec<Extent> = {
  write: (w, extent) => {
    w.varint(extent.offset)
    w.varint(extent.length)
    w.u56(extent.slice)
    w.varint(extent.sliceOffset)
    w.varint(extent.sliceBytes)
  },
  read: (r) => {
    const offset = r.varint()
    const length = r.varint()
    const slice = r.u56()
    const sliceOffset = r.varint()
    return { offset, length, slice, sliceOffset, sliceBytes: r.varint() }
  }
}

export const end = (extent: Extent): number => extent.offset + extent.length

/** Whether an extent lies within its slice and within the largest file. */
export const isValid = (extent: Extent): boolean =>
  extent.length >= 1 && extent.slice >= 1 && extent.sliceBytes <= Limits.sliceBytesMax &&
  extent.sliceOffset + extent.length <= extent.sliceBytes && end(extent) <= Limits.fileBytesMax

/**
 * The file with the range replaced by `inserted`, which lies within the range, ordered, without overlap;
 * the rest of the range becomes a hole.
 */
export const replace = (extents: Extents, offset: number, length: number, inserted: Extents): Extents => {
  const limit = offset + length
  const first = firstEndingAfter(extents, offset)
  const last = firstStartingFrom(extents, limit)
  const middle: Array<Extent> = []
  const before = extents[first]
  if (before !== undefined && before.offset < offset) middle.push(part(before, before.offset, offset))
  middle.push(...inserted)
  const after = extents[last - 1]
  if (last > first && after !== undefined && end(after) > limit) middle.push(part(after, limit, end(after)))
  return joined(extents.slice(0, first), middle, extents.slice(last))
}

/** The parts of the extents within a range, cut to it. */
export const within = (extents: Extents, offset: number, length: number): Extents => {
  if (length <= 0) return empty
  const limit = offset + length
  const out: Array<Extent> = []
  for (let i = firstEndingAfter(extents, offset); i < extents.length; i++) {
    const extent = extents[i] as Extent
    if (extent.offset >= limit) break
    out.push(part(extent, Math.max(offset, extent.offset), Math.min(limit, end(extent))))
  }
  return out
}

/** The same runs, moved along the file by `distance` bytes. */
export const shifted = (extents: Extents, distance: number): Extents =>
  extents.map((extent) => ({ ...extent, offset: extent.offset + distance }))

/** First byte with data at or after `offset`; undefined when only a hole follows. */
export const nextData = (extents: Extents, offset: number): number | undefined => {
  const extent = extents[firstEndingAfter(extents, offset)]
  return extent === undefined ? undefined : Math.max(offset, extent.offset)
}

/** First byte of a hole at or after `offset`. */
export const nextHole = (extents: Extents, offset: number): number => {
  let at = offset
  for (let i = firstEndingAfter(extents, offset); i < extents.length; i++) {
    const extent = extents[i] as Extent
    if (extent.offset > at) break
    at = end(extent)
  }
  return at
}

/** Bytes that the runs hold, holes left out. */
export const dataBytes = (extents: Extents): number => {
  let sum = 0
  for (const extent of extents) sum += extent.length
  return sum
}

/** The difference first: at the largest offsets a sum with one is no safe integer any more. */
const part = (extent: Extent, from: number, to: number): Extent =>
  from === extent.offset && to === end(extent)
    ? extent
    : { ...extent, offset: from, length: to - from, sliceOffset: extent.sliceOffset + (from - extent.offset) }

/** Neighbours that continue each other in the file and in their slice become one. */
const joined = (...parts: ReadonlyArray<Extents>): Extents => {
  const out: Array<Extent> = []
  for (const list of parts) {
    for (const extent of list) {
      const last = out[out.length - 1]
      if (
        last !== undefined && last.slice === extent.slice && last.sliceBytes === extent.sliceBytes &&
        end(last) === extent.offset && last.sliceOffset + last.length === extent.sliceOffset
      ) out[out.length - 1] = { ...last, length: last.length + extent.length }
      else out.push(extent)
    }
  }
  return out
}

const search = (extents: Extents, holds: (extent: Extent) => boolean): number => {
  let low = 0
  let high = extents.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(extents[middle] as Extent)) high = middle
    else low = middle + 1
  }
  return low
}

const firstEndingAfter = (extents: Extents, offset: number): number => search(extents, (extent) => end(extent) > offset)
const firstStartingFrom = (extents: Extents, offset: number): number =>
  search(extents, (extent) => extent.offset >= offset)
