/**
 * What tests are set up with: directories, files, links, open handles, data, locks. Made by commands of root,
 * then given to their owner, so that nobody's rights stand in the way.
 */
import type { ByteString } from "#domain/ByteString.ts"
import type { LockFamily, LockType } from "#domain/Locks.ts"
import * as Locks from "#domain/Locks.ts"
import * as Mode from "#domain/Mode.ts"
import { Access } from "#domain/Session.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import { type Actor, root } from "#domain/testing/Actors.ts"
import { done, perform, type Step } from "#domain/testing/Given.ts"
import { type Ask, ask, type World } from "#domain/testing/World.ts"

export interface Ownership {
  /** Permission bits. */
  readonly mode?: number
  readonly owner?: Actor
  /** The owner's own if it is left out. */
  readonly gid?: number
}

export const directory = (path: string, ownership: Ownership = {}): Step => (world) => {
  done(ask(root, "makeDirectory", { ...world.place(path), mode: 0o755, umask: 0 }))(world)
  own(world, path, ownership)
}

export const file = (path: string, ownership: Ownership = {}): Step => (world) => {
  const fields = { mode: 0o644, umask: 0, exclusive: true, truncate: false, access: 0 }
  done(ask(root, "create", { ...world.place(path), ...fields }))(world)
  own(world, path, ownership)
}

export const fifo = (path: string, ownership: Ownership = {}): Step => (world) => {
  done(ask(root, "makeNode", { ...world.place(path), mode: Mode.S_IFIFO | 0o644, umask: 0, rdev: 0 }))(world)
  own(world, path, ownership)
}

export const symlink = (path: string, target: ByteString, owner: Actor = root): Step => (world) => {
  done(ask(root, "makeSymlink", { ...world.place(path), target }))(world)
  own(world, path, { owner })
}

/** A further name for what stands at `path`. */
export const linked = (path: string, name: string): Step => (world) =>
  done(ask(root, "link", { inode: world.at(path), ...world.place(name) }))(world)

/** The name is gone, what it was is known by the label. */
export const removed = (path: string, label: string): Step => (world) => {
  const inode = world.find(path)
  world.call(label, inode.number)
  done(ask(root, inode.entries === undefined ? "unlink" : "removeDirectory", world.place(path)))(world)
}

/** The label stands for the handle. */
export const opened = (
  path: string,
  label: string,
  actor: Actor = root,
  access: number = Access.read | Access.write
): Step =>
(world) => done(ask(actor, "open", { inode: world.at(path), access, truncate: false }), label)(world)

/** The label stands for the first of the slices. */
export const reserved = (label: string, count = 16): Step => (world) => {
  const { reply } = perform(world, ask(root, "reserveSlices", { inode: world.root, count }))
  world.call(label, (reply as { readonly first: number }).first)
}

/** A slice of its own in the file. */
export const written = (path: string, offset: number, length: number, label = `data of ${path}`): Step => (world) => {
  reserved(label, 1)(world)
  const pieces = [{ length, slice: world.the(label), sliceOffset: 0, sliceBytes: length }]
  done(ask(root, "write", { inode: world.at(path), handle: 0, offset, append: false, pieces }))(world)
}

export const sized = (path: string, size: number): Step => (world) =>
  done(ask(root, "setAttributes", { ...unset, inode: world.at(path), size }))(world)

export const xattr = (path: string, name: ByteString, value: ByteString): Step => (world) =>
  done(ask(root, "setXattr", { inode: world.at(path), name, value, mode: "either" }))(world)

export interface Range {
  readonly type?: LockType
  readonly family?: LockFamily
  readonly owner?: number
  readonly start?: number
  readonly end?: number
  readonly wait?: boolean
}

/** A request for a lock, of the whole file and exclusive unless it says otherwise. */
export const lockOf = (actor: Actor, path: string, range: Range = {}): Ask<"lock"> =>
  ask(actor, "lock", (world) => ({
    inode: world.at(path),
    family: "posix",
    owner: 7,
    start: 0,
    end: Locks.END,
    type: "write",
    pid: actor.who.uid,
    wait: false,
    ...range
  }))

export const locked = (actor: Actor, path: string, range: Range = {}): Step => done(lockOf(actor, path, range))

/** The label stands for the request that waits. */
export const awaited = (label: string, actor: Actor, path: string, range: Range = {}): Step =>
  done(lockOf(actor, path, { ...range, wait: true }), label)

/** The directory's present has a name; the label stands for its sequence. */
export const snapshot = (path: string, name: string, actor: Actor = root, label = name): Step => (world) => {
  done(ask(actor, "takeSnapshot", { directory: world.at(path), name, path }))(world)
  world.call(label, world.live.sequence)
}

/** A session of the actor's is over. */
export const ended = (actor: Actor): Step =>
  done(ask(actor, "endSession", ({ root }) => ({ inode: root, session: actor.session, reason: "closed" })))

/** The state as no command could have made it. */
export const forged = (change: (state: ZoneState, world: World) => void): Step => (world) =>
  world.forge((state) => change(state, world))

/** A setattr that asks for nothing yet. */
export const unset = {
  handle: 0,
  mode: undefined,
  uid: undefined,
  gid: undefined,
  size: undefined,
  atime: undefined,
  mtime: undefined
} as const

const own = (world: World, path: string, { gid, mode, owner = root }: Ownership): void => {
  const inode = world.at(path)
  if (owner !== root || gid !== undefined) {
    done(ask(root, "setAttributes", { ...unset, inode, uid: owner.who.uid, gid: gid ?? owner.who.gid }))(world)
  }
  if (mode !== undefined) done(ask(root, "setAttributes", { ...unset, inode, mode }))(world)
}
