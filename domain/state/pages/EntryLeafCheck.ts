/**
 * Whether bytes that came from elsewhere (a snapshot, a stored page) are a leaf as `EntryLeaf.ts` tells it: nothing in
 * them is trusted, so it neither throws nor reads past their end. Whether the entries are the right ones is for
 * checksums and the self-check.
 */
import {
  HEADER_BYTES,
  INTERVAL_RECORDS_MAX,
  putFollowing,
  readFollowing,
  readInode,
  RECORDS_MAX,
  ROW_BYTES,
  short
} from "#domain/state/pages/EntryLeaf.ts"
import { DIRECTORY_BYTES, KEY_BYTES_MAX } from "#domain/state/pages/KeyList.ts"
import { SLOT_BYTES_MAX } from "#domain/state/pages/Slab.ts"

/** The last record's key, and the one before it. */
const key = new Uint8Array(KEY_BYTES_MAX + 512)
const INODE_BYTES_MAX = 8
const code = new Uint8Array(INODE_BYTES_MAX)

/** What is wrong with a leaf of exactly these bytes; undefined if nothing is. */
export const validate = (bytes: Uint8Array, at: number, length: number): string | undefined => {
  if (at < 0 || length < 0 || at + length > bytes.length) {
    return `${length} bytes at ${at} of ${bytes.length}: outside`
  }
  const leaf = bytes.subarray(at, at + length)
  return headerReason(leaf) ?? recordsReason(leaf)
}

const headerReason = (leaf: Uint8Array): string | undefined => {
  if (leaf.length < HEADER_BYTES) return `${leaf.length} bytes: a header has ${HEADER_BYTES}`
  if (leaf.length > SLOT_BYTES_MAX) return `${leaf.length} bytes: a page has at most ${SLOT_BYTES_MAX}`
  const [count, intervals] = leaf as unknown as readonly [number, number]
  const prefix = short(leaf, 6)
  const records = HEADER_BYTES + prefix + ROW_BYTES * intervals
  if (short(leaf, 4) !== leaf.length) return `the header says ${short(leaf, 4)} bytes, there are ${leaf.length}`
  if (count === 0 || count > RECORDS_MAX) return `${count} records: a leaf has 1 to ${RECORDS_MAX}`
  if (intervals === 0 || intervals > count) return `${intervals} intervals of ${count} records`
  if (prefix >= KEY_BYTES_MAX) return `a prefix of ${prefix} bytes: a key has at most ${KEY_BYTES_MAX}`
  if (records > leaf.length) return `the records begin at ${records} of ${leaf.length} bytes`
  if (leaf.subarray(HEADER_BYTES + DIRECTORY_BYTES, HEADER_BYTES + prefix).includes(0)) {
    return "a zero byte in the prefix"
  }
  if (!isSafe(leaf, 8)) return "the base is no inode number"
  let sum = 0
  for (let interval = 0; interval < intervals; interval++) {
    const size = leaf[HEADER_BYTES + prefix + ROW_BYTES * interval + 2] as number
    if (size === 0 || size > INTERVAL_RECORDS_MAX) {
      return `interval ${interval} has ${size} records: 1 to ${INTERVAL_RECORDS_MAX} are usual`
    }
    sum += size
  }
  return sum === count ? undefined : `${count} records, but ${sum} in all intervals`
}

const recordsReason = (leaf: Uint8Array): string | undefined => {
  const prefix = short(leaf, 6)
  const rows = HEADER_BYTES + prefix
  const records = rows + ROW_BYTES * (leaf[1] as number)
  const base = readInode(leaf, 8)
  key.set(leaf.subarray(HEADER_BYTES, rows))
  keyLength = 0
  recordEnd = records
  inodeRoom = 0
  for (let row = rows; row < records; row += ROW_BYTES) {
    if (records + short(leaf, row) !== recordEnd) {
      return `interval ${(row - rows) / ROW_BYTES} begins at ${short(leaf, row)}, not at ${recordEnd - records}`
    }
    inode = base
    for (let within = 0; within < (leaf[row + 2] as number); within++) {
      const at = recordEnd
      const reason = recordReason(leaf, prefix, within === 0)
      if (reason !== undefined) return `the record at ${at}: ${reason}`
    }
  }
  if (recordEnd !== leaf.length) return `the records end at ${recordEnd} of ${leaf.length} bytes`
  return leaf.length + inodeRoom <= SLOT_BYTES_MAX ? undefined : `${leaf.length} bytes: no room for longer inodes`
}

