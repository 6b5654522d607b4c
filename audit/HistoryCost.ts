/**
 * What histories hold in the block store: for every slice that files ever referred to, who needs it still - live
 * files, named snapshots, the history within its retention - and the bytes that this costs. Read from the journals
 * alone, each once. It removes nothing.
 *
 * A slice counts with all its bytes, as small files share one and it goes as a whole. Those that files never referred
 * to, such as of an upload that goes on, are not in here.
 */
import { HistoryBroken } from "#audit/JournalStream.ts"
import { type Apply, replay } from "#audit/Replay.ts"
import type { ClientService } from "#client/Client.ts"
import type { PosixError, TransportError } from "#client/ClientError.ts"
import * as Batch from "#domain/Batch.ts"
import type { Event } from "#domain/Event.ts"
import * as Extents from "#domain/Extents.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Mode from "#domain/Mode.ts"
import type { NamedSnapshot } from "#domain/NamedSnapshot.ts"
import type { Inode } from "#domain/state/Inode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** The zones' files have referred to more slices than are counted at a time. */
export class SlicesTooMany extends Data.TaggedError("SlicesTooMany")<{ readonly zone: number }> {
  override get message(): string {
    return `zone ${this.zone}: with its slices there are more than ${
      SLICES_MAX.toLocaleString("en")
    }, as many as are ` +
      "counted at a time; --zone counts one zone alone"
  }
}

export interface Slice {
  readonly bytes: number
  /** Extents of live files that are parts of it. */
  extents: number
  /** When a file last let go of a part of it: with no extents left, the end of its last moment in the history. */
  released: Timestamp.Timestamp
  /** Place of the one snapshot that refers to it, or one of the two below. */
  snapshot: number
}

const NO_SNAPSHOT = -1
const SEVERAL_SNAPSHOTS = -2

/** A snapshot, and what is in it. */
export interface SnapshotContents {
  readonly snapshot: NamedSnapshot
  /** All but folders, each once however many names it has. */
  files: number
  /** Bytes that the files hold, holes left out. */
  bytes: number
}

/** All that is known of the slices of some zones. It knows nothing of a retention yet. */
export interface History {
  readonly slices: ReadonlyMap<number, Slice>
  readonly snapshots: ReadonlyArray<SnapshotContents>
}

export interface SnapshotCost extends SnapshotContents {
  /** Bytes that nothing needs once this one alone is removed. */
  readonly cost: number
}

/** Bytes of slices by who needs them; each slice is in one sum. */
export interface Cost {
  readonly live: number
  /** With what one of them needs, and nothing else does. In order of zones, then of events. */
  readonly snapshots: ReadonlyArray<SnapshotCost>
  /** Several snapshots, and nothing else. */
  readonly shared: number
  /** Snapshots and the history within the retention: both must let go. */
  readonly both: number
  /** The history within the retention, and nothing else. */
  readonly history: number
  readonly nothing: number
}

/** Zones that are replayed at a time, each with its whole state. */
const ZONES_AT_ONCE = 4
const SLICES_MAX = 2 ** 23

/**
 * Reads the zones' histories up to now. The caller is root: others do not see all snapshots. What was cloned to zones
 * that are left out is not known, so only a history of all zones tells what may go. `onRow` is told how far a zone is.
 */
export const read = (
  client: ClientService,
  zones: ReadonlyArray<number>,
  onRow: (zone: number) => (sequence: number) => void = () => () => undefined
): Effect.Effect<History, HistoryBroken | SlicesTooMany | PosixError | TransportError> =>
  Effect.gen(function*() {
    const slices = new Map<number, Slice>()
    const snapshots: Array<SnapshotContents> = []
    yield* Effect.forEach(zones, (zone) =>
      Effect.gen(function*() {
        const link = yield* client.zone(zone)
        // In this order: a snapshot that the journal has up to there is in the list, or removed by now.
        const { sequence } = yield* link.ask((runner) => runner.Status({ zone, digest: false }))
        const listed = yield* client.call("listSnapshots", { directory: InodeNumber.rootOf(zone), all: true })
        const observer = new Observer(slices, snapshots, listed.snapshots)
        const { state } = yield* replay(client, zone, sequence, onRow(zone), observer.apply)
        if (state.sequence < sequence) {
          const reason = `the zone has ${sequence} events, its journal ends at ${state.sequence}`
          yield* new HistoryBroken({ zone, sequence: state.sequence + 1, reason })
        }
      }), { concurrency: ZONES_AT_ONCE, discard: true })
    return { slices, snapshots }
  })

/** The slices that must stay: those that live files, snapshots or the history from a moment on (all of it) need. */
export function* slicesToKeep({ slices }: History, since: Timestamp.Timestamp | undefined): Generator<number> {
  for (const [number, slice] of slices) if (needOf(slice, since) !== "nothing") yield number
}

export const costOf = ({ slices, snapshots }: History, since: Timestamp.Timestamp | undefined): Cost => {
  const sums = { live: 0, alone: 0, shared: 0, both: 0, history: 0, nothing: 0 }
  const costs = snapshots.map((contents) => ({ ...contents, cost: 0 }))
  for (const slice of slices.values()) {
    const need = needOf(slice, since)
    sums[need] += slice.bytes
    const snapshot = costs[slice.snapshot]
    if (need === "alone" && snapshot !== undefined) snapshot.cost += slice.bytes
  }
  const { alone: _, ...rest } = sums
  return { ...rest, snapshots: costs.sort(byZoneAndTime) }
}

