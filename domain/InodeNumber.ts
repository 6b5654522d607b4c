/**
 * The number of an inode: birth zone (10 bits) x 2^43 + local number. It never changes.
 * Slice numbers are built the same way. The root of the file system is inode 1 of zone 0.
 */
import { Limits } from "#domain/Limits.ts"

export type ZoneNumber = number
export type InodeNumber = number

const LOCALS = Limits.localNumberMax + 1

/** The local number of every zone's own root directory. */
export const ROOT_LOCAL = 1

export const make = (zone: ZoneNumber, local: number): InodeNumber => zone * LOCALS + local

export const zoneOf = (inode: InodeNumber): ZoneNumber => Math.floor(inode / LOCALS)

export const localOf = (inode: InodeNumber): number => inode % LOCALS

export const rootOf = (zone: ZoneNumber): InodeNumber => make(zone, ROOT_LOCAL)

/** The root of the whole file system. */
export const ROOT: InodeNumber = rootOf(0)
