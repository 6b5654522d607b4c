/**
 * The registry of all metadata operations. A new one is a file in `operations/` and a line here.
 */
import type { Operation } from "#domain/Operation.ts"
import { allocate } from "#domain/operations/Allocate.ts"
import { cancelLock } from "#domain/operations/CancelLock.ts"
import { copyRange } from "#domain/operations/CopyRange.ts"
import { create } from "#domain/operations/Create.ts"
import { endSession } from "#domain/operations/EndSession.ts"
import { foundZone } from "#domain/operations/FoundZone.ts"
import { getAttributes } from "#domain/operations/GetAttributes.ts"
import { getXattr } from "#domain/operations/GetXattr.ts"
import { link } from "#domain/operations/Link.ts"
import { listSnapshots } from "#domain/operations/ListSnapshots.ts"
import { listXattrs } from "#domain/operations/ListXattrs.ts"
import { lock } from "#domain/operations/Lock.ts"
import { lookup } from "#domain/operations/Lookup.ts"
import { makeDirectory } from "#domain/operations/MakeDirectory.ts"
import { makeNode } from "#domain/operations/MakeNode.ts"
import { makeSymlink } from "#domain/operations/MakeSymlink.ts"
import { open } from "#domain/operations/Open.ts"
import { openSession } from "#domain/operations/OpenSession.ts"
import { readDirectory } from "#domain/operations/ReadDirectory.ts"
import { readExtents } from "#domain/operations/ReadExtents.ts"
import { readLink } from "#domain/operations/ReadLink.ts"
import { release } from "#domain/operations/Release.ts"
import { removeDirectory } from "#domain/operations/RemoveDirectory.ts"
import { removeSnapshot } from "#domain/operations/RemoveSnapshot.ts"
import { removeXattr } from "#domain/operations/RemoveXattr.ts"
import { rename } from "#domain/operations/Rename.ts"
import { reserveSlices } from "#domain/operations/ReserveSlices.ts"
import { seek } from "#domain/operations/Seek.ts"
import { setAttributes } from "#domain/operations/SetAttributes.ts"
import { setXattr } from "#domain/operations/SetXattr.ts"
import { statFileSystem } from "#domain/operations/StatFileSystem.ts"
import { takeSnapshot } from "#domain/operations/TakeSnapshot.ts"
import { testAccess } from "#domain/operations/TestAccess.ts"
import { testLock } from "#domain/operations/TestLock.ts"
import { unlink } from "#domain/operations/Unlink.ts"
import { unlock } from "#domain/operations/Unlock.ts"
import { walk } from "#domain/operations/Walk.ts"
import { write } from "#domain/operations/Write.ts"

export const operations = {
  lookup,
  walk,
  getAttributes,
  readLink,
  readDirectory,
  statFileSystem,
  testAccess,
  readExtents,
  seek,
  getXattr,
  listXattrs,
  testLock,
  listSnapshots,
  create,
  makeDirectory,
  makeNode,
  makeSymlink,
  link,
  unlink,
  removeDirectory,
  rename,
  setAttributes,
  open,
  release,
  write,
  allocate,
  copyRange,
  reserveSlices,
  setXattr,
  removeXattr,
  lock,
  unlock,
  cancelLock,
  openSession,
  endSession,
  foundZone,
  takeSnapshot,
  removeSnapshot
} as const

export type Operations = typeof operations
export type OperationName = keyof Operations
export type RequestOf<Name extends OperationName> = Operations[Name] extends Operation<infer Request, infer _> ? Request
  : never
export type ReplyOf<Name extends OperationName> = Operations[Name] extends Operation<infer _, infer Reply> ? Reply
  : never

const byCode: Array<Operation<unknown, unknown> | undefined> = []
for (const operation of Object.values(operations) as ReadonlyArray<Operation<unknown, unknown>>) {
  if (byCode[operation.code] !== undefined) throw new Error(`operation code ${operation.code} is given twice`)
  byCode[operation.code] = operation
}

/** The operation with this number; undefined if there is none. */
export const operationOf = (code: number): Operation<unknown, unknown> | undefined => byCode[code]
