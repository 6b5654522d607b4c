/**
 * A zone whose pages come and go, over a journal and a block store in memory: it changes at random, and is told what it
 * must be by a replay of all of its rows.
 */
import * as Batch from "#domain/Batch.ts"
import * as StateCodec from "#domain/codec/StateCodec.ts"
import { Decider } from "#domain/Decide.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { operations } from "#domain/Operations.ts"
import { ZoneState } from "#domain/state/ZoneState.ts"
import { Dice } from "#domain/testing/Dice.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import { BlockStore, type BlockStoreService } from "#persistence/blocks/BlockStore.ts"
import * as MemoryBlockStore from "#persistence/blocks/MemoryBlockStore.ts"
import type { ChainHead } from "#persistence/Chain.ts"
import { Journal, type JournalService, type SnapshotRecord } from "#persistence/Journal.ts"
import * as MemoryJournal from "#persistence/MemoryJournal.ts"
import { fresh, open, type ZonePages } from "#persistence/pages/ZonePages.ts"
import * as Snapshot from "#persistence/Snapshot.ts"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"

export const ZONE = 5
const ROOT = InodeNumber.rootOf(ZONE)
const NAMES = 20_000

export class PagedZone {
  readonly blocks = MemoryBlockStore.make()
  /** What the snapshots see of the store and of the journal; to be replaced by what fails. */
  store: BlockStoreService = this.blocks.service
  readonly memoryJournal = MemoryJournal.make().service
  journal: JournalService = this.memoryJournal
  /** All that happened. */
  readonly batches: Array<Batch.Batch> = []
  pages!: ZonePages
  snapshots!: Snapshot.ZoneSnapshots
  private decider!: Decider
  private readonly dice: Dice
  private readonly memoryBytes: number
  /** Of the next activation. */
  deflatesPages: boolean
  private epoch = 0

  /** Those of odd seeds store cold pages deflated if not told. */
  constructor(seed: number, memoryBytes = 2 ** 30, deflatesPages = seed % 2 === 1) {
    this.dice = new Dice(seed)
    this.memoryBytes = memoryBytes
    this.deflatesPages = deflatesPages
  }

  get head(): ChainHead {
    return { sequence: this.pages.state.sequence, hash: new Uint8Array(32).fill(this.batches.length) }
  }

  /** Founds the zone. */
  readonly found = Effect.gen(this, function*() {
    yield* this.claim
    yield* this.live(fresh(ZONE, this.store, this.memoryBytes))
    this.decider.decideOwn(operations.foundZone, { inode: ROOT, mode: 0o40755 })
    this.commit()
  })

  /** Another activation, from a snapshot. What came after it is replayed. */
  reopen(record: SnapshotRecord) {
    return Effect.gen(this, function*() {
      yield* this.claim
      yield* this.live(yield* this.within(open(record, this.memoryBytes)))
      const { state } = this.pages
      let sequence = 0
      for (const batch of this.batches) {
        sequence += Batch.eventCount(batch)
        if (sequence <= record.head.sequence) continue
        yield* this.pages.loadAll
        Batch.apply(state, batch)
      }
    })
  }

  /** So many changes, in one batch. */
  change(count: number) {
    return Effect.gen(this, function*() {
      for (let done = 0; done < count; done++) {
        const ask = this.request()
        yield* this.pages.retry(() => ask())
      }
      this.commit()
    })
  }

  /** Gives the zone as it is a name. */
  name(name: string) {
    return this.own(() => this.decider.decideOwn(operations.takeSnapshot, { directory: ROOT, name, path: "/" }))
  }

  /** Takes the name away again. */
  forget(name: string) {
    return this.own(() => this.decider.decideOwn(operations.removeSnapshot, { directory: ROOT, name }))
  }

  private own(ask: () => void) {
    return Effect.map(Effect.suspend(() => this.pages.retry(ask)), () => this.commit())
  }

  /** A whole snapshot at once. */
  readonly take = Effect.suspend(() => this.snapshots.begin(this.head).write)

  /** The state's digest, with all pages. */
  readonly digest = Effect.suspend(() => Effect.map(this.pages.loadAll, () => digestOf(this.pages.state)))

  /** The digest that a replay of the rows up to an event has. */
  digestAt(sequence: number): string {
    const state = new ZoneState(ZONE)
    for (const batch of this.batches) if (state.sequence < sequence) Batch.apply(state, batch)
    return digestOf(state)
  }

  /** The digest that a snapshot has. */
  digestIn(record: SnapshotRecord) {
    return Effect.gen(this, function*() {
      const pages = yield* this.within(open(record, 2 ** 30))
      yield* pages.loadAll
      return digestOf(pages.state)
    })
  }

  within<A, E>(effect: Effect.Effect<A, E, BlockStore | Journal>): Effect.Effect<A, E> {
    return effect.pipe(
      Effect.provideService(BlockStore, this.store),
      Effect.provideService(Journal, this.journal)
    )
  }

  private readonly claim = Effect.suspend(() => this.memoryJournal.claim(ZONE, "test")).pipe(
    Effect.map(({ epoch }) => void (this.epoch = epoch))
  )

  private live(pages: ZonePages) {
    this.pages = pages
    this.decider = new Decider(pages.state)
    return Effect.map(this.within(Snapshot.ZoneSnapshots.make(pages, this.epoch, this.deflatesPages)), (snapshots) => {
      this.snapshots = snapshots
    })
  }

  private commit(): void {
    this.decider.begin(Timestamp.make(1000 + this.batches.length, 0))
    const { batch } = this.decider.take()
    if (batch !== undefined) this.batches.push(batch)
  }

  /** Asks for something, which may meet absent pages before it changes anything. */
  private request(): () => void {
    const { decider, dice } = this
    const name = `${(Math.imul(dice.below(NAMES), 0x9e37_79b1) >>> 0).toString(36)}-file`
    const { state } = this.pages
    const inode = (): number => state.entries.get(ROOT, name)
    const what = dice.below(10)
    const slice = 1 + dice.below(1000)
    switch (what) {
      case 0:
      case 1:
        return () => decider.decideOwn(operations.unlink, { parent: ROOT, name })
      case 2:
        return () => decider.decideOwn(operations.makeSymlink, { parent: ROOT, name, target: `to-${slice}` })
      case 3:
        return () =>
          decider.decideOwn(operations.setXattr, {
            inode: inode(),
            name: "user.a",
            value: `${slice}`.repeat(40),
            mode: "either"
          })
      case 4:
      case 5:
        return () =>
          decider.decideOwn(operations.write, {
            inode: inode(),
            handle: 0,
            offset: slice,
            append: false,
            pieces: [{ length: 9, slice, sliceOffset: 0, sliceBytes: 10 }]
          })
      default:
        return () =>
          decider.decideOwn(operations.create, {
            parent: ROOT,
            name,
            mode: 0o644,
            umask: 0,
            exclusive: false,
            truncate: true,
            access: 0
          })
    }
  }
}

export const digestOf = (state: ZoneState): string => {
  const hash = createHash("sha256")
  for (const run of StateCodec.encode(state)) hash.update(run)
  return hash.digest("hex")
}
