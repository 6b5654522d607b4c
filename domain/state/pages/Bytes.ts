/**
 * Whole numbers in a page's bytes, little-endian: of fixed width, 0 to 7 bytes, or as varints of 1 to 8.
 * Plain functions over `Uint8Array`, because they run inside every look-up; who calls them knows the bounds.
 */
const TWO_28 = 2 ** 28
const TWO_32 = 2 ** 32
const VARINT_BYTES_MAX = 8

/** Bytes that a number from 0 to 2^53 - 1 needs: none for 0. */
export const widthOf = (value: number): number =>
  value < TWO_32 ? (39 - Math.clz32(value)) >> 3 : value < 2 ** 40 ? 5 : value < 2 ** 48 ? 6 : 7

export const readUint = (bytes: Uint8Array, at: number, width: number): number => {
  switch (width) {
    case 0:
      return 0
    case 1:
      return bytes[at] as number
    case 2:
      return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
    case 3:
      return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)
    case 4:
      return low32(bytes, at)
    default: {
      let high = 0
      for (let i = at + width - 1; i >= at + 4; i--) high = (high << 8) | (bytes[i] as number)
      return high * TWO_32 + low32(bytes, at)
    }
  }
}

export const writeUint = (bytes: Uint8Array, at: number, width: number, value: number): void => {
  const low = value | 0
  if (width > 0) bytes[at] = low
  if (width > 1) bytes[at + 1] = low >>> 8
  if (width > 2) bytes[at + 2] = low >>> 16
  if (width > 3) bytes[at + 3] = low >>> 24
  if (width < 5) return
  let high = Math.floor(value / TWO_32)
  for (let i = 4; i < width; i++) {
    bytes[at + i] = high
    high >>>= 8
  }
}

/** Writes a varint and answers where it ends. */
export const writeVarint = (bytes: Uint8Array, at: number, value: number): number => {
  let rest = value
  let to = at
  // Shifts keep 32 bits only.
  for (; rest >= TWO_28; rest = Math.floor(rest / 128)) bytes[to++] = (rest & 127) | 128
  for (; rest >= 128; rest >>>= 7) bytes[to++] = (rest & 127) | 128
  bytes[to++] = rest
  return to
}

/** Where `readVarint` stopped. */
export let varintEnd = 0

export const readVarint = (bytes: Uint8Array, at: number): number => {
  const first = bytes[at] as number
  varintEnd = at + 1
  if (first < 128) return first
  let value = first & 127
  let scale = 128
  for (let i = at + 1; i < at + VARINT_BYTES_MAX; i++) {
    const byte = bytes[i] as number
    value += (byte & 127) * scale
    scale *= 128
    varintEnd = i + 1
    if (byte < 128) break
  }
  return value
}

const low32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)) >>> 0
