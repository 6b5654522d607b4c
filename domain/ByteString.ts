/**
 * Bytes as a JavaScript string, one character (0-255) a byte: names, link targets, attribute values.
 * It is not text: Linux names are bytes, and only the edge knows an encoding.
 *
 * V8 keeps such a string in one byte a character, compares it as the bytes compare, and copies it
 * with `latin1Write`, the fastest way between a string and a buffer that Node has.
 */
export type ByteString = string

declare global {
  // Node has these since version 0.x; its type declarations leave them out.
  interface Buffer {
    latin1Slice(start?: number, end?: number): string
    latin1Write(value: string, offset?: number): number
    utf8Slice(start?: number, end?: number): string
  }
}

/** The bytes of a text in UTF-8. */
export const fromText = (text: string): ByteString => Buffer.from(text, "utf8").latin1Slice()

/** The text that the bytes spell in UTF-8; malformed sequences become U+FFFD. */
export const toText = (bytes: ByteString): string => Buffer.from(bytes, "latin1").utf8Slice()

export const fromBytes = (bytes: Uint8Array): ByteString =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).latin1Slice()

export const toBytes = (bytes: ByteString): Uint8Array => Buffer.from(bytes, "latin1")
