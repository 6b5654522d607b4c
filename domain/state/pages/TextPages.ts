/**
 * Bytes under a name that some inodes of one zone have: extended attributes, and the targets of symbolic links under
 * the empty name. Ordered by inode and name, long values in several pieces, a record each.
 *
 *     head, then what it announces:
 *     bits 0-1  the same inode as in the record before; the one after it; a later one (distance follows, a varint)
 *     4         the same name; else its length (one byte) and its bytes follow
 *     8         the same value; else its length (a varint) and its bytes follow
 *     16        the number of the piece follows (a varint); else it is 0
 */
import type { ByteString } from "#domain/ByteString.ts"
import type { InodeNumber } from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import { readVarint, varintEnd, writeVarint } from "#domain/state/pages/Bytes.ts"
import { PageKind } from "#domain/state/pages/Pages.ts"
import { countOf, HEADER_BYTES, packed, RecordPages, validateHeader } from "#domain/state/pages/RecordPages.ts"

export const TEXTS = 0x22

/** Bytes of a value that one record holds. */
const PIECE_BYTES = 8 * 1024

const SAME_INODE = 0
const NEXT_INODE = 1
const LATER_INODE = 2
const SAME_NAME = 4
const SAME_VALUE = 8
const PIECE = 16
const HEAD_MAX = 31

interface Text {
  readonly inode: InodeNumber
  readonly name: ByteString
  readonly piece: number
  readonly value: ByteString
}

const nothing: Text = { inode: 0, name: "", piece: 0, value: "" }

/** Reads records one after the other, without making strings of them. */
class Cursor {
  inode = 0
  piece = 0
  nameAt = 0
  nameBytes = 0
  valueAt = 0
  valueBytes = 0
  /** Before the first record of the page at `at`. Answers where that starts. */
  start(at: number): number {
    this.inode = 0
    this.nameBytes = 0
    this.valueBytes = 0
    return at + HEADER_BYTES
  }

  read(bytes: Uint8Array, at: number): number {
    const head = bytes[at] as number
    let end = at + 1
    this.piece = 0
    if ((head & 3) === NEXT_INODE) this.inode++
    else if ((head & 3) === LATER_INODE) {
      this.inode += readVarint(bytes, end)
      end = varintEnd
    }
    if ((head & SAME_NAME) === 0) {
      this.nameBytes = bytes[end] as number
      this.nameAt = end + 1
      end = this.nameAt + this.nameBytes
    }
    if ((head & PIECE) !== 0) {
      this.piece = readVarint(bytes, end)
      end = varintEnd
    }
    if ((head & SAME_VALUE) === 0) {
      this.valueBytes = readVarint(bytes, end)
      this.valueAt = varintEnd
      end = this.valueAt + this.valueBytes
    }
    return end
  }

  name(bytes: Uint8Array): ByteString {
    return slice(bytes, this.nameAt, this.nameBytes)
  }

  value(bytes: Uint8Array): ByteString {
    return slice(bytes, this.valueAt, this.valueBytes)
  }

  isNamed(bytes: Uint8Array, name: ByteString): boolean {
    if (this.nameBytes !== name.length) return false
    for (let i = 0; i < name.length; i++) if (bytes[this.nameAt + i] !== name.charCodeAt(i)) return false
    return true
  }
}

export class TextPages extends RecordPages {
  protected readonly format = TEXTS
  protected readonly kind = PageKind.texts
  // They are longer than extents, and a change unpacks them all.
  protected readonly recordsMax = 64
  protected records = 0
  private batch: Array<Text> = []
  private readonly cursor = new Cursor()
  /** The last record of `tail`. */
  private last = nothing
  private readonly run = { end: 0, length: 0 }
  /** What `rewrite` replaces: texts of an inode, all or those of one name; and what comes instead. */
  private inode = 0
  private name: ByteString | undefined
  private added: ReadonlyArray<Text> = []

  get(inode: InodeNumber, name: ByteString): ByteString | undefined {
    let found: ByteString | undefined
    this.visit(inode, (cursor, bytes) => {
      if (cursor.isNamed(bytes, name)) found = (found ?? "") + cursor.value(bytes)
      else return found === undefined
      return true
    })
    return found
  }

