/**
 * Writes scripts: throws the dice for one step after another, mostly about what is there, so that most steps
 * get somewhere, and sometimes about what is not. It looks at the domain's tree and never at the kernel's.
 */
import * as Acl from "#domain/Acl.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as Mode from "#domain/Mode.ts"
import type { Inode } from "#domain/state/Inode.ts"
import type { Dice } from "#domain/testing/Dice.ts"
import type { Found } from "#simulations/oracle/Comparison.ts"
import { type Action, type Call, type Moment, type Path, pathOf, type Step, users } from "#simulations/oracle/Step.ts"
import type { Traits } from "#simulations/oracle/Traits.ts"

const DEPTH_MAX = 4
const SLOTS = 4
const PAGE_BYTES = 4096
const FILE_PAGES_MAX = 16
const names: ReadonlyArray<ByteString> = ["a", "b", "c", "d", "e", "\xff\xfe"]
const LONGEST = "n".repeat(255)
const TOO_LONG = "n".repeat(256)
const ids = [0, 1001, 1002, 1003] as const
const gids = [0, 1001, 1002, 2001, 2002] as const
const modes = [
  0o777,
  0o755,
  0o750,
  0o700,
  0o666,
  0o644,
  0o640,
  0o600,
  0o444,
  0o000,
  0o070,
  0o007,
  0o1777,
  0o1755,
  0o4755,
  0o2755,
  0o6777,
  0o2644,
  0o2775,
  0o3777,
  0o4711,
  0o2771
] as const
const rootModes = [0o777, 0o777, 0o1777, 0o2777, 0o775] as const
const umasks = [0o022, 0o022, 0o000, 0o077, 0o027, 0o002] as const

export class Script {
  private readonly dice: Dice
  private readonly traits: Traits
  private tree: ReadonlyArray<Found> = []
  private slots: ReadonlyArray<number> = []
  private steps = 0

  constructor(dice: Dice, traits: Traits) {
    this.dice = dice
    this.traits = traits
  }

  /** The next step, given what the tree holds now and which slots have an open file. */
  next(tree: ReadonlyArray<Found>, slots: ReadonlyArray<number>): Step {
    const { dice } = this
    this.tree = tree
    this.slots = slots
    const umask = dice.of(umasks)
    // Every tree starts with a root in which ordinary users may do something.
    const first = this.steps++ === 0
    if (first) return { who: 0, umask, action: { call: "chmod", path: [], mode: dice.of(rootModes) } }
    const action = this.action(dice.weighted(weights))
    return { who: this.who(action), umask, action }
  }

  /** Often who owns what the action is about, or the directory that it is in: others are mostly refused. */
  private who(action: Action): number {
    const { dice } = this
    const path = "path" in action ? action.path : []
    const found = this.find(dice.chance(50) ? path : path.slice(0, -1))
    const owner = users.findIndex(({ uid }) => uid === found?.uid)
    return owner > 0 && dice.chance(60) ? owner : dice.weighted([[5, 0], [8, 1], [5, 2], [3, 3]] as const)
  }

  private find(path: Path): Inode | undefined {
    return this.tree.find((entry) => pathOf(entry.path) === pathOf(path))?.inode
  }

