import * as HistoryCost from "#audit/HistoryCost.ts"
import type { ClientService } from "#client/Client.ts"
import { type FileSystemService, pathOf } from "#client/FileSystem.ts"
import * as Batch from "#domain/Batch.ts"
import * as BatchCodec from "#domain/codec/BatchCodec.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Locks from "#domain/Locks.ts"
import * as Mode from "#domain/Mode.ts"
import { COLLAPSE_RANGE } from "#domain/operations/Allocate.ts"
import { ZoneState } from "#domain/state/ZoneState.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import { Traffic } from "#domain/testing/Traffic.ts"
import type { Kept } from "#domain/testing/World.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as Chain from "#persistence/Chain.ts"
import * as Cluster from "#runners/testing/Cluster.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describe, expect } from "vitest"

/** A cluster's file system as one more client has it, in that client's scope. */
const clients = Effect.gen(function*() {
  const cluster = yield* Cluster.make
  const server = yield* cluster.runner()
  return cluster.fileSystem([server.address])
})
const fileSystem = Effect.flatten(clients)

const place = (fs: FileSystemService, path: string) => fs.resolve(pathOf(path), false)

const mkdir = (fs: FileSystemService, path: string) =>
  Effect.flatMap(place(fs, path), ({ name, parent }) =>
    Effect.map(
      fs.call("makeDirectory", { parent, name, mode: 0o755, umask: 0 }, path),
      ({ attributes }) => attributes.inode
    ))

const create = (fs: FileSystemService, path: string) =>
  Effect.flatMap(place(fs, path), ({ name, parent }) =>
    Effect.map(
      fs.call("create", { parent, name, mode: 0o644, umask: 0, exclusive: false, truncate: true, access: 0 }, path),
      ({ attributes }) => attributes.inode
    ))

/** Bytes of a slice of their own; nobody will read them, so they are not stored. */
const write = (fs: FileSystemService, inode: number, offset: number, length: number) =>
  Effect.gen(function*() {
    const slice = yield* fs.numbers.take(InodeNumber.zoneOf(inode))
    const pieces = [{ length, slice, sliceOffset: 0, sliceBytes: length }]
    yield* fs.call("write", { inode, handle: 0, offset, append: false, pieces }, "")
    return slice
  })

/** A file with so many bytes, new or instead of what was there. */
const put = (fs: FileSystemService, path: string, length: number) =>
  Effect.flatMap(create(fs, path), (inode) => Effect.as(write(fs, inode, 0, length), inode))

const remove = (fs: FileSystemService, path: string) =>
  Effect.flatMap(place(fs, path), ({ name, parent }) => fs.call("unlink", { parent, name }, path))

const truncate = (fs: FileSystemService, inode: number, size: number) => {
  const unset = { handle: 0, mode: undefined, uid: undefined, gid: undefined, atime: undefined, mtime: undefined }
  return fs.call("setAttributes", { ...unset, inode, size }, "")
}

const clone = (fs: FileSystemService, source: number, path: string, length: number) =>
  Effect.flatMap(create(fs, path), (target) =>
    fs.call("copyRange", {
      source,
      sourceHandle: 0,
      sourceOffset: 0,
      target,
      targetHandle: 0,
      targetOffset: 0,
      length
    }, path))

const take = (fs: FileSystemService, directory: number, name: string) =>
  Effect.map(fs.call("takeSnapshot", { directory, name, path: "/d" }, ""), ({ snapshot }) => snapshot)

const zonesOf = ({ client }: FileSystemService) => Array.from({ length: client.info.zones }, (_, zone) => zone)
const read = (fs: FileSystemService, zones = zonesOf(fs)) => HistoryCost.read(fs.client, zones)

/** Sums, and the snapshots as lists of name, files, bytes and cost. */
const figuresOf = (history: HistoryCost.History, since?: Timestamp.Timestamp) => {
  const { snapshots, ...sums } = HistoryCost.costOf(history, since)
  return {
    ...sums,
    snapshots: snapshots.map(({ bytes, cost, files, snapshot }) => [snapshot.name, files, bytes, cost])
  }
}

