/**
 * What commands print: results on standard output, for people or as JSON lines; everything else on standard error.
 */
import type { Attributes } from "#domain/Attributes.ts"
import { type ByteString, toText } from "#domain/ByteString.ts"
import * as Mode from "#domain/Mode.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as Fs from "node:fs"
import { isatty } from "node:tty"

export const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

export const sayJson = (value: unknown): void => say(JSON.stringify(value))

/** A line on standard error, with the program's name before it, as Unix tools do. */
export const complain = (message: string): void => tell(`cadastre: ${message}\n`)

/** A note on standard error, without the program's name. */
export const note = (message: string): void => tell(`${message}\n`)

/** Nobody reads it; there is nowhere to say so. */
const lost = (): undefined => undefined
process.stderr.on("error", lost)

/**
 * Words that find no room are lost, as when the log of a server fills its disk: the server goes on, and is heard
 * again when there is room. Node's stream to a file would be closed by its first error.
 */
const tell = (words: string): void => {
  if (!intoFile()) {
    process.stderr.write(words)
    return
  }
  try {
    Fs.writeSync(STDERR, words)
  } catch {
    lost()
  }
}

const STDERR = 2
let file: boolean | undefined

const intoFile = (): boolean => {
  if (file === undefined) {
    const stat = Fs.fstatSync(STDERR)
    file = stat.isFile() || (stat.isCharacterDevice() && !isatty(STDERR))
  }
  return file
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]

/** A number of bytes for people, such as `1.5 MiB`. */
export const bytes = (count: number): string => {
  let value = count
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(value < 10 ? 2 : 1)} ${UNITS[unit]}`
}

export const plural = (count: number, word: string): string => {
  const many = /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : `${word}s`
  return `${count.toLocaleString("en")} ${count === 1 ? word : many}`
}

/** Bytes of a name as text; what is no UTF-8 is shown by the replacement character. */
export const text = (value: ByteString): string => toText(value)

/** Attributes with the names and units that `--json` promises. */
export const attributesJson = (attributes: Attributes): { readonly [name: string]: unknown } => ({
  inode: attributes.inode,
  type: Mode.kindOf(attributes.mode),
  mode: (attributes.mode & Mode.PERMISSIONS).toString(8).padStart(4, "0"),
  uid: attributes.uid,
  gid: attributes.gid,
  links: attributes.nlink,
  size: attributes.size,
  dataBytes: attributes.dataBytes,
  ...(Mode.isDevice(attributes.mode) ? { device: attributes.rdev } : {}),
  atime: Timestamp.format(attributes.atime),
  mtime: Timestamp.format(attributes.mtime),
  ctime: Timestamp.format(attributes.ctime)
})
