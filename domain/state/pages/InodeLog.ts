/**
 * Changes that wait behind a packed page, 16 bytes each: a slot, a group of columns that change together, and their
 * values. A slot has at most one entry of a group, so the last word is the only one.
 *
 *     slot, group, values: each column at its own place, seconds moved up so that none is negative
 */
import { readUint, writeUint } from "#domain/state/pages/Bytes.ts"
import { Column, COLUMNS, isSeconds } from "#domain/state/pages/InodeColumns.ts"

export const ENTRY_BYTES = 16
/** Entries of one page; the next change folds them in. */
export const ENTRIES_MAX = 16

/** The group that says: the inode is gone. It has no columns. */
export const REMOVED = 8

const SECONDS_BIAS = 2 ** 50
/** The first column of each group; the next group's first ends it. */
const FIRST = Uint8Array.of(
  Column.mode,
  Column.nlink,
  Column.size,
  Column.rdev,
  Column.parent,
  Column.mtime,
  Column.ctime,
  Column.atime,
  COLUMNS,
  COLUMNS
)
const GROUP = Uint8Array.of(0, 0, 0, 1, 1, 2, 3, 4, 5, 5, 6, 6, 7, 7)
const PLACE = Uint8Array.of(2, 4, 8, 2, 6, 2, 2, 2, 2, 9, 2, 9, 2, 9)
const WIDTH = Uint8Array.of(2, 4, 4, 4, 4, 7, 7, 7, 7, 4, 7, 4, 7, 4)

export const groupOf = (column: number): number => GROUP[column] as number
export const firstColumn = (group: number): number => FIRST[group] as number
export const endColumn = (group: number): number => FIRST[group + 1] as number

/** Where the entry of a slot and group is among `count` that start at `log`; 0 when there is none. */
export const find = (bytes: Uint8Array, log: number, count: number, slot: number, group: number): number => {
  const end = log + count * ENTRY_BYTES
  for (let entry = log; entry < end; entry += ENTRY_BYTES) {
    if (bytes[entry] === slot && bytes[entry + 1] === group) return entry
  }
  return 0
}

export const get = (bytes: Uint8Array, entry: number, column: number): number => {
  const value = readUint(bytes, entry + (PLACE[column] as number), WIDTH[column] as number)
  return isSeconds(column) ? value - SECONDS_BIAS : value
}

export const set = (bytes: Uint8Array, entry: number, column: number, value: number): void => {
  const kept = isSeconds(column) ? value + SECONDS_BIAS : value
  writeUint(bytes, entry + (PLACE[column] as number), WIDTH[column] as number, kept)
}
