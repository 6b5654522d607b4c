/**
 * A zone over a journal and a block store in memory, and clients that speak to it in packed messages.
 */
import * as Archiver from "#actors/Archiver.ts"
import * as Zone from "#actors/Zone.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { root } from "#domain/Credentials.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { Operation } from "#domain/Operation.ts"
import { type OperationName, operations, type ReplyOf, type RequestOf } from "#domain/Operations.ts"
import { BlockStore } from "#persistence/blocks/BlockStore.ts"
import * as MemoryBlockStore from "#persistence/blocks/MemoryBlockStore.ts"
import { Journal } from "#persistence/Journal.ts"
import * as MemoryJournal from "#persistence/MemoryJournal.ts"
import { RunnerLease } from "#persistence/RunnerLeases.ts"
import type { SubmitError } from "#shards/ZoneError.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export const ZONE = 3
export const ROOT = InodeNumber.rootOf(ZONE)

export interface Harness {
  readonly journal: MemoryJournal.MemoryJournal
  readonly blocks: MemoryBlockStore.MemoryBlockStore
  readonly lease: TestLease
  /** Another life of the zone, beside those that run. */
  readonly start: (config?: Partial<Zone.ZoneConfig>) => Effect.Effect<Zone.Zone, never, Scope.Scope>
}

/** The runner's lease: it holds one until it is taken from it, and another one once it is given back. */
export class TestLease {
  private now: number | undefined = 1
  private last = 1
  private readonly there = Effect.unsafeMakeLatch(true)
  readonly term = (): number | undefined => this.now
  readonly held: Effect.Effect<number> = Effect.suspend(() =>
    this.now === undefined ? Effect.zipRight(this.there.await, this.held) : Effect.succeed(this.now)
  )

  take(): void {
    this.now = undefined
    this.there.unsafeClose()
  }

  give(): void {
    this.now = ++this.last
    this.there.unsafeOpen()
  }
}

/** A runner over a journal and blocks of its own, or over those of another one. */
export const make = (
  { blocks, journal }: Pick<Harness, "blocks" | "journal"> = {
    journal: MemoryJournal.make(),
    blocks: MemoryBlockStore.make()
  }
): Harness => {
  const lease = new TestLease()
  return {
    journal,
    blocks,
    lease,
    start: (config) =>
      Zone.make({
        zone: ZONE,
        owner: "test",
        sessionLease: Duration.seconds(60),
        snapshotEvents: 1_000_000,
        archive: Archiver.keeping(undefined),
        archivers: Effect.unsafeMakeSemaphore(1),
        snapshots: Effect.unsafeMakeSemaphore(1),
        memoryBytes: 2 ** 30,
        deflatesPages: false,
        idle: Duration.minutes(10),
        ...config
      }).pipe(
        Effect.provideService(Journal, journal.service),
        Effect.provideService(BlockStore, blocks.service),
        Effect.provideService(RunnerLease, lease)
      )
  }
}

/** A packed message in, its packed replies out. */
export const submit = (zone: Zone.Zone, message: Uint8Array): Effect.Effect<Uint8Array, SubmitError> =>
  Effect.async((resume) => zone.receive(message, resume))

type Call = { readonly [Name in OperationName]: readonly [Name, RequestOf<Name>] }[OperationName]

/** A session of a client: numbers its requests, and may send the same message again. */
export class TestClient {
  readonly session: number
  known = false
  private next = 1
  floor = 1

  constructor(session: number) {
    this.session = session
  }

  /** A packed message with these commands, numbered on. */
  message(epoch: number, ...calls: ReadonlyArray<Call>): Uint8Array {
    const commands = calls.map(([name, request]): MessageCodec.Command => ({
      operation: operations[name] as Operation<unknown, unknown>,
      number: this.next++,
      who: root,
      request
    }))
    this.commands = commands
    return MessageCodec.encode({
      zone: ZONE,
      epoch,
      session: this.session,
      floor: this.floor,
      known: this.known,
      descriptor: { client: "test", host: "here", user: "nobody", uid: 0, pid: 1 },
      commands
    })
  }

  /** Sends commands and gives each one's errno or reply. */
  send(
    zone: Zone.Zone,
    ...calls: ReadonlyArray<Call>
  ): Effect.Effect<ReadonlyArray<MessageCodec.Outcome>, SubmitError> {
    return Effect.gen(this, function*() {
      const epoch = yield* Effect.orDie(zone.ready)
      const bytes = this.message(epoch, ...calls)
      const { commands } = this
      return MessageCodec.decodeReplies(yield* submit(zone, bytes), commands)
    })
  }

  commands: ReadonlyArray<MessageCodec.Command> = []
}

/** The reply of a command that must succeed. */
export const replyOf = <Name extends OperationName>(
  _name: Name,
  outcome: MessageCodec.Outcome | undefined
): ReplyOf<Name> => {
  if (outcome === undefined || outcome.errno !== 0) throw new Error(`errno ${outcome?.errno}`)
  return outcome.reply as ReplyOf<Name>
}

export const create = (name: ByteString, access = 0): Call => ["create", {
  parent: ROOT,
  name,
  mode: 0o644,
  umask: 0,
  exclusive: true,
  truncate: false,
  access
}]

/** Names in the zone's root directory. */
export const names = (zone: Zone.Zone): Effect.Effect<ReadonlyArray<ByteString>, SubmitError> =>
  Effect.map(
    new TestClient(1).send(zone, ["readDirectory", { inode: ROOT, handle: 0, after: "", count: 10_000, plus: false }]),
    ([outcome]) => replyOf("readDirectory", outcome).entries.map(({ name }) => name)
  )