const NONE = { live: 0, shared: 0, both: 0, history: 0, nothing: 0, snapshots: [] }
/** No history is as young as this: it is kept for no time at all. */
const NO_RETENTION = Timestamp.make(2 ** 40, 0)

describe("what history costs", () => {
  it.scopedLive(
    "is told slice by slice: live, in one snapshot, in several, within the retention, in nothing",
    () =>
      Effect.gen(function*() {
        const fs = yield* fileSystem
        expect(figuresOf(yield* read(fs))).toEqual(NONE)
        const d = yield* mkdir(fs, "/d")
        yield* mkdir(fs, "/d/sub")
        yield* put(fs, "/d/overwritten", 1)
        const b = yield* put(fs, "/d/sub/cloned", 20)
        yield* clone(fs, b, "/d/clone", 20)
        yield* put(fs, "/d/sub/removed", 300)
        const outside = yield* put(fs, "/outside", 4000)
        const cut = yield* put(fs, "/d/cut", 50_000)
        yield* fs.call("link", { inode: cut, parent: d, name: "hard" }, "")
        yield* put(fs, "/d/both", 600_000)
        const one = yield* take(fs, d, "one")

        yield* put(fs, "/d/overwritten", 2)
        yield* remove(fs, "/d/sub/cloned")
        yield* remove(fs, "/d/sub/removed")
        yield* truncate(fs, outside, 0)
        yield* truncate(fs, cut, 7)
        yield* put(fs, "/d/only-two", 7_000_000)
        const two = yield* take(fs, d, "two")

        yield* remove(fs, "/d/only-two")
        yield* remove(fs, "/d/both")
        yield* put(fs, "/outside", 60_000_000)
        yield* remove(fs, "/outside")

        const live = 2 + 20 + 50_000
        const contents = [1 + 20 + 20 + 300 + 50_000 + 600_000, 2 + 20 + 7 + 600_000 + 7_000_000] as const
        const history = yield* read(fs)
        expect(figuresOf(history)).toEqual({
          ...NONE,
          live,
          both: 1 + 300 + 600_000 + 7_000_000,
          history: 4000 + 60_000_000,
          snapshots: [["one", 6, contents[0], 0], ["two", 5, contents[1], 0]]
        })
        expect(figuresOf(history, NO_RETENTION)).toEqual({
          ...NONE,
          live,
          shared: 600_000,
          nothing: 4000 + 60_000_000,
          snapshots: [["one", 6, contents[0], 1 + 300], ["two", 5, contents[1], 7_000_000]]
        })
        expect(figuresOf(history, two.time)).toEqual({
          ...NONE,
          live,
          both: 600_000 + 7_000_000,
          history: 60_000_000,
          nothing: 4000,
          snapshots: [["one", 6, contents[0], 1 + 300], ["two", 5, contents[1], 0]]
        })
        expect(figuresOf(history, one.time)).toEqual(figuresOf(history))

        yield* fs.call("removeSnapshot", { directory: d, name: "one" }, "")
        expect(figuresOf(yield* read(fs), NO_RETENTION)).toEqual({
          ...NONE,
          live,
          nothing: 1 + 300 + 4000 + 60_000_000,
          snapshots: [["two", 5, contents[1], 600_000 + 7_000_000]]
        })
      }),
    60_000
  )

  it.scopedLive(
    "counts a file without a name until its last open or lock ends, and what moves and ranges take away",
    () =>
      Effect.gen(function*() {
        const client = yield* clients
        const fs = yield* client
        const open = yield* put(fs, "/open", 5)
        const { handle } = yield* fs.call("open", { inode: open, access: 1, truncate: false }, "")
        yield* remove(fs, "/open")
        const lock = { family: "flock", owner: 1, start: 0, end: Locks.END } as const
        const taken = { ...lock, type: "write", pid: 1, wait: false } as const
        const unlocked = yield* put(fs, "/unlocked", 10_000)
        yield* fs.client.lock({ inode: unlocked, ...taken })
        yield* remove(fs, "/unlocked")
        yield* Effect.scoped(Effect.gen(function*() {
          const other = yield* client
          const opened = yield* put(fs, "/opened", 200_000)
          yield* other.call("open", { inode: opened, access: 1, truncate: false }, "")
          const locked = yield* put(fs, "/locked", 3_000_000)
          yield* other.client.lock({ inode: locked, ...taken })
          yield* remove(fs, "/opened")
          yield* remove(fs, "/locked")
          expect(figuresOf(yield* read(fs), NO_RETENTION)).toEqual({ ...NONE, live: 5 + 10_000 + 200_000 + 3_000_000 })
        }))
        expect(figuresOf(yield* read(fs), NO_RETENTION)).toEqual({ ...NONE, live: 5 + 10_000, nothing: 3_200_000 })
        yield* fs.call("unlock", { inode: unlocked, ...lock }, "")
        yield* put(fs, "/from", 60)
        yield* put(fs, "/to", 700)
        const ranges = yield* put(fs, "/ranges", 4096)
        yield* write(fs, ranges, 4096, 8192)
        expect(figuresOf(yield* read(fs), NO_RETENTION)).toEqual({
          ...NONE,
          live: 5 + 60 + 700 + 4096 + 8192,
          nothing: 3_210_000
        })

        yield* fs.call("release", { inode: open, handle }, "")
        const parent = InodeNumber.ROOT
        yield* fs.call("rename", {
          fromParent: parent,
          fromName: "from",
          toParent: parent,
          toName: "to",
          mode: "replace"
        }, "")
        yield* fs.call("allocate", { inode: ranges, handle: 0, mode: COLLAPSE_RANGE, offset: 0, length: 4096 }, "")
        expect(figuresOf(yield* read(fs), NO_RETENTION)).toEqual({
          ...NONE,
          live: 60 + 8192,
          nothing: 5 + 700 + 4096 + 3_210_000
        })
      }),
    60_000
  )

  it.scopedLive("knows what a zone gave to another one, if it reads both", () =>
    Effect.gen(function*() {
      const fs = yield* fileSystem
      const source = yield* put(fs, "/.zones/3/x", 9)
      const slice = yield* write(fs, source, 0, 10)
      const target = yield* create(fs, "/x")
      const pieces = [{ length: 10, slice, sliceOffset: 0, sliceBytes: 10 }]
      yield* fs.call("write", { inode: target, handle: 0, offset: 0, append: false, pieces }, "")
      yield* remove(fs, "/.zones/3/x")
      expect(figuresOf(yield* read(fs), NO_RETENTION)).toEqual({ ...NONE, live: 10, nothing: 9 })
      expect(figuresOf(yield* read(fs, [3]), NO_RETENTION)).toEqual({ ...NONE, nothing: 9 + 10 })
      const later = yield* take(fs, InodeNumber.rootOf(3), "later")
      yield* remove(fs, "/x")
      const history = yield* read(fs)
      const snapshots = [["later", 0, 0, 0]]
      expect(figuresOf(history, later.time)).toEqual({ ...NONE, history: 10, nothing: 9, snapshots })
      expect([...HistoryCost.slicesToKeep(history, later.time)]).toEqual([slice])
      expect([...HistoryCost.slicesToKeep(history, NO_RETENTION)]).toEqual([])
      expect([...HistoryCost.slicesToKeep(history, undefined)].length).toBe(2)
    }), 60_000)
})