  private action(call: Call): Action {
    const { dice } = this
    switch (call) {
      case "create": {
        const path = dice.chance(60) ? this.place() : this.entry()
        const [exclusive, truncate] = [dice.chance(25), dice.chance(25)]
        return { call, path, mode: this.mode(), exclusive, truncate, access: this.access(), slot: this.slot() }
      }
      case "open": {
        const [truncate, append, nofollow] = [dice.chance(15), dice.chance(15), dice.chance(15)]
        const access = this.access()
        return { call, path: this.existing(), access, truncate, append, nofollow, slot: this.slot() }
      }
      case "close":
        return { call, slot: this.taken() }
      case "mkdir":
        return { call, path: this.place(), mode: this.mode() }
      case "mknod":
        return this.mknod()
      case "symlink":
        return { call, path: this.place(), target: this.linkTarget() }
      case "readlink":
        return { call, path: this.existing(Mode.S_IFLNK) }
      case "link":
        return { call, path: this.existing(), to: this.place() }
      case "unlink":
        return { call, path: this.entry() }
      case "rmdir":
        return { call, path: this.entry(dice.chance(80) ? Mode.S_IFDIR : undefined) }
      case "rename": {
        const to = dice.chance(50) ? this.place() : this.entry()
        return { call, path: this.entry(), to, flag: dice.of(["replace", "replace", "keep", "exchange"]) }
      }
      case "chmod": {
        const path = this.existing()
        if (path.length === 0) return { call, path, mode: dice.of(rootModes) }
        return { call, path, mode: dice.chance(80) ? this.mode() : dice.below(0o10000) }
      }
      case "chown": {
        // With neither, Linux moves ctime alone, and POSIX lets that be.
        const gid = dice.chance(70) ? dice.of(gids) : undefined
        const uid = gid === undefined || dice.chance(30) ? dice.of(ids) : undefined
        return { call, path: this.existing(), uid, gid }
      }
      case "truncate":
        return { call, path: this.existing(Mode.S_IFREG), size: this.size() }
      case "utimens": {
        const [atime, mtime] = [this.moment(), this.moment()]
        // With nothing to set, the kernel does not even look for the file.
        const times = atime === "omit" && mtime === "omit" ? { atime, mtime: "now" as const } : { atime, mtime }
        return { call, path: this.existing(), ...times, nofollow: dice.chance(50) }
      }
      case "access":
        return { call, path: this.existing(), wanted: dice.below(8) }
      case "stat":
        return { call, path: this.existing() }
      case "list":
        return { call, path: this.existing(dice.chance(80) ? Mode.S_IFDIR : undefined) }
      case "setxattr": {
        const flag = dice.of(["either", "either", "create", "replace"] as const)
        const path = this.existing()
        const name = this.attribute(path)
        return { call, path, name, value: this.value(name), flag }
      }
      case "getxattr":
      case "removexattr": {
        const path = this.existing()
        return { call, path, name: this.attribute(path) }
      }
      case "listxattr":
        return { call, path: this.existing() }
      case "ftruncate":
        return { call, slot: this.taken(), size: this.size() }
      case "write": {
        const [offset, length] = [this.offset(), dice.chance(5) ? 0 : (1 + dice.below(4)) * PAGE_BYTES]
        return { call, slot: this.taken(), offset, length, fill: 1 + dice.below(255) }
      }
      case "fallocate": {
        const length = dice.chance(5) ? 0 : (1 + dice.below(4)) * PAGE_BYTES
        return { call, slot: this.taken(), mode: this.allocation(), offset: this.offset(), length }
      }
      case "seek":
        return { call, slot: this.taken(), offset: this.offset(), target: dice.of(["data", "hole"]) }
      case "copy": {
        const [slot, toSlot] = [this.taken(), this.taken()]
        const length = dice.below(5) * PAGE_BYTES
        return { call, slot, offset: this.offset(), toSlot, toOffset: this.offset(), length }
      }
    }
  }

  // ---- Paths -----------------------------------------------------------------------------------------------

  /** A path that most often leads to something, of a type if one is wanted. */
  private existing(type?: number): Path {
    const { dice } = this
    if (dice.chance(4)) return this.place()
    const fitting = (inode: Inode): boolean =>
      type === undefined || dice.chance(10) || (inode.mode & Mode.S_IFMT) === type
    const candidates = this.tree.filter(({ inode, path }) => (path.length > 0 || dice.chance(20)) && fitting(inode))
    return candidates.length === 0 ? this.place() : this.through(dice.of(candidates).path)
  }

  /** The same for calls that are about a name, which the tree's root has none of. */
  private entry(type?: number): Path {
    const path = this.existing(type)
    return path.length > 0 ? path : this.place()
  }

  /** A path in a directory that most often exists, for a name that may be free. */
  private place(): Path {
    const { dice } = this
    const parents = this.tree.filter(({ inode, path }) =>
      path.length < DEPTH_MAX && (inode.entries !== undefined || dice.chance(3))
    )
    const name = dice.weighted<ByteString>([[46, dice.of(names)], [3, LONGEST], [1, TOO_LONG]])
    return [...this.through(dice.of(parents).path), name]
  }

  /** Sometimes the same path with one name replaced by a symbolic link's. */
  private through(path: Path): Path {
    const { dice } = this
    if (path.length === 0 || !dice.chance(10)) return path
    const links = this.tree.filter(({ inode }) => Mode.isSymlink(inode.mode))
    return links.length === 0 ? path : [...dice.of(links).path, ...path.slice(-dice.below(2))].slice(0, DEPTH_MAX)
  }

  private linkTarget(): ByteString {
    const { dice } = this
    if (dice.chance(3)) return ""
    if (dice.chance(3)) return "t".repeat(4094 + dice.below(4))
    return dice.chance(70) ? dice.of(names) : `${dice.of(names)}/${dice.of(names)}`
  }

  /** Most often both to read and to write. */
  private access(): number {
    return this.dice.of([1, 1, 2, 2, 3, 3, 3, 3])
  }

  /** A slot that most often has an open file. */
  private taken(): number {
    const { dice } = this
    return this.slots.length === 0 || dice.chance(5) ? dice.below(SLOTS) : dice.of(this.slots)
  }

  private slot(): number | "none" {
    return this.dice.chance(60) ? this.dice.below(SLOTS) : "none"
  }

  // ---- Values ----------------------------------------------------------------------------------------------

  private mknod(): Action {
    const { dice } = this
    const type = dice.of([
      Mode.S_IFIFO,
      Mode.S_IFSOCK,
      Mode.S_IFCHR,
      Mode.S_IFBLK,
      Mode.S_IFREG,
      0,
      Mode.S_IFDIR,
      Mode.S_IFLNK
    ])
    const rdev = dice.of([0, 0x103, 0x0812_3456 >>> 0, 0xfff_ff])
    return { call: "mknod", path: this.place(), mode: type | this.mode(), rdev }
  }

