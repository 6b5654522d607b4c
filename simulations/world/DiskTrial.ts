/**
 * One block store on a simulated disk under one seed: puts, removals and reads at a time, ended by kills and power
 * cuts at any moment, until what is left is looked at. The ledger knows what each key may hold.
 *
 * It judges the store by its contract alone; how the store uses the disk is the store's business.
 */
import type { BlockStoreService, WriteError } from "#persistence/blocks/BlockStore.ts"
import * as DiskBlockStore from "#persistence/blocks/DiskBlockStore.ts"
import type { Files } from "#persistence/blocks/Files.ts"
import { Disk } from "#simulations/world/Disk.ts"
import type { DiskChances } from "#simulations/world/DiskFaults.ts"
import * as DiskFiles from "#simulations/world/DiskFiles.ts"
import { type Deed, DiskLedger, nothing, type Value } from "#simulations/world/DiskLedger.ts"
import { Process } from "#simulations/world/Process.ts"
import { MILLI, SECOND, World } from "#simulations/world/World.ts"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"

const FOLDER = "/data/blocks"
/** In byte order, as a list is. */
const KEYS = ["a/1", "a/2", "a/b/1", "c/1", "c/d/e/1", "f/1", "g/1", "h"]
const LIVES_MAX = 6
const LIFE_MAX = 100 * MILLI
/** A life that ends while the store starts, or at its first operations. */
const SHORT_LIFE_MAX = 30 * MILLI
const WORKERS_MAX = 12
/** The last life takes no longer, unless something waits for ever. */
const END_MAX = 600 * SECOND

export interface TrialOptions {
  /** Between the store and the disk, to plant a mistake. */
  readonly wrap?: (files: Files) => Files
  readonly chances?: DiskChances
  readonly story?: boolean
}

export interface TrialResult {
  /** What the store did that it must not do; undefined if nothing. */
  readonly broken: string | undefined
  readonly world: World
}

export const trial = (seed: number, options: TrialOptions = {}): TrialResult => {
  const world = new World(seed, { story: options.story === true })
  const one = new Trial(world, options)
  const lives = 1 + world.dice.below(LIVES_MAX)
  for (let life = 1; life <= lives && one.broken === undefined; life++) one.live(life)
  if (one.broken === undefined) one.end()
  return { broken: one.broken, world }
}

class Trial {
  broken: string | undefined
  private readonly world: World
  private readonly wrap: (files: Files) => Files
  private readonly disk: Disk
  private readonly ledger = new DiskLedger()
  /** Whether all that can be seen is on the disk. */
  private isSettled = true
  /** What the last process was doing when it died. */
  private unfinished: ReadonlyArray<Deed> = []
  private versions = 0

  constructor(world: World, { chances = {}, wrap = (files) => files }: TrialOptions) {
    this.world = world
    this.wrap = wrap
    this.disk = new Disk(world, { chances })
  }

  /** Some work, and its sudden end. */
  live(life: number): void {
    const { dice } = this.world
    const process = new Process(this.world, `life-${life}`)
    const isPowerCut = dice.chance(60)
    const lasts = this.world.between(0, dice.chance(40) ? SHORT_LIFE_MAX : LIFE_MAX)
    if (dice.chance(20)) this.freeze(process, lasts)
    this.world.later(lasts, undefined, () => this.endLife(process, isPowerCut))
    this.start(process, (store) => Effect.zipRight(this.look(store), this.work(store)))
    this.world.run(() => process.isDead, this.world.now + LIFE_MAX)
  }

  /** Nothing befalls it any more; everything must be as it was promised. */
  end(): void {
    this.disk.faults.clear()
    this.disk.powerCut()
    const process = new Process(this.world, "end")
    let isDone = false
    this.start(process, (store) => Effect.andThen(this.look(store), () => void (isDone = true)))
    this.world.run(() => isDone || this.broken !== undefined, this.world.now + END_MAX)
    if (!isDone) this.breaks("the store does not serve any more")
  }

  private freeze(process: Process, lasts: number): void {
    this.world.later(this.world.between(0, lasts), undefined, () => process.freeze())
    this.world.later(this.world.between(0, 2 * lasts), undefined, () => process.wake())
  }

  private endLife(process: Process, isPowerCut: boolean): void {
    process.kill()
    if (isPowerCut) this.disk.powerCut()
    this.isSettled = isPowerCut
    this.unfinished = this.ledger.died()
  }

