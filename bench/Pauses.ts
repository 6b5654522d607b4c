/**
 * `bench pauses`: one zone with one very large directory, alive over a journal in memory and packs on a local disk. How
 * long its thread is held at a time while entries come, are listed, renamed and removed, while snapshots are taken, in a
 * memory of a quarter of its size, and when it gives its memory back. The client's own work is part of the turns.
 */
import * as Archiver from "#actors/Archiver.ts"
import { replyOf, ROOT as root, submit, TestClient, TestLease, ZONE as zone } from "#actors/testing/ZoneHarness.ts"
import * as Zone from "#actors/Zone.ts"
import { LoopProbe, PAUSE_MILLIS } from "#bench/LoopProbe.ts"
import { nameOf, scattered } from "#bench/MdtestNames.ts"
import { quantile } from "#bench/Quantile.ts"
import { type Bench, rounded } from "#bench/Report.ts"
import { makeFolder, removeFolder } from "#bench/TemporaryFolder.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { Limits } from "#domain/Limits.ts"
import { BlockStore } from "#persistence/blocks/BlockStore.ts"
import * as DiskBlockStore from "#persistence/blocks/DiskBlockStore.ts"
import type { JournalService } from "#persistence/Journal.ts"
import { Journal } from "#persistence/Journal.ts"
import * as MemoryJournal from "#persistence/MemoryJournal.ts"
import { RunnerLease } from "#persistence/RunnerLeases.ts"
import { others } from "#persistence/Turn.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

const FILES_BY_DEFAULT = 10_000_000
/** Commands of a message, and messages that are on their way at a time. */
const COMMANDS = 512
const MESSAGES = 4
/** Changes of each kind in scattered order. */
const CHANGES = 200_000
/** Commands of a message beside a snapshot. */
const STEADY = 32
/** From one place that these go to in the directory to the next. */
const STEP = 7919
const INCREMENTS = 3
/** Messages of the bounded zone's load. */
const BOUNDED = 500
const MEMORY_BYTES = 8 * 2 ** 30
const IDLE = Duration.seconds(2)
const FLOOR_MILLIS = 20_000
const WARM_UP_FILES = 40_000

type Call = Parameters<TestClient["message"]>[1]

export const pauses: Bench = async ({ files = FILES_BY_DEFAULT }, say) => {
  const probe = new LoopProbe()
  probe.start()
  try {
    const floor = await bareLoop(probe)
    // The compiler has seen all of it before the clock runs.
    await measure(new Run(WARM_UP_FILES, probe, () => undefined))
    probe.gcLongest = 0
    const run = new Run(files, probe, say)
    await measure(run)
    return {
      bench: "pauses",
      figures: { files, ...run.figures, gcLongestMillis: probe.gcLongest },
      beside: { ...floor, ...run.beside },
      ratios: {}
    }
  } finally {
    probe.stop()
  }
}

const measure = async (run: Run): Promise<void> => {
  const folder = makeFolder("pauses")
  const measured = Effect.gen(function*() {
    const store = yield* DiskBlockStore.make({ folder })
    const journal = MemoryJournal.make().service
    yield* run.all(journal).pipe(
      Effect.provideService(BlockStore, store),
      Effect.provideService(Journal, journal),
      Effect.provideService(RunnerLease, new TestLease())
    )
  })
  try {
    await Effect.runPromise(measured)
  } finally {
    removeFolder(folder)
  }
}

/** What the machine itself does to a loop that folds numbers and makes some garbage, a millisecond or so a turn. */
const bareLoop = async (probe: LoopProbe): Promise<Record<string, number>> => {
  const counts = new Float64Array(4096)
  const kept: Array<object> = []
  const end = performance.now() + FLOOR_MILLIS
  for (let turn = 0; performance.now() < end; turn++) {
    for (let i = 0; i < 500_000; i++) counts[i & 4095] = (counts[i & 4095] as number) + i
    for (let i = 0; i < 2000; i++) kept[(turn * 2000 + i) % 100_000] = { turn, i }
    await immediate()
    if (turn === 0) probe.begin()
  }
  const { longest, longestWall, pauses } = probe.turns
  return {
    floorMillis: longest,
    floorWallMillis: longestWall,
    floorPausesPerMinute: (pauses * 60_000) / FLOOR_MILLIS,
    floorGcMillis: probe.gcLongest
  }
}