  /** All but the one with the empty name. */
  named(inode: InodeNumber): Map<ByteString, ByteString> | undefined {
    let all: Map<ByteString, ByteString> | undefined
    this.visit(inode, (cursor, bytes) => {
      if (cursor.nameBytes === 0) return true
      const name = cursor.name(bytes)
      all ??= new Map()
      all.set(name, (all.get(name) ?? "") + cursor.value(bytes))
      return true
    })
    return all
  }

  set(inode: InodeNumber, name: ByteString, value: ByteString | undefined): void {
    if (name.length > Limits.xattrNameBytesMax) throw new RangeError(`a name of ${name.length} bytes`)
    if ((value?.length ?? 0) > Limits.xattrValueBytesMax) throw new RangeError(`a value of ${value?.length} bytes`)
    if (value !== undefined && value.length <= PIECE_BYTES && this.append({ inode, name, piece: 0, value })) return
    if (value === this.get(inode, name)) return
    const texts: Array<Text> = []
    if (value !== undefined) {
      for (let at = 0; at === 0 || at < value.length; at += PIECE_BYTES) {
        texts.push({ inode, name, piece: texts.length, value: value.slice(at, at + PIECE_BYTES) })
      }
    }
    this.replace(inode, name, texts)
  }

  /** Removes all that an inode has. */
  drop(inode: InodeNumber): void {
    let some = false
    this.visit(inode, () => {
      some = true
      return false
    })
    if (some) this.replace(inode, undefined, [])
  }

  private replace(inode: InodeNumber, name: ByteString | undefined, added: ReadonlyArray<Text>): void {
    this.inode = inode
    this.name = name
    this.added = added
    this.rewrite(inode)
    this.added = []
  }

  /** Visits an inode's records, each valid until the next, while `visit` answers true. */
  private visit(inode: InodeNumber, visit: (cursor: Cursor, bytes: Uint8Array) => boolean): void {
    const { cursor, order, pages } = this
    if (!order.seek(inode)) return
    do {
      pages.locate(order.page)
      const { at, bytes } = pages
      let end = cursor.start(at)
      for (let i = countOf(bytes, at); i > 0; i--) {
        end = cursor.read(bytes, end)
        if (cursor.inode < inode) continue
        if (cursor.inode > inode || !visit(cursor, bytes)) return
      }
    } while (order.nextKey() <= inode && order.next())
  }

  /** Writes a text behind all others, if it comes after them. */
  private append(text: Text): boolean {
    if (!this.findTail() || compareKeys(text.inode, text.name, this.last) <= 0) return false
    const at = this.roomAtEnd(text.inode, bytesAtMost(text))
    const end = write(text, this.last, 0)
    this.pages.bytes.set(packed.subarray(0, end), at)
    this.wroteAtEnd(at + end)
    this.last = text
    return true
  }

  protected startPage(): void {
    this.last = nothing
  }

  protected readTail(bytes: Uint8Array, at: number): void {
    const { cursor } = this
    for (let i = countOf(bytes, at), end = cursor.start(at); i > 0; i--) end = cursor.read(bytes, end)
    this.last = textOf(cursor, bytes)
  }

  protected clear(): void {
    this.records = 0
    this.batch = []
  }

  protected load(bytes: Uint8Array, at: number): void {
    const { cursor } = this
    for (let i = countOf(bytes, at), end = cursor.start(at); i > 0; i--) {
      end = cursor.read(bytes, end)
      this.batch.push(textOf(cursor, bytes))
    }
    this.records = this.batch.length
  }

  protected inodeAt(index: number): number {
    return (this.batch[index] as Text).inode
  }

  protected compare(index: number): number {
    return this.compareTo(this.batch[index] as Text)
  }

  protected compareFirst(bytes: Uint8Array, at: number): number {
    return this.compareTo(firstOf(bytes, at))
  }

  private compareTo(text: Text): number {
    return -compareKeys(this.inode, this.name ?? text.name, text)
  }

