/** Fills a zone's state by events alone, as a replay would: the engine without messages, journal and network. */
import { evolve } from "#domain/Evolve.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Mode from "#domain/Mode.ts"
import { ZoneState } from "#domain/state/ZoneState.ts"
import * as Timestamp from "#domain/Timestamp.ts"

const UID = 1000
/** Events that share a batch, and so a moment. */
export const BATCH = 500
const BATCH_NANOS = 2_000_000

export const founded = (): ZoneState => {
  const state = new ZoneState(0)
  state.time = Timestamp.make(1_700_000_000, 0)
  evolve(state, { _tag: "ZoneFounded", zone: 0, mode: Mode.S_IFDIR | 0o755, uid: 0, gid: 0 })
  return state
}

/** The next batch's moment. */
export const tick = (state: ZoneState): void => {
  const nanos = state.time.nanos + BATCH_NANOS
  state.time = nanos < 1e9
    ? Timestamp.make(state.time.seconds, nanos)
    : Timestamp.make(state.time.seconds + 1, nanos - 1e9)
}

export const create = (state: ZoneState, parent: number, name: string, mode: number): number => {
  const inode = InodeNumber.make(state.zone, state.nextInode)
  evolve(state, { _tag: "InodeCreated", parent, name, inode, mode, uid: UID, gid: UID, rdev: 0, target: "" })
  return inode
}

/** Regular files of these names in one directory. */
export const createAll = (state: ZoneState, parent: number, count: number, nameAt: (index: number) => string): void => {
  const mode = Mode.S_IFREG | 0o644
  for (let index = 0; index < count; index++) {
    if (index % BATCH === 0) tick(state)
    create(state, parent, nameAt(index), mode)
  }
}
