/**
 * Moves an entry, atomically replacing what stands at its new place; or exchanges two entries.
 * Refusals in the order of do_renameat2 and vfs_rename of Linux (fs/namei.c).
 */
import * as Access from "#domain/Access.ts"
import * as Codec from "#domain/codec/Codec.ts"
import { Errno } from "#domain/Errno.ts"
import type { InodeNumber } from "#domain/InodeNumber.ts"
import * as InodeNumbers from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import { change, type Context, type Operation, refuse, reply } from "#domain/Operation.ts"
import * as Directory from "#domain/operations/Directory.ts"
import type { Inode } from "#domain/state/Inode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"

const request = Codec.struct({
  fromParent: Codec.inode,
  fromName: Codec.bytes(Limits.pathBytesMax),
  toParent: Codec.inode,
  toName: Codec.bytes(Limits.pathBytesMax),
  /** `replace` what stands there, `keep` it and refuse (RENAME_NOREPLACE), or `exchange` (RENAME_EXCHANGE). */
  mode: Codec.literal("replace", "keep", "exchange")
})

export const rename: Operation<Codec.Type<typeof request>, void> = {
  code: 39,
  name: "rename",
  request,
  reply: Codec.nothing,
  routeOf: ({ fromParent }) => fromParent,
  plan: (state, context, { fromName, fromParent, mode, toName, toParent }) => {
    if (InodeNumbers.zoneOf(toParent) !== state.zone) return refuse(Errno.EXDEV)
    const from = Directory.searchable(state, context, fromParent)
    if (typeof from === "number") return refuse(from)
    const to = Directory.searchable(state, context, toParent)
    if (typeof to === "number") return refuse(to)
    const old = Directory.findExisting(state, context, fromParent, fromName)
    if (typeof old === "number") return refuse(old)
    const place = Directory.find(state, context, toParent, toName)
    if (typeof place === "number") return refuse(place)
    const moved = old.inode
    const target = place.inode
    const exchange = mode === "exchange"

    if (mode === "keep" && target !== undefined) return refuse(Errno.EEXIST)
    if (exchange && target === undefined) return refuse(Errno.ENOENT)
    if (isWithin(state, to, moved)) return refuse(Errno.EINVAL)
    if (target !== undefined && isWithin(state, from, target)) {
      return refuse(exchange ? Errno.EINVAL : Errno.ENOTEMPTY)
    }
    if (moved.number === target?.number) return reply(undefined)
    const problem = removalProblem(context, from, moved, moved.entries !== undefined) ??
      (target === undefined
        ? Directory.entryProblem(context, to, toName)
        : removalProblem(context, to, target, (exchange ? target : moved).entries !== undefined)) ??
      (from.number === to.number ? undefined : reparentProblem(context, from, to, moved, target, exchange))
    if (problem !== undefined) return refuse(problem)
    if (exchange && target !== undefined) {
      return change({
        _tag: "EntriesExchanged",
        parentA: from.number,
        nameA: fromName,
        inodeA: moved.number,
        parentB: to.number,
        nameB: toName,
        inodeB: target.number
      })
    }
    if (target?.entries?.isEmpty === false) return refuse(Errno.ENOTEMPTY)
    return change({
      _tag: "EntryMoved",
      fromParent: from.number,
      fromName,
      toParent: to.number,
      toName,
      inode: moved.number,
      replaced: target?.number ?? 0
    })
  },
  answer: () => undefined
}

const removalProblem = (context: Context, parent: Inode, victim: Inode, asDirectory: boolean): Errno | undefined =>
  Access.deleteProblem(parent, victim, context.who, asDirectory)

/** A directory that gets another parent is written to (its `..`), and its new parent gains a link. */
const reparentProblem = (
  context: Context,
  from: Inode,
  to: Inode,
  moved: Inode,
  target: Inode | undefined,
  exchange: boolean
): Errno | undefined => {
  const movedIsDirectory = moved.entries !== undefined
  const targetIsDirectory = target?.entries !== undefined
  if (movedIsDirectory && !Access.permits(moved, context.who, Access.WRITE)) return Errno.EACCES
  if (exchange && target !== undefined && targetIsDirectory && !Access.permits(target, context.who, Access.WRITE)) {
    return Errno.EACCES
  }
  if (movedIsDirectory && !targetIsDirectory && Access.linksFull(to)) return Errno.EMLINK
  return exchange && targetIsDirectory && !movedIsDirectory && Access.linksFull(from) ? Errno.EMLINK : undefined
}

/** Whether `directory` is `ancestor` or lies below it. */
const isWithin = (state: ZoneState, directory: Inode, ancestor: Inode): boolean => {
  if (ancestor.entries === undefined) return false
  let at: InodeNumber = directory.number
  while (at !== ancestor.number) {
    const inode = state.inode(at)
    // What is above an open directory may be gone for good once it was removed itself.
    if (inode === undefined || inode.parent === at) return false
    at = inode.parent
  }
  return true
}