  protected splice(from: number, to: number): void {
    this.batch.splice(from, to - from, ...this.added)
    this.records = this.batch.length
  }

  protected encode(from: number, recordsMax: number, bytesMax: number): { end: number; length: number } {
    const { batch, records, run } = this
    let length = HEADER_BYTES
    let index = from
    let last = nothing
    for (const limit = Math.min(records, from + recordsMax); index < limit; index++) {
      const text = batch[index] as Text
      if (index > from && length + bytesAtMost(text) > bytesMax) break
      length = write(text, last, length)
      last = text
    }
    run.end = index
    run.length = length
    return run
  }
}

const compareKeys = (inode: InodeNumber, name: ByteString, text: Text): number => {
  if (inode !== text.inode) return inode < text.inode ? -1 : 1
  return name === text.name ? 0 : name < text.name ? -1 : 1
}

const bytesAtMost = ({ name, value }: Text): number => 1 + 8 + 1 + name.length + 2 + 3 + value.length

/** Writes a record to `packed`, as the one after `last`, and answers where it ends. */
const write = (text: Text, last: Text, at: number): number => {
  const { inode, name, piece, value } = text
  let head = inode === last.inode ? SAME_INODE : inode === last.inode + 1 ? NEXT_INODE : LATER_INODE
  let end = at + 1
  if (head === LATER_INODE) end = writeVarint(packed, end, inode - last.inode)
  if (name === last.name) head |= SAME_NAME
  else {
    packed[end] = name.length
    end += 1 + packed.latin1Write(name, end + 1)
  }
  if (piece > 0) {
    head |= PIECE
    end = writeVarint(packed, end, piece)
  }
  if (value === last.value) head |= SAME_VALUE
  else {
    end = writeVarint(packed, end, value.length)
    end += packed.latin1Write(value, end)
  }
  packed[at] = head
  return end
}

const textOf = (cursor: Cursor, bytes: Uint8Array): Text => ({
  inode: cursor.inode,
  name: cursor.name(bytes),
  piece: cursor.piece,
  value: cursor.value(bytes)
})

// A view would cost more than a short string does.
const slice = (bytes: Uint8Array, at: number, length: number): ByteString =>
  Buffer.prototype.latin1Slice.call(bytes as Buffer, at, at + length)

/** A page's first record. */
export const firstOf = (bytes: Uint8Array, at: number): Text => {
  const cursor = new Cursor()
  cursor.read(bytes, cursor.start(at))
  return textOf(cursor, bytes)
}

/** Why these bytes are no such page; undefined when they are one, to the last bit. */
export const validate = (bytes: Uint8Array, at: number, length: number): string | undefined => {
  const reason = validateHeader(bytes, at, length)
  if (reason !== undefined) return reason
  const cursor = new Cursor()
  let last = nothing
  let end = cursor.start(at)
  for (let i = 0; i < countOf(bytes, at); i++) {
    const start = end
    end = cursor.read(bytes, end)
    if (!(end <= at + length) || (bytes[start] as number) > HEAD_MAX) return `record ${i} is cut off`
    const text = textOf(cursor, bytes)
    const malformed = validateText(text, last, i === 0)
    if (malformed !== undefined) return `record ${i} ${malformed}`
    const written = write(text, last, 0)
    if (packed.compare(bytes, start, end, 0, written) !== 0) return `record ${i} is not as it would be written`
    last = text
  }
  return end === at + length ? undefined : "goes on after its records"
}

const validateText = ({ inode, name, piece, value }: Text, last: Text, first: boolean): string | undefined => {
  if (!(inode >= 1 && inode <= Number.MAX_SAFE_INTEGER)) return `is of inode ${inode}`
  if (value.length > PIECE_BYTES) return `has ${value.length} bytes`
  if (piece >= Limits.xattrValueBytesMax / PIECE_BYTES) return `is piece ${piece}`
  if (first) return undefined
  const order = compareKeys(inode, name, last)
  if (piece > 0 ? order !== 0 || piece !== last.piece + 1 : order <= 0) return "does not follow the one before it"
  return piece > 0 && last.value.length !== PIECE_BYTES ? "follows a piece that is too short" : undefined
}