/** One run over three lives of the zone: with all in memory, with little memory, and one that comes to rest. */
class Run {
  readonly figures: Record<string, number> = {}
  readonly beside: Record<string, number> = {}
  private readonly files: number
  private readonly probe: LoopProbe
  private readonly say: (line: string) => void
  /** How long messages waited for their replies, in milliseconds; of the phase. */
  private waits: Array<number> = []
  private client = new TestClient(1)
  /** First requests of the messages that wait for their replies. */
  private readonly underway = new Set<number>()
  private zone: Zone.Zone | undefined
  /** Commands of `steady` so far. */
  private steadily = 0
  private readonly jump: (index: number) => number
  /** The zone asks for them again and again, so they may change while it lives. */
  private readonly config = {
    zone,
    owner: "bench",
    sessionLease: Duration.hours(1),
    snapshotEvents: Number.POSITIVE_INFINITY,
    archive: Archiver.keeping(undefined),
    archivers: Effect.unsafeMakeSemaphore(1),
    snapshots: Effect.unsafeMakeSemaphore(1),
    memoryBytes: MEMORY_BYTES,
    deflatesPages: false,
    idle: Duration.hours(1)
  }

  constructor(files: number, probe: LoopProbe, say: (line: string) => void) {
    this.files = files
    this.probe = probe
    this.say = say
    this.jump = scattered(files)
  }

  all(journal: JournalService) {
    const { config, files } = this
    const changes = Math.min(CHANGES, Math.floor(files / 4))
    return Effect.gen(this, function*() {
      yield* this.life(Effect.gen(this, function*() {
        yield* this.phase("Insert", this.many(files, (index) => this.create(nameOf(index))))
        yield* this.phase("List", this.list(false))
        yield* this.phase("ListPlus", this.list(true))
        yield* this.phase("InsertScattered", this.many(changes, (index) => this.create(`${this.some(index)}.more`)))
        yield* this.phase(
          "Rename",
          this.many(changes, (index) => [
            "rename",
            {
              fromParent: root,
              fromName: `${this.some(index)}.more`,
              toParent: root,
              toName: `renamed.${index}`,
              mode: "keep"
            }
          ])
        )
        yield* this.phase("Burst", this.burst)
        yield* this.phase(
          "Delete",
          this.many(changes, (index) => ["unlink", { parent: root, name: this.some(index) }])
        )
        yield* this.phase("Snapshot", this.snapshot(journal))
        for (let round = 0; round < INCREMENTS; round++) {
          yield* this.phase("SnapshotNext", this.snapshot(journal))
        }
        yield* this.phase("DeleteRuns", this.deleteRuns(changes))
        yield* this.phase("SnapshotNext", this.snapshot(journal))
      }))
      const [record] = yield* journal.snapshots(zone)
      config.memoryBytes = Math.floor((record?.bytes ?? 0) / 4)
      yield* this.life(this.phase("Bounded", this.steady(BOUNDED)))
      config.memoryBytes = MEMORY_BYTES
      config.idle = IDLE
      yield* this.life(Effect.gen(this, function*() {
        yield* this.phase("LoadAll", this.loadAll)
        yield* this.phase("Rest", Effect.sleep(Duration.times(IDLE, 3)))
        yield* this.phase("Awaken", this.steady(BOUNDED / 10))
      }))
    })
  }

  private life<E, R>(work: Effect.Effect<void, E, R>) {
    return Effect.scoped(Effect.gen(this, function*() {
      this.zone = yield* Zone.make(this.config)
      // It may have to read much before it is.
      yield* Effect.retry(this.zone.ready, { while: ({ _tag }) => _tag === "ZoneUnavailable" })
      yield* work
    }))
  }

  private phase<E, R>(name: string, work: Effect.Effect<void, E, R>) {
    return Effect.gen(this, function*() {
      yield* others
      this.probe.begin()
      this.waits = []
      const began = performance.now()
      yield* work
      // So that what was collected is told.
      yield* Effect.sleep(Duration.millis(1))
      const { longest, longestWall, pauses, worst } = this.probe.turns
      const seconds = (performance.now() - began) / 1000
      this.note(this.figures, `longestPause${name}Millis`, longest)
      if (this.waits.length > 0) this.note(this.figures, `p999${name}Millis`, quantile(this.waits, 0.999))
      this.note(this.beside, `longestWall${name}Millis`, longestWall)
      this.say(
        `  ${name.padEnd(16)} ${
          rounded(seconds)
        } s, ${pauses} over ${PAUSE_MILLIS} ms; longest, ms of CPU (wall, gc): ` +
          worst.map(({ at, gc, millis, wall }) =>
            `${rounded(millis)} (${rounded(wall)}, gc ${rounded(gc)}, at ${Math.round(at)})`
          ).join(", ")
      )
    })
  }

  private note(values: Record<string, number>, key: string, value: number): void {
    values[key] = Math.max(values[key] ?? 0, value)
  }

