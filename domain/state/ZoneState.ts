/**
 * All that one zone knows, its files in packed pages (`pages/`). Built by `evolve` from events alone: the same events
 * give the same state, and the same bytes from `StateCodec`. It refuses nothing and reads no clock.
 */
import type { ZoneNumber } from "#domain/InodeNumber.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import type { Lock, Waiter } from "#domain/Locks.ts"
import type { NamedSnapshot } from "#domain/NamedSnapshot.ts"
import type { Session } from "#domain/Session.ts"
import { Inode } from "#domain/state/Inode.ts"
import { EntryTree } from "#domain/state/pages/EntryTree.ts"
import { ExtraTable } from "#domain/state/pages/ExtraTable.ts"
import { InodeTable } from "#domain/state/pages/InodeTable.ts"
import { Pages } from "#domain/state/pages/Pages.ts"
import { Slab } from "#domain/state/pages/Slab.ts"
import * as Timestamp from "#domain/Timestamp.ts"

/** Who holds an inode and who waits to; not both are empty. */
export interface Held {
  readonly locks: ReadonlyArray<Lock>
  readonly waiters: ReadonlyArray<Waiter>
}

/** Inodes that `inodeNumbers` finds at a time. */
const INODES_AT_ONCE = 1024

export class ZoneState {
  readonly zone: ZoneNumber
  /** Number of the last event applied; 0 before the zone was founded. */
  sequence = 0
  /** Time of the last batch. It never goes back. */
  time: Timestamp.Timestamp = Timestamp.zero
  /** Local number of the next inode. */
  nextInode = InodeNumber.ROOT_LOCAL
  /** Local number of the next slice. */
  nextSlice = 1
  /** Bytes that files hold, holes left out. */
  dataBytes = 0

  readonly pages = new Pages(new Slab())
  readonly table = new InodeTable(this.pages)
  readonly entries = new EntryTree(this.pages)
  readonly extras = new ExtraTable(this.pages)
  readonly sessions = new Map<number, Session>()
  /** Sessions that ended, oldest first, so that a late message cannot revive one. */
  readonly ended = new Set<number>()
  /** Inodes with locks or waiters, in the order in which they came to them. */
  readonly locked = new Map<InodeNumber.InodeNumber, Held>()
  /** Snapshots that have a name, oldest first. */
  readonly snapshots: Array<NamedSnapshot> = []

  constructor(zone: ZoneNumber) {
    this.zone = zone
  }

  get founded(): boolean {
    return this.sequence > 0
  }

  get inodeCount(): number {
    return this.table.size
  }

  has(number: InodeNumber.InodeNumber): boolean {
    return this.table.has(number)
  }

  inode(number: InodeNumber.InodeNumber): Inode | undefined {
    return this.table.has(number) ? new Inode(this, number) : undefined
  }

  /** An inode that an event speaks of. Its absence means that the journal is not what was written. */
  expect(number: InodeNumber.InodeNumber): Inode {
    if (this.table.has(number)) return new Inode(this, number)
    throw new Contradiction(`inode ${number} is not in zone ${this.zone}`, this.sequence)
  }

  /** All inodes by ascending number. None may come or go meanwhile. */
  *inodes(): Generator<Inode, void, void> {
    for (const number of this.inodeNumbers()) yield new Inode(this, number)
  }

  *inodeNumbers(): Generator<InodeNumber.InodeNumber, void, void> {
    for (let from = 0;;) {
      const found: Array<InodeNumber.InodeNumber> = []
      this.table.walk((number) => found.push(number) < INODES_AT_ONCE, from)
      yield* found
      if (found.length < INODES_AT_ONCE) return
      from = (found.at(-1) as number) + 1
    }
  }

  expectSession(id: number): Session {
    const session = this.sessions.get(id)
    if (session === undefined) throw new Contradiction(`session ${id} is not in zone ${this.zone}`, this.sequence)
    return session
  }

  rememberEnded(session: number): void {
    this.ended.add(session)
    if (this.ended.size > Limits.endedSessionsMax) {
      for (const oldest of this.ended) {
        this.ended.delete(oldest)
        break
      }
    }
  }
}

/** An event that cannot have happened in this state: a defect of the program or a forged journal. */
export class Contradiction extends Error {
  override readonly name = "Contradiction"
  readonly sequence: number

  constructor(what: string, sequence: number) {
    super(`${what} (after event ${sequence})`)
    this.sequence = sequence
  }
}
