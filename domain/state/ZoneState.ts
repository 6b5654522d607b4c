/**
 * All that one zone knows. Built by `evolve` from events alone: the same events give the same state,
 * and the same bytes from `StateCodec`. It refuses nothing and reads no clock.
 */
import type { ZoneNumber } from "#domain/InodeNumber.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import type { Session } from "#domain/Session.ts"
import type { Inode } from "#domain/state/Inode.ts"
import * as Timestamp from "#domain/Timestamp.ts"

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

  readonly inodes = new Map<InodeNumber.InodeNumber, Inode>()
  readonly sessions = new Map<number, Session>()
  /** Sessions that ended, oldest first, so that a late message cannot revive one. */
  readonly ended = new Set<number>()
  /** Inodes with locks or waiters. */
  readonly locked = new Set<InodeNumber.InodeNumber>()

  constructor(zone: ZoneNumber) {
    this.zone = zone
  }

  get founded(): boolean {
    return this.sequence > 0
  }

  inode(number: InodeNumber.InodeNumber): Inode | undefined {
    return this.inodes.get(number)
  }

  /** An inode that an event speaks of. Its absence means that the journal is not what was written. */
  expect(number: InodeNumber.InodeNumber): Inode {
    const inode = this.inodes.get(number)
    if (inode === undefined) throw new Contradiction(`inode ${number} is not in zone ${this.zone}`, this.sequence)
    return inode
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
