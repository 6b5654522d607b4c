/**
 * POSIX access control lists in the form in which Linux stores them as attribute values:
 * u32 version 2, then (u16 tag, u16 permissions, u32 id) an entry, little-endian.
 * Source: include/uapi/linux/posix_acl_xattr.h and fs/posix_acl.c; POSIX.1e draft 17.
 */
import type { ByteString } from "#domain/ByteString.ts"
import * as Credentials from "#domain/Credentials.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"

export const ACCESS = "system.posix_acl_access"
export const DEFAULT = "system.posix_acl_default"

const VERSION = 2
const HEADER_BYTES = 4
const ENTRY_BYTES = 8
const NO_ID = 0xffff_ffff

export const USER_OBJ = 0x01
export const USER = 0x02
export const GROUP_OBJ = 0x04
export const GROUP = 0x08
export const MASK = 0x10
export const OTHER = 0x20

const tags: ReadonlySet<number> = new Set([USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER])

export interface AclEntry {
  readonly tag: number
  /** Read 4, write 2, execute 1. */
  readonly permissions: number
  /** User or group; meaningless for the other tags. */
  readonly id: number
}

export type Acl = ReadonlyArray<AclEntry>

/** The list, or undefined when the bytes are no valid access control list. */
export const parse = (value: ByteString): Acl | undefined => {
  const acl = decode(value)
  return typeof acl !== "number" && isValid(acl) ? acl : undefined
}

/**
 * The entries that the bytes spell, which need not make a valid list; none stand for no list at all.
 * Refuses as posix_acl_from_xattr of Linux does.
 */
export const decode = (value: ByteString): Acl | Errno => {
  if (value.length === 0) return []
  const rest = value.length - HEADER_BYTES
  if (rest < 0) return Errno.EINVAL
  if (u32(value, 0) !== VERSION) return Errno.EOPNOTSUPP
  if (rest % ENTRY_BYTES !== 0 || rest / ENTRY_BYTES > Limits.aclEntriesMax) return Errno.EINVAL
  const acl: Array<AclEntry> = []
  for (let at = HEADER_BYTES; at < value.length; at += ENTRY_BYTES) {
    const tag = u16(value, at)
    const named = tag === USER || tag === GROUP
    const id = named ? u32(value, at + 4) : NO_ID
    if (!tags.has(tag) || (named && id === NO_ID)) return Errno.EINVAL
    acl.push({ tag, permissions: u16(value, at + 2), id })
  }
  return acl
}

export const format = (acl: Acl): ByteString => {
  const bytes = [VERSION, 0, 0, 0]
  for (const { id, permissions, tag } of acl) {
    bytes.push(tag & 255, tag >> 8, permissions & 255, permissions >> 8)
    bytes.push(id & 255, (id >>> 8) & 255, (id >>> 16) & 255, (id >>> 24) & 255)
  }
  return String.fromCharCode(...bytes)
}

/** Linux wants the entries in the order user::, user:, group::, group:, mask::, other::. */
export const isValid = (acl: Acl): boolean => {
  let state = USER_OBJ
  let needsMask = false
  for (const { permissions, tag } of acl) {
    if ((permissions & ~7) !== 0) return false
    switch (tag) {
      case USER_OBJ:
        if (state !== USER_OBJ) return false
        state = USER
        break
      case USER:
        if (state !== USER) return false
        needsMask = true
        break
      case GROUP_OBJ:
        if (state !== USER) return false
        state = GROUP
        break
      case GROUP:
        if (state !== GROUP) return false
        needsMask = true
        break
      case MASK:
        if (state !== GROUP) return false
        state = OTHER
        break
      case OTHER:
        if (state !== OTHER && (state !== GROUP || needsMask)) return false
        state = 0
        break
      default:
        return false
    }
  }
  return state === 0
}

/**
 * What the list says of a caller that is not the owner's class by uid alone.
 * `wanted` holds read 4, write 2, execute 1. Follows posix_acl_permission of Linux.
 */
export const allows = (
  acl: Acl,
  who: Credentials.Credentials,
  owner: number,
  group: number,
  wanted: number
): boolean => {
  const mask = acl.find((entry) => entry.tag === MASK)
  const masked = (permissions: number): boolean => (permissions & (mask?.permissions ?? 7) & wanted) === wanted
  let inSomeGroup = false
  for (const entry of acl) {
    switch (entry.tag) {
      case USER_OBJ:
        if (owner === who.uid) return (entry.permissions & wanted) === wanted
        break
      case USER:
        if (entry.id === who.uid) return masked(entry.permissions)
        break
      case GROUP_OBJ:
      case GROUP: {
        const gid = entry.tag === GROUP_OBJ ? group : entry.id
        if (Credentials.inGroup(who, gid)) {
          inSomeGroup = true
          if ((entry.permissions & wanted) === wanted) return masked(entry.permissions)
        }
        break
      }
      case OTHER:
        return !inSomeGroup && (entry.permissions & wanted) === wanted
    }
  }
  return false
}

/** The nine mode bits that the list shows, and whether mode bits alone would say the same. */
export const toMode = (acl: Acl): { readonly mode: number; readonly minimal: boolean } => {
  let mode = 0
  let minimal = true
  for (const { permissions, tag } of acl) {
    if (tag === USER_OBJ) mode |= permissions << 6
    else if (tag === GROUP_OBJ) mode |= permissions << 3
    else if (tag === OTHER) mode |= permissions
    else minimal = false
  }
  const mask = acl.find((entry) => entry.tag === MASK)
  if (mask !== undefined) mode = (mode & ~0o070) | (mask.permissions << 3)
  return { mode, minimal }
}

/** The list after chmod: owner, mask (or group) and others take the mode's bits. */
export const withMode = (acl: Acl, mode: number): Acl => {
  const hasMask = acl.some((entry) => entry.tag === MASK)
  return acl.map((entry) => {
    if (entry.tag === USER_OBJ) return { ...entry, permissions: (mode >> 6) & 7 }
    if (entry.tag === OTHER) return { ...entry, permissions: mode & 7 }
    if (entry.tag === MASK || (entry.tag === GROUP_OBJ && !hasMask)) return { ...entry, permissions: (mode >> 3) & 7 }
    return entry
  })
}

/**
 * What a new inode takes from its directory's default list: the creation mode limits the list and the
 * list limits the mode. Follows posix_acl_create_masq of Linux; the umask plays no part then.
 */
export const inherit = (defaults: Acl, mode: number): { readonly mode: number; readonly access: Acl | undefined } => {
  const hasMask = defaults.some((entry) => entry.tag === MASK)
  let bits = mode
  const access = defaults.map((entry): AclEntry => {
    const limit = (shift: number): AclEntry => {
      const permissions = entry.permissions & (mode >> shift) & 7
      bits = (bits & ~(7 << shift)) | (permissions << shift)
      return { ...entry, permissions }
    }
    if (entry.tag === USER_OBJ) return limit(6)
    if (entry.tag === OTHER) return limit(0)
    if (entry.tag === MASK || (entry.tag === GROUP_OBJ && !hasMask)) return limit(3)
    return entry
  })
  return { mode: bits, access: toMode(access).minimal ? undefined : access }
}

const u16 = (value: ByteString, at: number): number => value.charCodeAt(at) | (value.charCodeAt(at + 1) << 8)
const u32 = (value: ByteString, at: number): number => (u16(value, at) | (u16(value, at + 2) << 16)) >>> 0