const byZoneAndTime = ({ snapshot: a }: SnapshotCost, { snapshot: b }: SnapshotCost): number =>
  InodeNumber.zoneOf(a.directory) - InodeNumber.zoneOf(b.directory) || a.sequence - b.sequence

type Need = "live" | "alone" | "shared" | "both" | "history" | "nothing"

const needOf = ({ extents, released, snapshot }: Slice, since: Timestamp.Timestamp | undefined): Need => {
  if (extents > 0) return "live"
  const isPast = since === undefined || Timestamp.compare(released, since) >= 0
  if (snapshot === NO_SNAPSHOT) return isPast ? "history" : "nothing"
  if (isPast) return "both"
  return snapshot === SEVERAL_SNAPSHOTS ? "shared" : "alone"
}

/** Replays one zone, and notes in the table of all what each command takes and lets go. */
class Observer {
  private readonly slices: Map<number, Slice>
  private readonly snapshots: Array<SnapshotContents>
  /** The zone's snapshots that are not removed, by the event that took them. */
  private readonly named: ReadonlyMap<number, NamedSnapshot>

  constructor(
    slices: Map<number, Slice>,
    snapshots: Array<SnapshotContents>,
    named: ReadonlyArray<NamedSnapshot>
  ) {
    this.slices = slices
    this.snapshots = snapshots
    this.named = new Map(named.map((snapshot) => [snapshot.sequence, snapshot]))
  }

  readonly apply: Apply<SlicesTooMany> = (state, batch, answered) =>
    Effect.suspend(() => {
      state.time = batch.time
      for (const record of batch.records) {
        const before = extentsBefore(state, record.events)
        Batch.apply(state, { time: batch.time, records: [record], floors: [] }, answered)
        for (const [number, extents] of before) this.changed(state, number, extents)
        const named = record.events.at(-1)?._tag === "SnapshotTaken" ? this.named.get(state.sequence) : undefined
        if (named !== undefined) this.taken(state, named)
      }
      Batch.raiseFloors(state, batch.floors)
      return this.slices.size > SLICES_MAX ? Effect.fail(new SlicesTooMany({ zone: state.zone })) : Effect.void
    })

  private changed(state: ZoneState, number: InodeNumber.InodeNumber, before: Extents.Extents): void {
    const after = extentsOf(state, number)
    for (const extent of after) this.sliceOf(extent).extents++
    for (const extent of before) {
      const slice = this.sliceOf(extent)
      slice.extents--
      // Zones are read side by side, so the last one to let go is not the last one that is seen to.
      slice.released = Timestamp.later(slice.released, state.time)
    }
  }

  private taken(state: ZoneState, snapshot: NamedSnapshot): void {
    const contents = { snapshot, files: 0, bytes: 0 }
    const place = this.snapshots.push(contents) - 1
    for (const file of filesBelow(state, snapshot.directory)) {
      contents.files++
      for (const extent of file.extents) {
        contents.bytes += extent.length
        const slice = this.sliceOf(extent)
        if (slice.snapshot === NO_SNAPSHOT) slice.snapshot = place
        else if (slice.snapshot !== place) slice.snapshot = SEVERAL_SNAPSHOTS
      }
    }
  }

  private sliceOf({ slice: number, sliceBytes }: Extents.Extent): Slice {
    let slice = this.slices.get(number)
    if (slice === undefined) {
      slice = { bytes: sliceBytes, extents: 0, released: Timestamp.zero, snapshot: NO_SNAPSHOT }
      this.slices.set(number, slice)
    }
    return slice
  }
}

/** Extents, as they are now, of every inode of which the events may take some. */
const extentsBefore = (
  state: ZoneState,
  events: ReadonlyArray<Event>
): ReadonlyMap<InodeNumber.InodeNumber, Extents.Extents> => {
  const before = new Map<InodeNumber.InodeNumber, Extents.Extents>()
  const note = (number: InodeNumber.InodeNumber): void => {
    if (!before.has(number)) before.set(number, extentsOf(state, number))
  }
  for (const event of events) {
    switch (event._tag) {
      case "ContentReplaced":
      case "SizeSet":
      case "RangeShifted":
      case "EntryRemoved":
      case "LockReleased":
      case "LockAbandoned":
        note(event.inode)
        break
      case "EntryMoved":
        note(event.replaced)
        break
      case "FileReleased": {
        const open = state.sessions.get(event.session)?.opens.get(event.handle)
        if (open !== undefined) note(open.inode)
        break
      }
      case "SessionEnded":
        for (const { inode } of state.sessions.get(event.session)?.opens.values() ?? []) note(inode)
        for (const inode of state.locked.keys()) note(inode)
    }
  }
  return before
}

const extentsOf = (state: ZoneState, number: InodeNumber.InodeNumber): Extents.Extents =>
  state.inode(number)?.extents ?? Extents.empty

/** All below a directory but directories, each once. */
function* filesBelow(state: ZoneState, directory: InodeNumber.InodeNumber): Generator<Inode> {
  const pending = [directory]
  const linked = new Set<InodeNumber.InodeNumber>()
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const files: Array<Inode> = []
    state.expect(next).entries?.walk("", (_, number) => {
      const inode = state.expect(number)
      if (Mode.isDirectory(inode.mode)) pending.push(number)
      else if (inode.nlink === 1 || !linked.has(number)) {
        if (inode.nlink > 1) linked.add(number)
        files.push(inode)
      }
      return true
    })
    yield* files
  }
}
