/**
 * Memory for the pages of a zone: chunks of 4 MiB, cut into runs of 16 KiB, each run into slots of one size. A run
 * whose slots are all free goes back and may take another size; a chunk whose runs are all free goes back to the
 * machine. The first chunk starts small and doubles, so that a zone of a few files is small. It knows nothing of what
 * it holds.
 *
 * An address counts units of 16 bytes, so that 32 GiB fit into 31 bits; 0 is no address.
 */
export const UNIT_BYTES = 16
export const CHUNK_BYTES = 4 * 1024 * 1024
/** The largest slot, and so the largest page. */
export const SLOT_BYTES_MAX = 16 * 1024

const RUN_BYTES = SLOT_BYTES_MAX
const RUN_UNITS = RUN_BYTES / UNIT_BYTES
const CHUNK_RUNS = CHUNK_BYTES / RUN_BYTES
const CHUNK_UNITS = CHUNK_BYTES / UNIT_BYTES
const RUN_SHIFT = Math.log2(RUN_UNITS)
const CHUNK_SHIFT = Math.log2(CHUNK_UNITS)
const FIRST_RUNS = 2
const CHUNKS_MAX = 2 ** 31 / CHUNK_UNITS
const FREE = 255
const NONE = -1

/** Bytes of a slot by its class: steps of about an eighth, later whole fractions of a run. */
const slotBytes: ReadonlyArray<number> = (() => {
  const sizes: Array<number> = []
  for (let bytes = 32; bytes < 2048; bytes += Math.max(UNIT_BYTES, Math.floor(bytes / 16 / UNIT_BYTES) * UNIT_BYTES)) {
    sizes.push(bytes)
  }
  for (let slots = 8; slots >= 1; slots--) sizes.push(Math.floor(RUN_BYTES / slots / UNIT_BYTES) * UNIT_BYTES)
  return sizes
})()

/** The smallest class that holds so many units. */
const classOfUnits: Uint8Array = (() => {
  const table = new Uint8Array(RUN_UNITS + 1)
  let size = 0
  for (let units = 0; units <= RUN_UNITS; units++) {
    while ((slotBytes[size] as number) < units * UNIT_BYTES) size++
    table[units] = size
  }
  return table
})()

const unitsOfClass = Uint16Array.from(slotBytes, (bytes) => bytes / UNIT_BYTES)
const slotsOfClass = Uint16Array.from(slotBytes, (bytes) => Math.floor(RUN_BYTES / bytes))

/** Bytes that a slot for `bytes` really has. */
export const capacityFor = (bytes: number): number => slotBytes[classOfUnits[(bytes + 15) >>> 4] as number] as number

export class Slab {
  private readonly chunks: Array<Uint8Array | undefined> = []
  /** The same memory, four bytes at a time. */
  private readonly words: Array<Uint32Array | undefined> = []
  /** By run: its class, or FREE; slots in use; slots ever cut; the free slot given back last, plus 1. */
  private classes = new Uint8Array(0)
  private live = new Uint16Array(0)
  private cut = new Uint16Array(0)
  private freed = new Uint16Array(0)
  /** Runs of one class with a free slot, doubly linked. */
  private next = new Int32Array(0)
  private previous = new Int32Array(0)
  private readonly heads = new Int32Array(slotBytes.length).fill(NONE)
  /** Runs of no class, and how many each chunk has of them. */
  private pool: Array<number> = []
  private readonly idle: Array<number> = []
  private readonly vacant: Array<number> = []

  /** Bytes that the machine gave. */
  heldBytes = 0

  /** Bytes of slots in use, their unused ends included. */
  usedBytes = 0

  /** An address of at least `bytes`, at most SLOT_BYTES_MAX. Its contents are whatever they were. */
  allocate(bytes: number): number {
    if (bytes > SLOT_BYTES_MAX) throw new RangeError(`a slot of ${bytes} bytes: at most ${SLOT_BYTES_MAX}`)
    const size = classOfUnits[(bytes + 15) >>> 4] as number
    const run = this.heads[size] === NONE ? this.takeRun(size) : this.heads[size] as number
    const units = unitsOfClass[size] as number
    const base = run * RUN_UNITS
    let slot = this.freed[run] as number
    if (slot > 0) {
      slot--
      const address = base + slot * units
      const chunk = this.chunkOf(address)
      const at = this.offsetOf(address)
      this.freed[run] = (chunk[at] as number) | ((chunk[at + 1] as number) << 8)
    } else {
      slot = this.cut[run] as number
      this.cut[run] = slot + 1
    }
    const live = (this.live[run] as number) + 1
    this.live[run] = live
    if (live === slotsOfClass[size]) this.unlink(run, size)
    this.usedBytes += units * UNIT_BYTES
    return base + slot * units
  }

  free(address: number): void {
    const run = address >>> RUN_SHIFT
    const size = this.classes[run] as number
    if (size === FREE || address === 0) throw new RangeError(`nothing lives at ${address}`)
    const units = unitsOfClass[size] as number
    const chunk = this.chunkOf(address)
    const at = this.offsetOf(address)
    const above = this.freed[run] as number
    chunk[at] = above & 255
    chunk[at + 1] = above >>> 8
    this.freed[run] = (address & (RUN_UNITS - 1)) / units + 1
    const live = (this.live[run] as number) - 1
    this.live[run] = live
    this.usedBytes -= units * UNIT_BYTES
    if (live + 1 === slotsOfClass[size]) this.link(run, size)
    if (live === 0) this.giveRun(run, size)
  }

