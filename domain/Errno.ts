/**
 * POSIX error numbers as values, with Linux's numbering and wording.
 * Source: include/uapi/asm-generic/errno-base.h and errno.h of Linux.
 */

export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EOVERFLOW: 75,
  EOPNOTSUPP: 95,
  ESTALE: 116,
  EDQUOT: 122,
  ECANCELED: 125
} as const

export type ErrnoName = keyof typeof Errno
export type Errno = (typeof Errno)[ErrnoName]

const texts: { readonly [Name in ErrnoName]: string } = {
  EPERM: "operation not permitted",
  ENOENT: "no such file or directory",
  EINTR: "interrupted",
  EIO: "input/output error",
  ENXIO: "no such address in the file",
  E2BIG: "value too large",
  EBADF: "bad file handle",
  EAGAIN: "would block",
  EACCES: "permission denied",
  EBUSY: "busy",
  EEXIST: "exists already",
  EXDEV: "crosses into another zone root",
  ENODEV: "no such device",
  ENOTDIR: "not a directory",
  EISDIR: "is a directory",
  EINVAL: "invalid argument",
  ENFILE: "too many open files",
  EFBIG: "file too large",
  ENOSPC: "no space left",
  ESPIPE: "illegal seek",
  EROFS: "read-only file system",
  EMLINK: "too many links",
  ERANGE: "result does not fit",
  EDEADLK: "would deadlock",
  ENAMETOOLONG: "name too long",
  ENOLCK: "no locks available",
  ENOTEMPTY: "directory not empty",
  ELOOP: "too many symbolic links",
  ENODATA: "no such attribute",
  EOVERFLOW: "value too large for the type",
  EOPNOTSUPP: "not supported",
  ESTALE: "stale inode",
  EDQUOT: "quota exceeded",
  ECANCELED: "cancelled because an earlier step failed"
}

const names = new Map<number, ErrnoName>(
  Object.entries(Errno).map(([name, number]) => [number, name as ErrnoName])
)

/** The symbolic name of an error number, such as `ENOENT`; `E<number>` where it is unknown. */
export const nameOf = (errno: number): string => names.get(errno) ?? `E${errno}`

/** What an error number means, in a few words. */
export const textOf = (errno: number): string => {
  const name = names.get(errno)
  return name === undefined ? `error ${errno}` : texts[name]
}