/** A client of one zone that has this journal. */
const clientOf = (journal: ReadonlyArray<Kept>, state: ZoneState): ClientService => {
  const rows: Array<Chain.JournalRow> = []
  let head = Chain.START
  for (const { payload, time } of journal) {
    const first = head.sequence + 1
    const last = head.sequence + Batch.eventCount(BatchCodec.decode(payload, time))
    const row = { zone: 0, first, last, epoch: 1, time, codec: BatchCodec.VERSION, payload, previous: head.hash }
    rows.push({ ...row, hash: Chain.hashOf(row) })
    head = Chain.headOf(rows.at(-1) as Chain.JournalRow)
  }
  const runner = {
    Status: () => Effect.succeed({ sequence: state.sequence }),
    ReadJournal: ({ after }: { readonly after: number }) =>
      Effect.succeed(rows.filter(({ last }) => last > after).map(({ time, ...row }) => ({ ...row, ...time })))
  }
  const asked = (use: (to: typeof runner) => unknown) => use(runner)
  return {
    zone: () => Effect.succeed({ ask: asked }),
    anyRunner: asked,
    call: () => Effect.succeed({ snapshots: state.snapshots })
  } as unknown as ClientService
}

interface Held {
  /** Extents that refer to it now. */
  extents: number
  released: Timestamp.Timestamp
  readonly snapshots: Set<string>
}

