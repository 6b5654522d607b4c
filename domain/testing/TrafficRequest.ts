/**
 * Random requests of every operation, about what is in the zone: most of them make sense there, some do not.
 * Whose they are and when they come is for `Traffic` to say.
 */
import * as Acl from "#domain/Acl.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as Locks from "#domain/Locks.ts"
import * as Mode from "#domain/Mode.ts"
import type { OperationName, RequestOf } from "#domain/Operations.ts"
import type { Inode } from "#domain/state/Inode.ts"
import { aclBytes } from "#domain/testing/AclText.ts"
import { type Actor, descriptorOf } from "#domain/testing/Actors.ts"
import type { Dice } from "#domain/testing/Dice.ts"
import type { World } from "#domain/testing/World.ts"

const NAMES = ["a", "b", "c", "d", "e", "f"]
const XATTRS = ["user.a", "user.b", "trusted.a", "security.capability", "user.", "plain", Acl.ACCESS, Acl.DEFAULT]
const LISTS = [
  "",
  aclBytes("u::rw,g::r,o::"),
  aclBytes("u::rwx,u:1001:rw,g::rx,m::rwx,o::rx"),
  aclBytes("u::rwx,g::,g:50:rwx,m::rx,o::")
]
const MODES = [0o644, 0o755, 0o777, 0o1777, 0o2777, 0o4755, 0o600, 0o000]
const BYTES_MAX = 64 * 1024
const BLOCK = 4096
/** Of a range of bytes; small, so that locks meet. */
const LOCKED_BYTES = 12

/** What a command may be about. */
export class Turn {
  readonly world: World
  readonly dice: Dice
  readonly actor: Actor
  private readonly inodes: ReadonlyArray<Inode>

  constructor(world: World, dice: Dice, actor: Actor) {
    this.world = world
    this.dice = dice
    this.actor = actor
    this.inodes = [...world.live.inodes()]
  }

  /** An inode that the condition holds for, if there is one and usually. */
  inode(holds: (inode: Inode) => boolean = () => true): number {
    if (this.dice.chance(2)) return this.dice.of([0, 99_999, 2 ** 43 + 1])
    const fitting = this.dice.chance(4) ? this.inodes : this.inodes.filter(holds)
    return fitting.length === 0 ? this.world.root : this.dice.of(fitting).number
  }

  directory(): number {
    return this.inode(({ entries }) => entries !== undefined)
  }

  file(): number {
    return this.inode(({ mode }) => Mode.isRegular(mode))
  }

  name(): ByteString {
    return this.dice.chance(1) ? this.dice.of(["", ".", "n".repeat(256)]) : this.dice.of(NAMES)
  }

  /** Where something stands, usually. */
  taken(): { readonly parent: number; readonly name: ByteString } {
    const parent = this.directory()
    const names: Array<ByteString> = []
    this.world.live.inode(parent)?.entries?.walk("", (name) => {
      names.push(name)
      return true
    })
    return { parent, name: names.length === 0 || this.dice.chance(15) ? this.name() : this.dice.of(names) }
  }

  free(): { readonly parent: number; readonly name: ByteString } {
    return { parent: this.directory(), name: this.name() }
  }

  /** One of the session's handles and its inode, usually. */
  open(): { readonly inode: number; readonly handle: number } {
    const opens = [...this.world.live.sessions.get(this.actor.session)?.opens ?? []]
    if (opens.length === 0 || this.dice.chance(5)) return { inode: this.file(), handle: this.dice.below(30) }
    const [handle, { inode }] = this.dice.of(opens)
    return { inode, handle }
  }

  /** A file by a handle or without one. */
  content(): { readonly inode: number; readonly handle: number } {
    return this.dice.chance(40) ? this.open() : { inode: this.file(), handle: 0 }
  }

  offset(): number {
    return this.dice.chance(40) ? BLOCK * this.dice.below(8) : this.dice.below(BYTES_MAX)
  }

  length(): number {
    return this.dice.chance(40) ? BLOCK * this.dice.below(4) : this.dice.below(BYTES_MAX / 4)
  }

  mode(): number {
    return this.dice.of(MODES)
  }

  umask(): number {
    return this.dice.of([0, 0o022, 0o077])
  }

  access(): number {
    return this.dice.below(4)
  }

  slice(): number {
    return this.dice.chance(3) ? this.world.live.nextSlice + 5 : this.dice.below(this.world.live.nextSlice)
  }

  range() {
    const start = this.dice.below(LOCKED_BYTES)
    const end = this.dice.chance(20) ? Locks.END : start + this.dice.below(6) - (this.dice.chance(2) ? 6 : 0)
    const family = this.dice.chance(80) ? "posix" as const : "flock" as const
    return { inode: this.file(), family, owner: 1 + this.dice.below(2), start, end: Math.max(0, end) }
  }

  type() {
    return this.dice.of(["read", "write"] as const)
  }

  moment() {
    return { now: this.dice.chance(50), time: { seconds: this.dice.below(1000), nanos: this.dice.below(1000) } }
  }

  maybe<Value>(value: () => Value): Value | undefined {
    return this.dice.chance(30) ? value() : undefined
  }

  uid(): number {
    return this.dice.of([0, 1000, 1001, 1002])
  }

  gid(): number {
    return this.dice.of([0, 50, 60, 1000, 1001])
  }

  /** A snapshot that is there, usually. */
  snapshot(): { readonly directory: number; readonly name: ByteString } {
    const { snapshots } = this.world.live
    if (snapshots.length === 0 || this.dice.chance(15)) return { directory: this.directory(), name: this.name() }
    const { directory, name } = this.dice.of(snapshots)
    return { directory, name }
  }

