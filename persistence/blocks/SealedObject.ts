/**
 * The stored form of an object: its data from offset 0, then a trailer that proves it. Pure functions over bytes.
 * It does no I/O and does not know where an object lies; every store seals with it and opens with it.
 *
 *     data                                                    offset 0
 *     CRC32C of each 32 KiB of data, the last piece short     u32 each
 *     bytes of data                                           u64   \
 *     "CDS" and the version, 1                                4 bytes > footer
 *     CRC32C of the trailer up to here                        u32   /
 *
 * Numbers are little-endian. An empty object has no pieces: its stored form is the footer.
 */
import { Limits } from "#domain/Limits.ts"
import { crc32c } from "@node-rs/crc32"
import * as Either from "effect/Either"

const pieceBytes = Limits.checksumPieceBytes
const checksumBytes = 4
const footerBytes = 16
/** "CDS" and 1, read as a little-endian u32. */
const magic = 0x01_53_44_43
const noFooter = "its trailer does not end in a footer of this version: it was cut short, or something else wrote it"

/** The trailer of these bytes. Stored form = bytes, then trailer; callers write both without joining them. */
export const seal = (bytes: Uint8Array): Uint8Array => withChecksums(bytes.length, checksums(bytes))

/** The CRC32C of each 32 KiB piece, in order. */
export const checksums = (bytes: Uint8Array): Uint32Array => {
  const sums = new Uint32Array(pieceCount(bytes.length))
  for (let piece = 0; piece < sums.length; piece++) sums[piece] = crc32c(pieceOf(bytes, piece))
  return sums
}

/** The trailer of data whose checksums are known already. */
export const withChecksums = (objectBytes: number, sums: Uint32Array): Uint8Array => {
  const trailer = new Uint8Array(trailerBytes(objectBytes))
  const view = viewOf(trailer)
  const footer = trailer.length - footerBytes
  for (const [piece, sum] of sums.entries()) view.setUint32(piece * checksumBytes, sum, true)
  view.setBigUint64(footer, BigInt(objectBytes), true)
  view.setUint32(footer + 8, magic, true)
  view.setUint32(footer + 12, crc32c(trailer.subarray(0, footer + 12)), true)
  return trailer
}

/** The checksums that a trailer holds, for who passes them on instead of computing them again. Verify it first. */
export const storedChecksums = (trailer: Uint8Array): Uint32Array => {
  const view = viewOf(trailer)
  return Uint32Array.from(
    { length: (trailer.length - footerBytes) / checksumBytes },
    (_, piece) => view.getUint32(piece * checksumBytes, true)
  )
}

export const pieceCount = (objectBytes: number): number => Math.ceil(objectBytes / pieceBytes)

export const trailerBytes = (objectBytes: number): number => pieceCount(objectBytes) * checksumBytes + footerBytes

/** Bytes of the stored form of an object. */
export const sealedBytes = (objectBytes: number): number => objectBytes + trailerBytes(objectBytes)

/** Bytes of the object whose stored form has this size: exact for a whole one, a floor for one that was cut. */
export const objectBytesOf = (storedBytes: number): number => {
  const body = Math.max(0, storedBytes - footerBytes)
  const whole = Math.floor(body / (pieceBytes + checksumBytes))
  const rest = body - whole * (pieceBytes + checksumBytes)
  return whole * pieceBytes + Math.max(0, rest - checksumBytes)
}

/** The data of a stored form, a view on it, or why it is not what was sealed. */
export const open = (stored: Uint8Array): Either.Either<Uint8Array, string> => {
  const objectBytes = objectBytesOf(stored.length)
  if (sealedBytes(objectBytes) !== stored.length) {
    return Either.left(`${stored.length} bytes are stored, which is the size of no object: it was cut short`)
  }
  const data = stored.subarray(0, objectBytes)
  const trailer = stored.subarray(objectBytes)
  const fault = trailerFault(trailer, objectBytes) ?? piecesFault(data, cover(objectBytes, 0, objectBytes), trailer)
  return fault === undefined ? Either.right(data) : Either.left(fault)
}

/** The run of whole pieces around a range of the data: what must be read to verify the range. */
export interface Cover {
  readonly firstPiece: number
  /** First byte of the first piece. */
  readonly start: number
  /** One past the last byte of the last piece. */
  readonly end: number
}

/** Throws a RangeError if the range is not within the object. */
export const cover = (objectBytes: number, offset: number, length: number): Cover => {
  const isWithin = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0 &&
    offset + length <= objectBytes
  if (!isWithin) throw new RangeError(`${length} bytes from ${offset} are not within an object of ${objectBytes} bytes`)
  const firstPiece = Math.floor(offset / pieceBytes)
  const start = firstPiece * pieceBytes
  const end = length === 0 ? start : Math.min(objectBytes, Math.ceil((offset + length) / pieceBytes) * pieceBytes)
  return { firstPiece, start, end }
}

/** Why a stored form of this size cannot be that of such an object, if it cannot. */
export const sizeFault = (storedBytes: number, objectBytes: number): string | undefined =>
  storedBytes === sealedBytes(objectBytes)
    ? undefined
    : `${storedBytes} bytes are stored, but ${objectBytes} bytes of data and their trailer are ` +
      `${sealedBytes(objectBytes)}`

/** Why a trailer is not that of an object of this size, if it is not. */
export const trailerFault = (trailer: Uint8Array, objectBytes: number): string | undefined => {
  if (trailer.length !== trailerBytes(objectBytes)) {
    return `its trailer has ${trailer.length} bytes instead of ${trailerBytes(objectBytes)}`
  }
  const view = viewOf(trailer)
  const footer = trailer.length - footerBytes
  if (view.getUint32(footer + 8, true) !== magic) return noFooter
  const found = crc32c(trailer.subarray(0, footer + 12))
  const stored = view.getUint32(footer + 12, true)
  if (found !== stored) return `its trailer has CRC32C ${hex(found)}, but ${hex(stored)} was stored`
  const bytes = view.getBigUint64(footer, true)
  return bytes === BigInt(objectBytes) ? undefined : `its trailer is that of ${bytes} bytes, not of ${objectBytes}`
}

/** What is wrong with the pieces that a cover names, if something is. The trailer is verified already. */
export const piecesFault = (
  pieces: Uint8Array,
  { firstPiece, start, end }: Cover,
  trailer: Uint8Array
): string | undefined => {
  if (pieces.length !== end - start) return `only ${pieces.length} of the bytes ${start} to ${end - 1} could be read`
  const view = viewOf(trailer)
  for (let index = 0; index < pieceCount(pieces.length); index++) {
    const piece = firstPiece + index
    const found = crc32c(pieceOf(pieces, index))
    const stored = view.getUint32(piece * checksumBytes, true)
    if (found === stored) continue
    const last = Math.min(end, (piece + 1) * pieceBytes) - 1
    return `piece ${piece} (bytes ${piece * pieceBytes} to ${last}) has CRC32C ${hex(found)}, ` +
      `but ${hex(stored)} was stored`
  }
  return undefined
}

const pieceOf = (bytes: Uint8Array, piece: number): Uint8Array =>
  bytes.subarray(piece * pieceBytes, (piece + 1) * pieceBytes)

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const hex = (sum: number): string => sum.toString(16).padStart(8, "0")
