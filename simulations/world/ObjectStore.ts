/**
 * An object store as S3 is one, on a host of its own: strongly consistent, atomic for each key, and what it says it has
 * stored is never lost. It keeps objects in their sealed form and verifies nothing; who reads does (`ObjectStoreClient`).
 */
import { answering } from "#simulations/world/Exchange.ts"
import type { Accept, End, Network } from "#simulations/world/Network.ts"
import { type ObjectStoreChances, ObjectStoreFaults } from "#simulations/world/ObjectStoreFaults.ts"
import { Process } from "#simulations/world/Process.ts"
import { MILLI, SECOND, type World } from "#simulations/world/World.ts"

const ANSWER_MIN = 2 * MILLI
const ANSWER_MAX = 30 * MILLI
const SLOW_MAX = 30 * SECOND
const DOWN_MIN = 100 * MILLI
const DOWN_MAX = 10 * SECOND
const KEYS_PER_PAGE = 100

/** Bytes `start` to `end` of the stored form, fewer if it ends before. */
export interface StoredRange {
  readonly start: number
  readonly end: number
}

export type ObjectQuestion =
  | { readonly kind: "put"; readonly key: string; readonly stored: Uint8Array }
  /** All of it if no ranges are given. The ranges are of one version. */
  | { readonly kind: "get"; readonly key: string; readonly ranges: ReadonlyArray<StoredRange> | undefined }
  | { readonly kind: "head"; readonly key: string }
  | { readonly kind: "remove"; readonly key: string }
  /** The keys of a prefix behind one of them. */
  | { readonly kind: "list"; readonly key: string; readonly after: string }

export interface ObjectListing {
  readonly key: string
  readonly storedBytes: number
}

export type ObjectAnswer =
  | { readonly kind: "done" }
  | { readonly kind: "found"; readonly storedBytes: number; readonly parts: ReadonlyArray<Uint8Array> }
  | { readonly kind: "listed"; readonly objects: ReadonlyArray<ObjectListing>; readonly isLast: boolean }
  | { readonly kind: "missing" }
  | { readonly kind: "full" }
  /** 503 */
  | { readonly kind: "unavailable" }

/** The digest knows an answer by its place here. */
const KINDS: ReadonlyArray<ObjectAnswer["kind"]> = ["done", "found", "listed", "missing", "full", "unavailable"]

export interface ObjectStoreSettings {
  readonly host?: string
  readonly capacityBytes?: number
  readonly chances?: ObjectStoreChances
}

export class ObjectStore {
  readonly network: Network
  readonly host: string
  readonly process: Process
  /** What befalls its requests. */
  readonly faults: ObjectStoreFaults
  /** The stored forms. They are replaced, never changed. */
  readonly objects = new Map<string, Uint8Array>()
  /** How many times slower than usual. */
  slowness = 1
  capacityBytes: number
  private readonly world: World
  private used = 0
  private downUntil = 0
  /** Objects whose bytes are given no more. */
  private readonly refused = new Set<string>()
  /** The keys in order, as long as none comes or goes. */
  private sorted: ReadonlyArray<string> | undefined

  constructor(network: Network, settings: ObjectStoreSettings = {}) {
    const { capacityBytes = Infinity, chances = {}, host = "objects" } = settings
    this.network = network
    this.world = network.world
    this.host = host
    this.capacityBytes = capacityBytes
    this.faults = new ObjectStoreFaults(this.world, chances)
    this.process = new Process(this.world, host)
    network.listen(this.process, host, this.accept)
  }

  /** It answers nothing but 503 for so long. */
  goDown(micros: number): void {
    this.downUntil = Math.max(this.downUntil, this.world.now + micros)
  }

  private readonly accept: Accept = (hello) => (end) => {
    const take = answering<ObjectQuestion, ObjectAnswer>((question, reply) => this.answer(question, reply, end))(hello)
    if (typeof take !== "string") take(end)
  }

  /** The effect falls in the midst of the time that the answer takes. */
  private answer(question: ObjectQuestion, reply: (answer: ObjectAnswer) => void, end: End): void {
    const { faults, process, world } = this
    const { key } = question
    const isSlow = faults.strikes("object store slow", key)
    const all = world.between(ANSWER_MIN, ANSWER_MAX) * this.slowness + (isSlow ? world.between(0, SLOW_MAX) : 0)
    const before = world.between(0, all)
    world.later(before, process, () => {
      const answer = this.isDown(key) || this.refuses(question)
        ? { kind: "unavailable" } as const
        : this.apply(question)
      world.note(KINDS.indexOf(answer.kind))
      world.later(all - before, process, () => {
        if (!faults.strikes("object store answer lost", key)) reply(this.onItsWay(answer, key))
        else if (world.dice.chance(50)) end.close()
      })
    })
  }

  private apply(question: ObjectQuestion): ObjectAnswer {
    const { key } = question
    const stored = this.objects.get(key)
    switch (question.kind) {
      case "put":
        return this.put(key, question.stored)
      case "get":
        return stored === undefined ? { kind: "missing" } : foundIn(stored, question.ranges)
      case "head":
        return stored === undefined ? { kind: "missing" } : { kind: "found", storedBytes: stored.length, parts: [] }
      case "remove":
        return this.remove(key)
      case "list":
        return this.list(key, question.after)
    }
  }

  private put(key: string, stored: Uint8Array): ObjectAnswer {
    const before = this.objects.get(key)?.length
    const used = this.used - (before ?? 0) + stored.length
    if (used > this.capacityBytes || this.faults.strikes("object store full", key)) return { kind: "full" }
    this.used = used
    this.objects.set(key, stored)
    if (before === undefined) this.sorted = undefined
    return { kind: "done" }
  }

  private remove(key: string): ObjectAnswer {
    this.used -= this.objects.get(key)?.length ?? 0
    if (this.objects.delete(key)) this.sorted = undefined
    return { kind: "done" }
  }

  private list(prefix: string, after: string): ObjectAnswer {
    this.sorted ??= [...this.objects.keys()].sort()
    const keys = this.sorted.filter((key) => key.startsWith(prefix) && key > after)
    const page = keys.slice(0, KEYS_PER_PAGE)
    const objects = page.map((key) => ({ key, storedBytes: this.objects.get(key)?.length ?? 0 }))
    return { kind: "listed", objects, isLast: page.length === keys.length }
  }

  private isDown(key: string): boolean {
    if (this.faults.strikes("object store down", key)) this.goDown(this.world.between(DOWN_MIN, DOWN_MAX))
    return this.world.now < this.downUntil || this.faults.strikes("object store unavailable", key)
  }

  private refuses({ key, kind }: ObjectQuestion): boolean {
    if (kind !== "get") return false
    if (this.faults.strikes("object store refuses", key)) this.refused.add(key)
    return this.refused.has(key)
  }

  private onItsWay(answer: ObjectAnswer, key: string): ObjectAnswer {
    const bytes = answer.kind === "found" ? answer.parts.find(({ length }) => length > 0) : undefined
    if (bytes !== undefined && this.faults.strikes("object store answer corrupt", key)) {
      const at = this.world.dice.below(bytes.length)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << this.world.dice.below(8))
    }
    return answer
  }
}

/** Copies, because whoever asked owns them. */
const foundIn = (stored: Uint8Array, ranges: ReadonlyArray<StoredRange> | undefined): ObjectAnswer => {
  const wanted = ranges ?? [{ start: 0, end: stored.length }]
  return { kind: "found", storedBytes: stored.length, parts: wanted.map(({ start, end }) => stored.slice(start, end)) }
}