  /** The number of a request that waits, of this session or another. */
  waiting(): { readonly inode: number; readonly waiting: number } {
    const waiters = this.inodes.flatMap(({ number, waiters }) =>
      waiters.map(({ request }) => ({ inode: number, waiting: request }))
    )
    return waiters.length === 0 ? { inode: this.file(), waiting: this.dice.below(100) } : this.dice.of(waiters)
  }
}

export const requests: { readonly [Name in OperationName]: (turn: Turn) => RequestOf<Name> } = {
  lookup: (t) => t.taken(),
  walk: (t) => ({ start: t.directory(), names: [t.name(), t.name(), t.name()] }),
  getAttributes: (t) => ({ inode: t.inode() }),
  readLink: (t) => ({ inode: t.inode(({ mode }) => Mode.isSymlink(mode)) }),
  readDirectory: (t) => ({
    inode: t.directory(),
    handle: 0,
    after: t.dice.chance(50) ? "" : t.name(),
    count: t.dice.below(5),
    plus: t.dice.chance(50)
  }),
  statFileSystem: (t) => ({ inode: t.inode() }),
  testAccess: (t) => ({ inode: t.inode(), wanted: t.dice.below(9) }),
  readExtents: (t) => ({ ...t.content(), offset: t.offset(), length: t.length() }),
  seek: (t) => ({ ...t.content(), offset: t.offset(), target: t.dice.of(["data", "hole"] as const) }),
  getXattr: (t) => ({ inode: t.inode(), name: t.dice.of(XATTRS) }),
  listXattrs: (t) => ({ inode: t.inode() }),
  testLock: (t) => ({ ...t.range(), type: t.type() }),
  create: (t) => ({
    ...t.free(),
    mode: t.mode(),
    umask: t.umask(),
    exclusive: t.dice.chance(30),
    truncate: t.dice.chance(10),
    access: t.access()
  }),
  makeDirectory: (t) => ({ ...t.free(), mode: t.mode(), umask: t.umask() }),
  makeNode: (t) => ({
    ...t.free(),
    mode: t.mode() | t.dice.of([Mode.S_IFIFO, Mode.S_IFSOCK, Mode.S_IFCHR, Mode.S_IFREG, Mode.S_IFDIR]),
    umask: t.umask(),
    rdev: t.dice.below(300)
  }),
  makeSymlink: (t) => ({ ...t.free(), target: t.dice.of(["a", "../b", "", "c\0"]) }),
  link: (t) => ({ inode: t.dice.chance(90) ? t.file() : t.inode(), ...t.free() }),
  unlink: (t) => t.taken(),
  removeDirectory: (t) => t.taken(),
  rename: (t) => {
    const from = t.taken()
    const to = t.dice.chance(50) ? t.taken() : t.free()
    const mode = t.dice.of(["replace", "replace", "keep", "exchange"] as const)
    return { fromParent: from.parent, fromName: from.name, toParent: to.parent, toName: to.name, mode }
  },
  setAttributes: (t) => ({
    ...(t.dice.chance(30) ? t.open() : { inode: t.inode(), handle: 0 }),
    mode: t.maybe(() => t.mode()),
    uid: t.maybe(() => t.uid()),
    gid: t.maybe(() => t.gid()),
    size: t.maybe(() => t.offset()),
    atime: t.maybe(() => t.moment()),
    mtime: t.maybe(() => t.moment())
  }),
  open: (t) => ({ inode: t.inode(), access: t.access(), truncate: t.dice.chance(10) }),
  release: (t) => t.open(),
  write: (t) => ({
    ...t.content(),
    offset: t.offset(),
    append: t.dice.chance(30),
    pieces: Array.from({ length: t.dice.below(4) }, () => {
      const length = t.dice.below(3000)
      return { length, slice: t.slice(), sliceOffset: t.dice.below(100), sliceBytes: BYTES_MAX }
    })
  }),
  allocate: (t) => ({
    ...t.content(),
    mode: t.dice.of([0, 1, 2, 3, 8, 8, 16, 17, 32, 32]),
    offset: t.offset(),
    length: t.length()
  }),
  copyRange: (t) => {
    const source = t.content()
    const target = t.content()
    return {
      source: source.inode,
      sourceHandle: source.handle,
      sourceOffset: t.offset(),
      target: target.inode,
      targetHandle: target.handle,
      targetOffset: t.offset(),
      length: t.length()
    }
  },
  reserveSlices: (t) => ({ inode: t.world.root, count: t.dice.below(5) }),
  setXattr: (t) => {
    const name = t.dice.of(XATTRS)
    const value = name.startsWith("system.") ? t.dice.of(LISTS) : t.dice.of(["", "v", "w"])
    return { inode: t.inode(), name, value, mode: t.dice.of(["either", "either", "create", "replace"] as const) }
  },
  removeXattr: (t) => ({ inode: t.inode(({ xattrs }) => xattrs !== undefined), name: t.dice.of(XATTRS) }),
  lock: (t) => ({ ...t.range(), type: t.type(), pid: t.actor.who.uid, wait: t.dice.chance(60) }),
  unlock: (t) => t.range(),
  cancelLock: (t) => t.waiting(),
  openSession: (t) => ({ inode: t.world.root, descriptor: descriptorOf(t.actor) }),
  endSession: (t) => ({
    inode: t.world.root,
    session: t.dice.chance(80) ? t.actor.session : 2,
    reason: "closed" as const
  }),
  foundZone: (t) => ({ inode: t.world.root, mode: 0o40755 }),
  listSnapshots: (t) => ({ directory: t.directory(), all: t.dice.chance(50) }),
  takeSnapshot: (t) => ({ directory: t.directory(), name: t.name(), path: "/here" }),
  removeSnapshot: (t) => t.snapshot()
}