/** Where the next record begins, and of the last one the key's length and the inode. */
let recordEnd = 0
let keyLength = 0
let inode = 0
/** Bytes that the inodes would take more, were they as long as can be. */
let inodeRoom = 0

const recordReason = (leaf: Uint8Array, prefix: number, isFirst: boolean): string | undefined => {
  const head = leaf[recordEnd++] ?? 0
  let shared = head >>> 4
  let suffix = head & 15
  if (shared === 15) shared += leaf[recordEnd++] ?? 0
  if (suffix === 15) suffix += leaf[recordEnd++] ?? 0
  const text = recordEnd
  const start = prefix + shared
  const end = start + suffix
  if (text + suffix >= leaf.length) return "it reaches behind the end"
  if (suffix === 0) return "it adds nothing to what it shares"
  if (isFirst && shared > 0) return `it begins an interval, but shares ${shared} bytes`
  if (!isFirst && start > keyLength) return `it shares ${start} bytes of ${keyLength}`
  if (end <= DIRECTORY_BYTES || end > KEY_BYTES_MAX) return `a key of ${end} bytes`
  const reason = keyReason(leaf, text, start, suffix, isFirst)
  if (reason !== undefined) return reason
  recordEnd = text + suffix
  return inodeReason(leaf)
}

/** Puts the suffix into the key, if it makes it the next one. */
const keyReason = (leaf: Uint8Array, text: number, start: number, suffix: number, isFirst: boolean) => {
  let more = 0
  // Only the first of an interval repeats what it could share.
  if (isFirst) { while (more < suffix && start + more < keyLength && leaf[text + more] === key[start + more]) more++ }
  const isBehind = start + more >= keyLength
    ? more < suffix
    : more < suffix && (leaf[text + more] as number) > (key[start + more] as number)
  if (!isBehind) return "it is not behind the one before it, or shares more than it says"
  for (let i = 0; i < suffix; i++) {
    const byte = leaf[text + i] as number
    if (byte === 0 && start + i >= DIRECTORY_BYTES) return "its name has a zero byte"
    key[start + i] = byte
  }
  keyLength = start + suffix
  return (key[0] as number) < 32 ? undefined : "its directory is no inode number"
}

const inodeReason = (leaf: Uint8Array): string | undefined => {
  let end = recordEnd
  if (leaf[end] === 0) end += INODE_BYTES_MAX
  else {
    while (end < leaf.length && (leaf[end] as number) > 127) end++
    end++
  }
  if (end > leaf.length || end - recordEnd > INODE_BYTES_MAX) return "its inode reaches behind the end"
  if (leaf[recordEnd] === 0 && !isSafe(leaf, recordEnd + 1)) return "its inode is no inode number"
  const next = readFollowing(leaf, recordEnd, inode)
  if (!(next > 0 && next <= Number.MAX_SAFE_INTEGER)) return "its inode is no inode number"
  // There is one way to write each.
  if (putFollowing(code, 0, next, inode) !== end - recordEnd) return "its inode is not written the shortest way"
  for (let i = recordEnd; i < end; i++) if (leaf[i] !== code[i - recordEnd]) return "its inode is written another way"
  inode = next
  inodeRoom += INODE_BYTES_MAX - (end - recordEnd)
  recordEnd = end
  return undefined
}

/** Whether 7 bytes are below 2^53. */
const isSafe = (leaf: Uint8Array, at: number): boolean => (leaf[at + 6] as number) < 32