  /** Commands in messages of a fixed size, several on their way. */
  private many(count: number, callAt: (index: number) => Call) {
    let next = 0
    const send = Effect.gen(this, function*() {
      while (next < count) {
        const from = next
        const length = Math.min(COMMANDS, count - from)
        next += length
        yield* this.send(() => Array.from({ length }, (_, index) => callAt(from + index)))
      }
    })
    return Effect.all(Array.from({ length: MESSAGES }, () => send), { concurrency: "unbounded", discard: true })
  }

  /** The largest messages there may be, as many as make the largest batch. */
  private get burst() {
    const messages = Limits.batchCommandsMax / Limits.messageCommandsMax
    const send = (message: number) =>
      this.send(() =>
        Array.from({ length: Limits.messageCommandsMax }, (_, index) => this.create(`burst.${message}.${index}`))
      )
    return Effect.forEach(Array.from({ length: messages }, (_, message) => message), send, {
      concurrency: "unbounded",
      discard: true
    })
  }

  private list(plus: boolean) {
    return Effect.gen(this, function*() {
      let after = ""
      let listed = 0
      for (let end = false; !end;) {
        const page = yield* this.page(after, Limits.listingEntriesMax, plus)
        listed += page.entries.length
        after = page.entries.at(-1)?.name ?? after
        ;({ end } = page)
      }
      if (listed < this.files) throw new Error(`${listed} of ${this.files} entries were listed`)
    })
  }

  /** Creates and stats in scattered places, as long as a snapshot of everything that changed is taken, and after. */
  private snapshot(journal: JournalService) {
    return Effect.gen(this, function*() {
      const sequence = yield* newest(journal)
      this.config.snapshotEvents = 1
      yield* this.steady(1)
      this.config.snapshotEvents = Number.POSITIVE_INFINITY
      const began = performance.now()
      while ((yield* newest(journal)) === sequence) yield* this.steady(1)
      this.note(this.figures, "snapshotSeconds", (performance.now() - began) / 1000)
      yield* this.steady(100)
    })
  }

  /** A client that works at its own pace. */
  private steady(messages: number) {
    return Effect.gen(this, function*() {
      for (let message = 0; message < messages; message++) {
        yield* this.send(() =>
          Array.from({ length: STEADY }, (_, index) => {
            this.steadily++
            const name = this.some(this.steadily * STEP)
            return index % 2 === 0 ? this.create(`${name}.${this.steadily}`) : ["lookup", { parent: root, name }]
          }), true)
        yield* Effect.sleep(Duration.millis(1))
      }
    })
  }

  /** Removes what lies together, as `rm -r` does: pages become few and go. */
  private deleteRuns(count: number) {
    return Effect.gen(this, function*() {
      for (let removed = 0; removed < count;) {
        const { entries } = yield* this.page("", COMMANDS, false)
        yield* this.send(() => entries.map(({ name }) => ["unlink", { parent: root, name }]))
        removed += entries.length
      }
    })
  }

  private page(after: ByteString, count: number, plus: boolean) {
    return Effect.map(
      this.send(() => [["readDirectory", { inode: root, handle: 0, after, count, plus }]]),
      ([outcome]) => replyOf("readDirectory", outcome)
    )
  }

  private get loadAll() {
    return Effect.suspend(() => (this.zone as Zone.Zone).report(true))
  }

  private answered(commands: ReadonlyArray<MessageCodec.Command>): void {
    const { client, underway } = this
    underway.delete(commands[0]?.number ?? 0)
    client.known = true
    client.floor = underway.size > 0
      ? Math.min(...underway)
      : Math.max(client.floor, 1 + (commands.at(-1)?.number ?? 0))
  }

  private create(name: string): Call {
    return ["create", { parent: root, name, mode: 0o644, umask: 0, exclusive: true, truncate: false, access: 0 }]
  }

  private some(index: number): string {
    return nameOf(this.jump(index % this.files))
  }

  /** One message; its making and the reading of its replies have turns of their own. */
  private send(callsOf: () => ReadonlyArray<Call>, mayFail = false) {
    return Effect.gen(this, function*() {
      const living = this.zone as Zone.Zone
      const { client, probe } = this
      const epoch = yield* living.ready
      yield* others
      const message = probe.apart(() => client.message(epoch, ...callsOf()))
      const { commands } = client
      this.underway.add(commands[0]?.number ?? 0)
      yield* others
      const began = performance.now()
      const replies = yield* submit(living, message)
      this.waits.push(performance.now() - began)
      yield* others
      this.answered(commands)
      const outcomes = probe.apart(() => MessageCodec.decodeReplies(replies, commands))
      const failed = outcomes.find(({ errno }) => errno !== 0)
      if (failed !== undefined && !mayFail) throw new Error(`a command was answered with errno ${failed.errno}`)
      return outcomes
    })
  }
}

const newest = (journal: JournalService) =>
  Effect.map(journal.snapshots(zone), ([record]) => record?.head.sequence ?? 0)

const immediate = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))
