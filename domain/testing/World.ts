/**
 * A zone under test and, beside it, the zone that its journal makes: after every batch both must have the same
 * bytes, the snapshot codec must give them back, and the invariants must hold. It expects nothing else.
 */
import * as Batch from "#domain/Batch.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as BatchCodec from "#domain/codec/BatchCodec.ts"
import type { Command, Message } from "#domain/codec/MessageCodec.ts"
import { Reader } from "#domain/codec/Reader.ts"
import * as StateCodec from "#domain/codec/StateCodec.ts"
import { Writer } from "#domain/codec/Writer.ts"
import { Decider, type Decision, SESSION_ENDED } from "#domain/Decide.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Mode from "#domain/Mode.ts"
import { type OperationName, operations, type RequestOf } from "#domain/Operations.ts"
import type { Inode } from "#domain/state/Inode.ts"
import { ZoneState } from "#domain/state/ZoneState.ts"
import { type Actor, descriptorOf, everybody } from "#domain/testing/Actors.ts"
import { problemsOf } from "#domain/testing/Invariants.ts"
import { Different, same, sameBytes } from "#domain/testing/Same.ts"
import { ShadowStore } from "#domain/testing/ShadowStore.ts"
import * as Timestamp from "#domain/Timestamp.ts"

export const ROOT_MODE = Mode.S_IFDIR | 0o755
const FIRST_SECOND = 1_000_000
const EPOCH = 1

/** What an actor asks; the request may depend on where things are by then. */
export interface Ask<Name extends OperationName = OperationName> {
  readonly actor: Actor
  readonly name: Name
  readonly request: RequestOf<Name> | ((world: World) => RequestOf<Name>)
}

export const ask = <Name extends OperationName>(
  actor: Actor,
  name: Name,
  request: NoInfer<Ask<Name>["request"]>
): Ask<Name> => ({ actor, name, request })

export interface Committed {
  readonly batch: Batch.Batch | undefined
  readonly completed: ReadonlyArray<Batch.Completion>
}

export interface Kept {
  readonly time: Timestamp.Timestamp
  readonly payload: Uint8Array
}

export class World {
  readonly zone: number
  live: ZoneState
  decider: Decider
  /** What the journal makes. */
  replica: ZoneState
  /** Whether the state was made by hand, so that no journal and no invariant speaks of it. */
  forged = false
  /** Whether every message finds the zone's memory empty. */
  starved = false
  private readonly stores = new WeakMap<ZoneState, ShadowStore>()
  readonly journal: Array<Kept> = []
  private readonly labels = new Map<string, number>()
  private readonly numbers = new Map<number, number>()
  private readonly writer = new Writer()
  private second = FIRST_SECOND

  constructor(zone = 0) {
    this.zone = zone
    this.live = new ZoneState(zone)
    this.replica = new ZoneState(zone)
    this.decider = new Decider(this.live)
  }

  /** A zone with an empty root and a session for everybody. */
  static founded(zone = 0): World {
    const world = new World(zone)
    world.begin()
    world.decider.decideOwn(operations.foundZone, { inode: world.root, mode: ROOT_MODE })
    for (const actor of everybody) world.decide(world.message(actor, [world.command(world.opening(actor))]))
    world.commit()
    return world
  }

  get root(): number {
    return InodeNumber.rootOf(this.zone)
  }

  /** When the coming command happens. */
  get now(): Timestamp.Timestamp {
    return Timestamp.make(this.second + 1, 5)
  }

  /** The number that the next new inode gets. */
  get fresh(): number {
    return InodeNumber.make(this.zone, this.live.nextInode)
  }

  /** The inode at a path from the root of the zone; 0 for an empty path. */
  readonly at = (path: string): number => this.find(path).number

  readonly find = (path: string): Inode => {
    let inode = this.live.expect(this.root)
    for (const name of namesOf(path)) {
      const number = inode.entries?.get(name)
      if (number === undefined) throw new Error(`${path}: there is no ${name}`)
      inode = this.live.expect(number)
    }
    return inode
  }

  /** Where a path's last name stands or would stand. */
  readonly place = (path: string): { readonly parent: number; readonly name: ByteString } => {
    const names = namesOf(path)
    return { parent: this.at(names.slice(0, -1).join("/")), name: names.at(-1) ?? "" }
  }

  /** What stat says of a path. */
  readonly stat = (path: string) => this.find(path).attributes()

  /** The number that a label stands for: a handle, a request, an inode, a slice. */
  readonly the = (label: string): number => {
    const number = this.labels.get(label)
    if (number === undefined) throw new Error(`nothing is called ${label}`)
    return number
  }

  readonly call = (label: string, number: number): void => void this.labels.set(label, number)

  /** The number of the actor's last request. */
  readonly last = (actor: Actor): number => this.numbers.get(actor.session) ?? 0

  /** From here on the actor's requests have higher numbers. */
  skipTo(actor: Actor, number: number): void {
    this.numbers.set(actor.session, number - 1)
  }

