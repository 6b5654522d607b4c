/**
 * The columns of the inode table: what they are called, which values each may have, and which change together.
 * How they lie in a page is `InodePage`'s affair.
 */
const SECONDS_MAX = 2 ** 50
const U32_MAX = 2 ** 32 - 1
const SAFE_MAX = Number.MAX_SAFE_INTEGER

/** A column's number. Times have two: seconds, and next to them nanoseconds. */
export const Column = {
  mode: 0,
  uid: 1,
  gid: 2,
  nlink: 3,
  opens: 4,
  size: 5,
  rdev: 6,
  parent: 7,
  mtime: 8,
  mtimeNanos: 9,
  ctime: 10,
  ctimeNanos: 11,
  atime: 12,
  atimeNanos: 13
} as const

export const COLUMNS = 14

/** The largest value of each column. Seconds reach as far below zero; all else starts at zero. */
const LARGEST = Float64Array.of(
  0xffff,
  U32_MAX,
  U32_MAX,
  2 ** 31 - 1,
  U32_MAX,
  SAFE_MAX,
  SAFE_MAX,
  SAFE_MAX,
  SECONDS_MAX,
  999_999_999,
  SECONDS_MAX,
  999_999_999,
  SECONDS_MAX,
  999_999_999
)
export const isSeconds = (column: number): boolean => column >= Column.mtime && (column & 1) === 0

/** Whether a column may have that value. */
export const holds = (column: number, value: number): boolean =>
  value <= (LARGEST[column] as number) && value >= (isSeconds(column) ? -SECONDS_MAX : 0) &&
  (value === (value | 0) || Number.isInteger(value))

/** Scratch of `isValid`. */
const checked = new Float64Array(COLUMNS)

/** All columns of one inode: what `read` fills and `add` takes. */
export class InodeRow {
  mode = 0
  uid = 0
  gid = 0
  nlink = 0
  opens = 0
  size = 0
  rdev = 0
  /** The directory that holds a directory; 0 for the rest. */
  parent = 0
  mtime = 0
  mtimeNanos = 0
  ctime = 0
  ctimeNanos = 0
  atime = 0
  atimeNanos = 0

  /** Whether each column may have the value that it has here. */
  get isValid(): boolean {
    this.store(checked)
    for (let column = 0; column < COLUMNS; column++) if (!holds(column, checked[column] as number)) return false
    return true
  }

  load(cells: Float64Array): void {
    this.mode = cells[Column.mode] as number
    this.uid = cells[Column.uid] as number
    this.gid = cells[Column.gid] as number
    this.nlink = cells[Column.nlink] as number
    this.opens = cells[Column.opens] as number
    this.size = cells[Column.size] as number
    this.rdev = cells[Column.rdev] as number
    this.parent = cells[Column.parent] as number
    this.mtime = cells[Column.mtime] as number
    this.mtimeNanos = cells[Column.mtimeNanos] as number
    this.ctime = cells[Column.ctime] as number
    this.ctimeNanos = cells[Column.ctimeNanos] as number
    this.atime = cells[Column.atime] as number
    this.atimeNanos = cells[Column.atimeNanos] as number
  }

  store(cells: Float64Array): void {
    cells[Column.mode] = this.mode
    cells[Column.uid] = this.uid
    cells[Column.gid] = this.gid
    cells[Column.nlink] = this.nlink
    cells[Column.opens] = this.opens
    cells[Column.size] = this.size
    cells[Column.rdev] = this.rdev
    cells[Column.parent] = this.parent
    cells[Column.mtime] = this.mtime
    cells[Column.mtimeNanos] = this.mtimeNanos
    cells[Column.ctime] = this.ctime
    cells[Column.ctimeNanos] = this.ctimeNanos
    cells[Column.atime] = this.atime
    cells[Column.atimeNanos] = this.atimeNanos
  }
}
