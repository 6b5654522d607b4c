/**
 * File type and permission bits of an inode, as `stat` gives them (Linux numbering).
 * Source: include/uapi/linux/stat.h.
 */

export const S_IFMT = 0o170000
export const S_IFSOCK = 0o140000
export const S_IFLNK = 0o120000
export const S_IFREG = 0o100000
export const S_IFBLK = 0o060000
export const S_IFDIR = 0o040000
export const S_IFCHR = 0o020000
export const S_IFIFO = 0o010000

export const S_ISUID = 0o4000
export const S_ISGID = 0o2000
export const S_ISVTX = 0o1000
export const S_IRWXU = 0o700
export const S_IRWXG = 0o070
export const S_IXGRP = 0o010
export const S_IRWXO = 0o007
/** All that chmod may set. */
export const PERMISSIONS = 0o7777
/** Read, write and execute of user, group and others. */
export const RWX = 0o777

export const isDirectory = (mode: number): boolean => (mode & S_IFMT) === S_IFDIR
export const isRegular = (mode: number): boolean => (mode & S_IFMT) === S_IFREG
export const isSymlink = (mode: number): boolean => (mode & S_IFMT) === S_IFLNK
export const isDevice = (mode: number): boolean => {
  const type = mode & S_IFMT
  return type === S_IFCHR || type === S_IFBLK
}

/** The type as `readdir` gives it (DT_DIR 4, DT_REG 8, ...). */
export const direntType = (mode: number): number => (mode & S_IFMT) >> 12

const letters: { readonly [type: number]: string } = {
  [S_IFSOCK]: "s",
  [S_IFLNK]: "l",
  [S_IFREG]: "-",
  [S_IFBLK]: "b",
  [S_IFDIR]: "d",
  [S_IFCHR]: "c",
  [S_IFIFO]: "p"
}

const kinds: { readonly [type: number]: string } = {
  [S_IFSOCK]: "socket",
  [S_IFLNK]: "symlink",
  [S_IFREG]: "file",
  [S_IFBLK]: "block device",
  [S_IFDIR]: "directory",
  [S_IFCHR]: "character device",
  [S_IFIFO]: "fifo"
}

export const kindOf = (mode: number): string => kinds[mode & S_IFMT] ?? "unknown"

/** The mode as `ls -l` prints it, such as `drwxr-xr-t`. */
export const format = (mode: number): string => {
  const triple = (shift: number, special: boolean, letter: string): string => {
    const bits = (mode >> shift) & 7
    const execute = (bits & 1) !== 0
    const last = special ? (execute ? letter : letter.toUpperCase()) : execute ? "x" : "-"
    return `${bits & 4 ? "r" : "-"}${bits & 2 ? "w" : "-"}${last}`
  }
  return (letters[mode & S_IFMT] ?? "?") +
    triple(6, (mode & S_ISUID) !== 0, "s") +
    triple(3, (mode & S_ISGID) !== 0, "s") +
    triple(0, (mode & S_ISVTX) !== 0, "t")
}