  private start(process: Process, use: (store: BlockStoreService) => Effect.Effect<void>): void {
    const files = this.wrap(DiskFiles.make(this.disk, process))
    const program = DiskBlockStore.make({ folder: FOLDER, files }).pipe(
      Effect.flatMap(use),
      // A disk that fails may keep it from starting.
      Effect.catchAll((error) => Effect.logInfo(`does not start: ${error.message}`))
    )
    process.run(program, (exit) => {
      if (Exit.isFailure(exit)) this.breaks(Cause.pretty(exit.cause))
    })
  }

  /** Clients ask again for what was not answered, then for something else. */
  private work(store: BlockStoreService): Effect.Effect<void> {
    const again = this.unfinished.map(({ key, value }) => this.run(store, key, value))
    const worker = Effect.forever(Effect.suspend(() => this.step(store)))
    const workers = Array.from({ length: 1 + this.world.dice.below(WORKERS_MAX) }, () => worker)
    return Effect.all([...again, ...workers], { concurrency: "unbounded", discard: true })
  }

  private step(store: BlockStoreService): Effect.Effect<void> {
    const key = this.world.dice.of(KEYS)
    return this.world.dice.weighted([
      [5, () => this.run(store, key, ++this.versions)],
      [3, () => this.run(store, key, nothing)],
      [2, () => this.get(store, key)]
    ])()
  }

  /** Puts a version, or removes what is there. */
  private run(store: BlockStoreService, key: string, value: Value): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { ledger, world } = this
      const deed = ledger.begin(key, value)
      const effect: Effect.Effect<void, WriteError> = value === nothing
        ? store.remove(key)
        : store.put(key, bytesOf(value))
      return Effect.match(effect, {
        onSuccess: () => {
          world.tell(() => `${key} = ${value}`)
          ledger.acknowledged(deed)
        },
        onFailure: (error) => {
          world.tell(() => `${key} = ${value} fails: ${error.message}`)
          if (error._tag === "StoreFull") ledger.refused(deed)
          else ledger.failed(deed)
        }
      })
    })
  }

  private get(store: BlockStoreService, key: string): Effect.Effect<void> {
    const may = this.ledger.holdings(key)
    const stamp = this.ledger.stampOf(key)
    return Effect.map(this.read(store, key), (found) => {
      if (may !== undefined && stamp === this.ledger.stampOf(key)) this.judge(key, found)
    })
  }

  /** What each key holds, and that the list says the same. */
  private look(store: BlockStoreService): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const reads = yield* Effect.forEach(
        KEYS,
        (key) => Effect.tap(this.read(store, key), (found) => this.see(key, found))
      )
      const listed = yield* Effect.either(Stream.runCollect(store.list("")))
      if (Either.isLeft(listed)) return
      const held = KEYS.flatMap((key, index) => {
        const found = reads[index] ?? nothing
        return found === nothing ? [] : [`${key} ${sizeOf(found)}`]
      })
      const list = Array.from(listed.right, ({ key, bytes }) => `${key} ${bytes}`)
      if (reads.includes(undefined) || list.join() === held.join()) return
      this.breaks(`the list is ${list.join()} instead of ${held.join()}`)
    })
  }

  private see(key: string, found: Value | undefined): void {
    this.judge(key, found)
    if (found !== undefined && this.isSettled) this.ledger.settle(key, found)
  }

  /** Undefined if it cannot be read. */
  private read(store: BlockStoreService, key: string): Effect.Effect<Value | undefined> {
    return Effect.match(store.get(key), {
      onSuccess: (bytes) => this.valueOf(key, bytes),
      onFailure: (error) => {
        if (error._tag === "ObjectCorrupt") this.breaks(error.message)
        return error._tag === "ObjectMissing" ? nothing : undefined
      }
    })
  }

  private valueOf(key: string, bytes: Uint8Array): Value {
    const version = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
    if (Buffer.compare(bytes, bytesOf(version)) !== 0) this.breaks(`${key} holds what was never put`)
    return version
  }

  private judge(key: string, found: Value | undefined): void {
    const may = this.ledger.holdings(key)
    if (found === undefined || may === undefined || may.has(found)) return
    this.breaks(`${key} holds ${found}, but should hold ${[...may].join(" or ")} (0 is nothing)`)
  }

  private breaks(what: string): void {
    this.broken ??= what
    this.world.tell(() => `BROKEN: ${what}`)
  }
}

/** What is put under a version's number: of few pages, or of many. */
const bytesOf = (version: number): Uint8Array => {
  const bytes = new Uint8Array(sizeOf(version)).fill(version * 37 + 1)
  new DataView(bytes.buffer).setUint32(0, version, true)
  return bytes
}

const sizeOf = (version: number): number =>
  4 + (Math.imul(version, 2_654_435_761) >>> 0) % (version % 8 === 0 ? 80_000 : 9_000)
