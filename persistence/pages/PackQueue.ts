/**
 * Fills packs with records and has them stored, a few at a time. A record counts in the page table once its pack is in
 * the store. What is full waits; `room` holds whoever fills until there is not too much of it.
 */
import * as PageFormat from "#domain/state/pages/PageFormat.ts"
import type { WriteError } from "#persistence/blocks/BlockStore.ts"
import * as PagePack from "#persistence/pages/PagePack.ts"
import type { ZonePages } from "#persistence/pages/ZonePages.ts"
import { type Steps, through } from "#persistence/Turn.ts"
import * as Effect from "effect/Effect"

/** Full packs that wait for the store. */
const WAITING_MAX = 8
const PUTS = 2
/** Records of a stored pack that are noted in a step. */
const SETTLED_AT_ONCE = 128

/** A pack that was filled, and its number. */
interface Filled {
  readonly number: number
  readonly writer: PagePack.PackWriter
}

export class PackQueue {
  /** Bytes of records so far. */
  bytes = 0
  /** Packs stored so far, by their numbers. */
  readonly stored = new Set<number>()
  private readonly zone: ZonePages
  private readonly epoch: number
  private readonly deflates: boolean
  private current = new PagePack.PackWriter()
  private readonly waiting: Array<Filled> = []
  private open = false
  private watchers: Array<() => void> = []

  /** Whether pages that are cold go deflated. */
  constructor(zone: ZonePages, epoch: number, deflates: boolean) {
    this.zone = zone
    this.epoch = epoch
    this.deflates = deflates
  }

  /** Returns while not too many packs wait. */
  readonly room: Effect.Effect<void> = this.until(() => !this.open || this.waiting.length < WAITING_MAX)

  /** Adds a page as it is in memory, which is about to change. */
  hot(page: number): void {
    this.add(page, this.zone.state.pages.kindOf(page), this.bytesOf(page))
  }

  /** Adds a page that nobody is changing. */
  cold(page: number): void {
    this.addCold(page, this.zone.state.pages.kindOf(page), this.bytesOf(page))
  }

  /** Adds a chunk of the page table as it is. */
  chunk(chunk: number): void {
    const bytes = this.zone.table.encodeChunk(chunk)
    this.add(chunk, PagePack.CHUNK_KIND, bytes)
  }

  /** Adds the page that was read from another pack. */
  record(reader: PagePack.PackReader): void {
    const { kind, page, record } = reader
    // One that does not unpack is for its own reader to find.
    if (this.deflates && reader.form === PagePack.Form.plain && reader.unpack() === undefined) {
      return this.addCold(page, kind, reader.bytes)
    }
    this.reserve(record.length)
    this.current.copy(record)
  }

  /** Stores what `fill` adds, and all that was added before: done when the store has it. To be run one after the other. */
  run<E>(fill: Effect.Effect<void, E>): Effect.Effect<void, E | WriteError> {
    const close = Effect.sync(() => {
      this.flush()
      this.shut()
    })
    return Effect.suspend(() => {
      this.open = true
      const puts = Array.from({ length: PUTS }, () => this.put)
      return Effect.all([Effect.zipRight(fill, close), ...puts], { concurrency: "unbounded", discard: true })
    }).pipe(Effect.ensuring(Effect.sync(() => this.shut())))
  }

  private readonly put: Effect.Effect<void, WriteError> = Effect.suspend(() => {
    const filled = this.waiting.shift()
    if (filled === undefined) {
      if (!this.open) return Effect.void
      return Effect.zipRight(this.until(() => !this.open || this.waiting.length > 0), this.put)
    }
    this.notify()
    const { number, writer } = filled
    const { state, store } = this.zone
    return store.put(PagePack.keyOf(state.zone, number, this.epoch), writer.bytes).pipe(
      Effect.zipRight(Effect.suspend(() => through(this.settle(filled)))),
      Effect.zipRight(this.put)
    )
  })

  private bytesOf(page: number): Uint8Array {
    const { pages, pages: { slab } } = this.zone.state
    const address = pages.addressOf(page)
    const chunk = slab.chunkOf(address)
    const at = slab.offsetOf(address)
    return chunk.subarray(at, at + PageFormat.lengthOf(pages.kindOf(page), chunk, at))
  }

  private addCold(page: number, kind: number, bytes: Uint8Array): void {
    const deflated = this.deflates ? PagePack.deflate(bytes) : undefined
    if (deflated === undefined) this.add(page, kind, bytes)
    else this.add(page, kind, deflated, PagePack.Form.deflated)
  }

  private add(page: number, kind: number, bytes: Uint8Array, form?: number): void {
    this.reserve(PagePack.RECORD_HEADER_BYTES + bytes.length)
    this.current.add(page, kind, bytes, form)
  }

  private reserve(bytes: number): void {
    if (this.current.length + bytes > PagePack.PACK_BYTES_MAX) this.flush()
    this.bytes += bytes
  }

  private flush(): void {
    if (this.current.length === 0) return
    this.waiting.push({ number: this.zone.table.nextPack++, writer: this.current })
    this.current = new PagePack.PackWriter()
    this.notify()
  }

  /** The pack is in the store: its records are where their pages are. */
  private *settle({ number, writer: { bytes } }: Filled): Steps<void> {
    const { state: { pages }, table } = this.zone
    table.addPack({ number, epoch: this.epoch, bytes: bytes.length, live: 0 })
    this.stored.add(number)
    const reader = new PagePack.PackReader(bytes)
    let records = 0
    for (let at = 0; at < bytes.length; at = reader.end) {
      if (++records % SETTLED_AT_ONCE === 0) yield
      const problem = reader.read(at)
      const { crc, kind, length, page } = reader
      if (problem !== undefined) throw new Error(`pack ${number} was stored with page ${page} broken: ${problem}`)
      if (kind === PagePack.CHUNK_KIND) table.settleChunk(page, { pack: number, offset: at, length, crc })
      else {
        table.set(page, kind, number, at, length, crc)
        pages.stored(page)
      }
    }
  }

  private shut(): void {
    this.open = false
    this.notify()
  }

  private notify(): void {
    const { watchers } = this
    this.watchers = []
    for (const watcher of watchers) watcher()
  }

  /** Returns once it holds, which only what this class does can bring about. */
  private until(holds: () => boolean): Effect.Effect<void> {
    return Effect.async((resume) => {
      const look = (): void => {
        if (holds()) resume(Effect.void)
        else this.watchers.push(look)
      }
      look()
    })
  }
}