/** All extents below a directory; of all files, those without a name too, if there is none. */
const slicesIn = (state: ZoneState, directory?: number): ReadonlyArray<number> => {
  if (directory === undefined) return [...state.inodes()].flatMap(({ extents }) => extents.map(({ slice }) => slice))
  const numbers: Array<number> = []
  state.expect(directory).entries?.walk("", (_, number) => numbers.push(number) > 0)
  return numbers.flatMap((number) => {
    const inode = state.expect(number)
    return Mode.isDirectory(inode.mode) ? slicesIn(state, number) : inode.extents.map(({ slice }) => slice)
  })
}

/** The same table, made by looking at all files after each command. */
const lookedUp = (journal: ReadonlyArray<Kept>): { readonly table: Map<number, Held>; readonly state: ZoneState } => {
  const state = new ZoneState(0)
  const table = new Map<number, Held>()
  for (const { payload, time } of journal) {
    const { floors, records } = BatchCodec.decode(payload, time)
    for (const [index, record] of records.entries()) {
      Batch.apply(state, { time, records: [record], floors: index === records.length - 1 ? floors : [] })
      const now = slicesIn(state)
      for (const [slice, held] of table) if (held.extents > 0 && !now.includes(slice)) held.released = time
      for (const held of table.values()) held.extents = 0
      for (const slice of now) {
        const held = table.get(slice) ?? { extents: 0, released: Timestamp.zero, snapshots: new Set() }
        table.set(slice, held)
        held.extents++
      }
      for (const event of record.events) {
        if (event._tag !== "SnapshotTaken") continue
        for (const slice of slicesIn(state, event.directory)) {
          table.get(slice)?.snapshots.add(`${event.directory} ${state.sequence}`)
        }
      }
    }
  }
  const kept = new Set(state.snapshots.map(({ directory, sequence }) => `${directory} ${sequence}`))
  for (const { snapshots } of table.values()) for (const one of snapshots) if (!kept.has(one)) snapshots.delete(one)
  return { table, state }
}

const { list } = seedsOf(process.env)

describe("the table of slices", () => {
  it.effect(
    `is what one gets by looking at every file after every command (${list.length} seeds)`,
    () =>
      Effect.gen(function*() {
        for (const seed of list) {
          const traffic = new Traffic(seed)
          traffic.run(150)
          const { journal } = traffic.world
          const { state, table } = lookedUp(journal)
          const { slices } = yield* HistoryCost.read(clientOf(journal, state), [0])
          const counted = [...slices].map(([slice, { extents, released, snapshot }]) => [
            slice,
            extents,
            extents > 0 ? undefined : released,
            Math.max(-2, Math.min(snapshot, 0))
          ])
          const expected = [...table].map(([slice, { extents, released, snapshots: { size } }]) => [
            slice,
            extents,
            extents > 0 ? undefined : released,
            size === 0 ? -1 : size === 1 ? 0 : -2
          ])
          expect(counted.sort(bySlice), `seed ${seed}`).toEqual(expected.sort(bySlice))
        }
      }),
    20_000 + 500 * list.length
  )

  it.effect("is not made of a journal that ends before the zone does", () =>
    Effect.gen(function*() {
      const traffic = new Traffic(1)
      traffic.run(50)
      const { journal } = traffic.world
      const { state } = lookedUp(journal)
      const error = yield* Effect.flip(HistoryCost.read(clientOf(journal.slice(0, -1), state), [0]))
      expect(error.message).toContain(`the zone has ${state.sequence} events, its journal ends at`)
    }))
})

const bySlice = ([a]: ReadonlyArray<unknown>, [b]: ReadonlyArray<unknown>): number => Number(a) - Number(b)