  opening(actor: Actor): Ask<"openSession"> {
    return ask(actor, "openSession", { inode: this.root, descriptor: descriptorOf(actor) })
  }

  /** A command with the next number of its actor's session. */
  command(asked: Ask, number = this.last(asked.actor) + 1): Command {
    this.numbers.set(asked.actor.session, number)
    const request = typeof asked.request === "function" ? asked.request(this) : asked.request
    const operation = operations[asked.name] as unknown as Command["operation"]
    return { operation, number, who: asked.actor.who, request }
  }

  message(actor: Actor, commands: ReadonlyArray<Command>, fields: Partial<Message> = {}): Message {
    const known = this.live.sessions.has(actor.session)
    const descriptor = known ? undefined : descriptorOf(actor)
    return { zone: this.zone, epoch: EPOCH, session: actor.session, floor: 0, known, descriptor, commands, ...fields }
  }

  /** Decides with nothing in memory but what is asked for, and brings back the rest afterwards. */
  private starve<A>(decide: () => A): A {
    const store = this.stores.get(this.live) ?? new ShadowStore(this.live.pages)
    this.stores.set(this.live, store)
    this.live.table.packAll()
    store.take()
    this.live.pages.evict(0)
    const decided = store.retry(decide)
    store.loadAll()
    return decided
  }

  /** What the zone decides, whatever is in memory. */
  asked(message: Message): ReadonlyArray<Decision> | typeof SESSION_ENDED {
    const decisions: Array<Decision> = []
    const decide = () => this.decider.decide(message, decisions)
    return this.starved ? this.starve(decide) : decide()
  }

  own<Name extends "foundZone" | "endSession">(name: Name, request: RequestOf<Name>): void {
    const operation = operations[name] as unknown as Command["operation"]
    const decide = () => this.decider.decideOwn(operation, request)
    if (this.starved) this.starve(decide)
    else decide()
  }

  begin(): void {
    this.second++
    this.decider.begin(Timestamp.make(this.second, 5))
  }

  decide(message: Message): ReadonlyArray<Decision> {
    const decisions = this.asked(message)
    if (decisions === SESSION_ENDED) throw new Error(`session ${message.session} has ended`)
    return decisions
  }

  /** Ends the batch, sends it through the journal into the replica, and compares. */
  commit(): Committed {
    const { batch, completed } = this.decider.take()
    if (batch === undefined) same("completions without a batch", completed, [])
    else this.replay(batch, completed)
    this.compare()
    return { batch, completed }
  }

  /** The zone dies and comes back from its journal alone; what was not committed is gone. */
  restart(): void {
    if (this.forged) throw new Error("no journal tells of this state")
    const state = new ZoneState(this.zone)
    for (const { payload, time } of this.journal) Batch.applyPayload(state, payload, time)
    sameBytes("a replay from the first batch on, and batch by batch", bytesOf(state), bytesOf(this.replica))
    this.live = state
    this.decider = new Decider(state)
  }

  /** Changes the state as no command could. */
  forge(change: (state: ZoneState) => void): void {
    change(this.live)
    change(this.replica)
    this.forged = true
  }

  compare(): void {
    if (this.forged) return
    const bytes = bytesOf(this.live)
    sameBytes("the live state and its replay", bytes, bytesOf(this.replica))
    sameBytes("the state and its snapshot", bytesOf(StateCodec.decode(bytes)), bytes)
    same("broken invariants", problemsOf(this.live), [])
  }

  private replay(batch: Batch.Batch, completed: ReadonlyArray<Batch.Completion>): void {
    this.writer.reset()
    BatchCodec.encode(this.writer, batch)
    const payload = this.writer.take()
    this.journal.push({ time: batch.time, payload })
    const decoded = BatchCodec.decode(payload, batch.time)
    same("the batch after the journal", decoded, batch)
    const again: Array<Batch.Completion> = []
    this.replica.time = decoded.time
    for (const record of decoded.records) Batch.applyRecord(this.replica, record, Batch.isWait(record), again)
    Batch.raiseFloors(this.replica, decoded.floors)
    same("completions of the replay", again, completed)
  }
}

/** The reply that a decision holds, as its operation shapes it, or the errno. */
export const replyOf = (command: Command, bytes: ByteString): { readonly errno: number; readonly reply: unknown } => {
  const reader = new Reader(Buffer.from(bytes, "latin1"))
  const errno = reader.u16()
  const reply = errno === 0 ? command.operation.reply.read(reader) : undefined
  if (reader.remaining > 0) throw new Different("bytes after the reply", reader.remaining, 0)
  return { errno, reply }
}

export const bytesOf = (state: ZoneState): Uint8Array => {
  const runs: Array<Uint8Array> = []
  for (const run of StateCodec.encode(state)) runs.push(new Uint8Array(run))
  return runs.length === 1 ? runs[0] as Uint8Array : Buffer.concat(runs)
}

const namesOf = (path: string): ReadonlyArray<string> => path.split("/").filter((name) => name !== "")