  /** Often one that lets everybody do everything, so that scripts get on. */
  private mode(): number {
    return this.dice.chance(35) ? 0o777 : this.dice.of(modes)
  }

  private moment(): Moment {
    const { dice } = this
    const kind = dice.below(3)
    if (kind === 0) return "now"
    return kind === 1 ? "omit" : { seconds: dice.below(2_000_000_000), nanos: dice.below(1_000_000_000) }
  }

  /** Rather near the start, where files mostly are. */
  private offset(): number {
    return Math.min(this.dice.below(FILE_PAGES_MAX), this.dice.below(FILE_PAGES_MAX)) * PAGE_BYTES
  }

  private size(): number {
    const { dice } = this
    return dice.chance(70) ? this.offset() : dice.below(FILE_PAGES_MAX * PAGE_BYTES)
  }

  /** tmpfs knows the first three alone, and refuses the others later than the file's own checks. */
  private allocation(): number {
    const simple = [0, 1, 3, 3]
    if (this.dice.chance(5)) return this.dice.of([2, 9, 0x21, 0x18, 0x400])
    return this.dice.of(this.traits.type === "tmpfs" ? simple : [...simple, 0x08, 0x08, 0x10, 0x11, 0x20, 0x20])
  }

  // ---- Attributes ------------------------------------------------------------------------------------------

  private attribute(path: Path): ByteString {
    const { dice } = this
    const present = [...this.find(path)?.xattrs?.keys() ?? []]
    if (present.length > 0 && dice.chance(60)) return dice.of(present)
    return dice.weighted<ByteString>([
      [30, Acl.ACCESS],
      [20, Acl.DEFAULT],
      [8, "user.one"],
      [8, "user.two"],
      [4, "trusted.one"],
      [4, "security.one"],
      [4, "security.capability"],
      [1, "user."],
      [1, "user"],
      [1, "trusted."],
      [1, "security."],
      [1, "system.one"],
      [1, "other.one"],
      [1, ""],
      [1, `user.${"n".repeat(250)}`],
      [1, `user.${"n".repeat(251)}`]
    ])
  }

  private value(name: ByteString): ByteString {
    const { dice } = this
    if (name === Acl.ACCESS || name === Acl.DEFAULT) return this.acl()
    // Linux lets anybody set file capabilities that are empty, by oversight: they are left out.
    if (name === "security.capability") return dice.chance(70) ? CAPABILITY : "x"
    return dice.of(["", "x", "value", "\x00\xff", "v".repeat(100)])
  }

  /** Most often a valid list; else one that is wrong in one way. */
  private acl(): ByteString {
    const { dice } = this
    const entry = (tag: number, id = 0xffff_ffff): Acl.AclEntry => ({ tag, permissions: dice.below(8), id })
    const people = ids.filter(() => dice.chance(35)).map((id) => entry(Acl.USER, id))
    const groups = gids.filter(() => dice.chance(25)).map((id) => entry(Acl.GROUP, id))
    const needsMask = people.length + groups.length > 0
    const mask = needsMask || dice.chance(20) ? [entry(Acl.MASK)] : []
    const acl = [entry(Acl.USER_OBJ), ...people, entry(Acl.GROUP_OBJ), ...groups, ...mask, entry(Acl.OTHER)]
    if (dice.chance(85)) return Acl.format(acl)
    const at = dice.below(acl.length)
    const broken = acl[at] as Acl.AclEntry
    const replaced = (entry: Acl.AclEntry): ByteString => Acl.format(acl.with(at, entry))
    return dice.of([
      () => "",
      () => "\x02\x00",
      () => "\x02\x00\x00\x00",
      () => "\x01\x00\x00\x00",
      () => `\x01${Acl.format(acl).slice(1)}`,
      () => Acl.format(acl).slice(0, -1),
      () => Acl.format(acl.toSpliced(at, 1)),
      () => Acl.format(acl.toReversed()),
      () => Acl.format([...acl, broken]),
      () => replaced({ ...broken, permissions: 8 }),
      () => replaced({ ...broken, tag: 0x40 }),
      () => replaced({ ...broken, id: 0xffff_ffff }),
      () => replaced({ ...broken, id: 77 })
    ])()
  }
}

/** cap_net_raw, permitted and effective, in revision 2 of vfs_cap_data. */
const CAPABILITY = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

const weights: ReadonlyArray<readonly [number, Call]> = [
  [18, "create"],
  [10, "open"],
  [2, "close"],
  [16, "mkdir"],
  [6, "mknod"],
  [6, "symlink"],
  [1, "readlink"],
  [7, "link"],
  [6, "unlink"],
  [4, "rmdir"],
  [12, "rename"],
  [9, "chmod"],
  [9, "chown"],
  [5, "truncate"],
  [6, "utimens"],
  [5, "access"],
  [2, "stat"],
  [2, "list"],
  [14, "setxattr"],
  [4, "getxattr"],
  [5, "removexattr"],
  [2, "listxattr"],
  [4, "ftruncate"],
  [9, "write"],
  [7, "fallocate"],
  [7, "seek"],
  [6, "copy"]
]
