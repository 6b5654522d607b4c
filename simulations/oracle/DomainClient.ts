/**
 * Asks a zone as a client does, and does the part of a system call that the kernel does before it asks a file
 * system: walking paths with the caller's rights, following symbolic links, and the restrictions of
 * /proc/sys/fs/protected_*. It decides nothing that the domain decides.
 */
import * as Access from "#domain/Access.ts"
import type { Attributes } from "#domain/Attributes.ts"
import type { ByteString } from "#domain/ByteString.ts"
import { Reader } from "#domain/codec/Reader.ts"
import * as Credentials from "#domain/Credentials.ts"
import { Decider, SESSION_ENDED, WAITS } from "#domain/Decide.ts"
import { Errno } from "#domain/Errno.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import type { Operation } from "#domain/Operation.ts"
import { operations } from "#domain/Operations.ts"
import type { Inode } from "#domain/state/Inode.ts"
import { ZoneState } from "#domain/state/ZoneState.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import type { Path } from "#simulations/oracle/Step.ts"
import type { Traits } from "#simulations/oracle/Traits.ts"

/** The domain's clock starts here, later than any time that a script sets. */
export const FIRST_SECOND = 3_000_000_000

const SESSION = 1
const DESCRIPTOR = { client: "oracle", host: "here", user: "root", uid: 0, pid: 1 }

/** Where a path ends. */
export interface Place {
  readonly parent: number
  readonly name: ByteString
}

type Call = <Request, Reply>(operation: Operation<Request, Reply>, request: Request) => Reply | Errno

export class DomainClient {
  readonly state = new ZoneState(0)
  who: Credentials.Credentials = Credentials.root
  private readonly decider = new Decider(this.state)
  private readonly traits: Traits
  private second = FIRST_SECOND
  private request = 0

  constructor(traits: Traits) {
    this.traits = traits
    this.batch(
      Credentials.root,
      () => this.decider.decideOwn(operations.foundZone, { inode: InodeNumber.ROOT, mode: Mode.S_IFDIR | 0o755 })
    )
  }

  /** Decides what `ask` asks at one moment, a second after the last. */
  batch<Value>(who: Credentials.Credentials, ask: () => Value): Value {
    this.who = who
    this.decider.begin(Timestamp.make(++this.second, 0))
    const value = ask()
    this.decider.take()
    return value
  }

  readonly call: Call = (operation, request) => {
    const decisions = this.decider.decide({
      zone: 0,
      epoch: 1,
      session: SESSION,
      floor: this.request,
      known: this.state.sessions.has(SESSION),
      descriptor: DESCRIPTOR,
      commands: [{
        operation: operation as Operation<unknown, unknown>,
        number: ++this.request,
        who: this.who,
        request
      }]
    })
    const decision = decisions === SESSION_ENDED ? undefined : decisions[0]
    if (decision === undefined || decision === WAITS) throw new Error(`${operation.name} got no answer`)
    const reader = new Reader(Buffer.from(decision.reply, "latin1"))
    const errno = reader.u16()
    return errno === 0 ? operation.reply.read(reader) : (errno as Errno)
  }

  /** Asks about what stands at a path. */
  at<Reply>(path: Path, follow: boolean, use: (inode: number) => Reply): Reply | Errno {
    if (path.length === 0) return use(InodeNumber.ROOT)
    const place = this.walk(path, follow)
    if (typeof place === "number") return place
    const found = this.call(operations.lookup, place)
    return typeof found === "number" ? found : use(found.attributes.inode)
  }

  /**
   * The directory and the name that a path ends in, with the caller's rights to search; the last component may
   * be followed if it is a symbolic link. As link_path_walk of Linux; targets of these scripts are relative.
   */
  walk(path: Path, follow: boolean): Place | Errno {
    let at: number = InodeNumber.ROOT
    let pending = path
    for (let links = 0; links <= Limits.symlinkDepthMax; links++) {
      const { errno, found } = this.found(at, pending.slice(0, -1))
      if (errno !== 0) return errno
      const before = found.filter(({ mode }) => !Mode.isSymlink(mode))
      at = before.at(-1)?.inode ?? at
      let symlink = found[before.length]
      let rest = pending.slice(before.length + 1)
      if (symlink === undefined) {
        const place: Place = { parent: at, name: pending.at(-1) ?? "" }
        symlink = follow ? this.symlinkAt(place) : undefined
        if (symlink === undefined) return place
        if (!this.mayFollow(this.state.expect(at), symlink)) return Errno.EACCES
        rest = []
      }
      const reply = this.call(operations.readLink, { inode: symlink.inode })
      if (typeof reply === "number") return reply
      pending = [...reply.target.split("/"), ...rest]
    }
    return Errno.ELOOP
  }

  /** As far as the zone walks: to the end, to a symbolic link or to an error. */
  private found(start: number, names: Path): { readonly errno: Errno | 0; readonly found: ReadonlyArray<Attributes> } {
    const reply = this.call(operations.walk, { start, names })
    return typeof reply === "number" ? { errno: reply, found: [] } : { ...reply, errno: reply.errno as Errno | 0 }
  }

  private symlinkAt(place: Place): Attributes | undefined {
    const reply = this.call(operations.lookup, place)
    return typeof reply === "number" || !Mode.isSymlink(reply.attributes.mode) ? undefined : reply.attributes
  }

  peek({ name, parent }: Place): Inode | undefined {
    const found = this.call(operations.lookup, { parent, name })
    return typeof found === "number" ? undefined : this.state.expect(found.attributes.inode)
  }

  /** /proc/sys/fs/protected_symlinks: may_follow_link of Linux. */
  private mayFollow(directory: Inode, link: Attributes): boolean {
    const shared = (directory.mode & SHARED) === SHARED
    return this.traits.protectedSymlinks === 0 || !shared || link.uid === this.who.uid || directory.uid === link.uid
  }

  /** /proc/sys/fs/protected_hardlinks: may_linkat and safe_hardlink_source of Linux. */
  maySourceLink(inode: Inode): boolean {
    if (this.traits.protectedHardlinks === 0 || Access.owns(inode, this.who)) return true
    const setGroupId = Mode.S_ISGID | Mode.S_IXGRP
    return Mode.isRegular(inode.mode) && (inode.mode & Mode.S_ISUID) === 0 &&
      (inode.mode & setGroupId) !== setGroupId && Access.permits(inode, this.who, Access.READ | Access.WRITE)
  }

  /** /proc/sys/fs/protected_regular and protected_fifos: may_create_in_sticky of Linux. */
  creationProblem(place: Place, existing: Inode | undefined, exclusive: boolean): Errno | undefined {
    if (existing === undefined || existing.entries !== undefined || exclusive) return undefined
    const type = existing.mode & Mode.S_IFMT
    const level = type === Mode.S_IFREG
      ? this.traits.protectedRegular
      : type === Mode.S_IFIFO
      ? this.traits.protectedFifos
      : 1
    const directory = this.state.expect(place.parent)
    const sticky = (directory.mode & Mode.S_ISVTX) !== 0
    if (level === 0 || !sticky || existing.uid === directory.uid || existing.uid === this.who.uid) return undefined
    const reach = level >= 2 ? 0o022 : 0o002
    return (directory.mode & reach) === 0 ? undefined : Errno.EACCES
  }
}

const SHARED = Mode.S_ISVTX | 0o002