  /** Bytes of the slot at an address. */
  capacityAt(address: number): number {
    return slotBytes[this.classes[address >>> RUN_SHIFT] as number] as number
  }

  /** The chunk that an address lies in, valid until the next allocation. */
  chunkOf(address: number): Uint8Array {
    return this.chunks[address >>> CHUNK_SHIFT] as Uint8Array
  }

  /** The same as words; an address begins at a quarter of its `offsetOf`. */
  wordsOf(address: number): Uint32Array {
    return this.words[address >>> CHUNK_SHIFT] as Uint32Array
  }

  /** Where in its chunk an address lies, in bytes. */
  offsetOf(address: number): number {
    return (address & (CHUNK_UNITS - 1)) * UNIT_BYTES
  }

  /** Gives all memory back when no slot is in use. */
  trim(): void {
    if (this.usedBytes > 0 || this.heldBytes === 0) return
    this.chunks.length = 0
    this.words.length = 0
    this.growRuns(0)
    this.heads.fill(NONE)
    this.pool = []
    this.idle.length = 0
    this.vacant.length = 0
    this.heldBytes = 0
  }

  private takeRun(size: number): number {
    if (this.pool.length === 0) this.addRuns()
    const run = this.pool.pop() as number
    const chunk = run >>> (CHUNK_SHIFT - RUN_SHIFT)
    this.idle[chunk] = (this.idle[chunk] as number) - 1
    this.classes[run] = size
    this.cut[run] = 0
    this.freed[run] = 0
    this.link(run, size)
    return run
  }

  private giveRun(run: number, size: number): void {
    this.unlink(run, size)
    this.classes[run] = FREE
    this.pool.push(run)
    const chunk = run >>> (CHUNK_SHIFT - RUN_SHIFT)
    const idle = (this.idle[chunk] as number) + 1
    this.idle[chunk] = idle
    // One chunk's worth of free runs stays for what comes next.
    if (idle === CHUNK_RUNS && this.pool.length >= 2 * CHUNK_RUNS) this.dropChunk(chunk)
  }

  private addRuns(): void {
    const first = this.chunks[0]?.length ?? 0
    if (first < CHUNK_BYTES) this.growFirst(first, Math.max(2 * first, FIRST_RUNS * RUN_BYTES))
    else this.addChunk()
  }

  /** Address 0 is no address, so the first run of all is never used. */
  private growFirst(before: number, bytes: number): void {
    const chunk = new Uint8Array(bytes)
    if (before > 0) chunk.set(this.chunks[0] as Uint8Array)
    this.chunks[0] = chunk
    this.words[0] = new Uint32Array(chunk.buffer)
    this.heldBytes += bytes - before
    this.addToPool(0, Math.max(1, before / RUN_BYTES), bytes / RUN_BYTES)
  }

  private addChunk(): void {
    const chunk = this.vacant.pop() ?? this.chunks.length
    if (chunk >= CHUNKS_MAX) throw new RangeError(`more than ${(CHUNKS_MAX * CHUNK_BYTES) / 2 ** 30} GiB of pages`)
    const bytes = new Uint8Array(CHUNK_BYTES)
    this.chunks[chunk] = bytes
    this.words[chunk] = new Uint32Array(bytes.buffer)
    this.heldBytes += CHUNK_BYTES
    this.idle[chunk] = 0
    this.addToPool(chunk, chunk * CHUNK_RUNS, (chunk + 1) * CHUNK_RUNS)
  }

  private addToPool(chunk: number, first: number, limit: number): void {
    if (this.classes.length < limit) this.growRuns(Math.max(limit, 2 * this.classes.length))
    for (let run = limit - 1; run >= first; run--) this.pool.push(run)
    this.idle[chunk] = (this.idle[chunk] ?? 0) + limit - first
  }

  private dropChunk(chunk: number): void {
    this.pool = this.pool.filter((run) => (run >>> (CHUNK_SHIFT - RUN_SHIFT)) !== chunk)
    this.chunks[chunk] = undefined
    this.words[chunk] = undefined
    this.heldBytes -= CHUNK_BYTES
    this.vacant.push(chunk)
  }

  /** Fewer runs than before are none. */
  private growRuns(count: number): void {
    const before = Math.min(count, this.classes.length)
    this.classes = grown(this.classes, new Uint8Array(count))
    this.classes.fill(FREE, before)
    this.live = grown(this.live, new Uint16Array(count))
    this.cut = grown(this.cut, new Uint16Array(count))
    this.freed = grown(this.freed, new Uint16Array(count))
    this.next = grown(this.next, new Int32Array(count))
    this.previous = grown(this.previous, new Int32Array(count))
  }

  private link(run: number, size: number): void {
    const head = this.heads[size] as number
    this.next[run] = head
    this.previous[run] = NONE
    if (head !== NONE) this.previous[head] = run
    this.heads[size] = run
  }

  private unlink(run: number, size: number): void {
    const next = this.next[run] as number
    const previous = this.previous[run] as number
    if (previous === NONE) this.heads[size] = next
    else this.next[previous] = next
    if (next !== NONE) this.previous[next] = previous
  }
}

/** What `from` holds in a longer array. One of no length at all stays empty. */
export const grown = <A extends Uint8Array | Uint16Array | Uint32Array | Int32Array>(from: A, to: A): A => {
  if (to.length > 0) to.set(from)
  return to
}
