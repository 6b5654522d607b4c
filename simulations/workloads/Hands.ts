/**
 * What a workload has in its hands: a client, whose every call is written down, dice, and what all clients of the
 * world know of the tree. It does not look at what the calls say.
 */
import type { ClientService } from "#client/Client.ts"
import type { PosixError, TransportError } from "#client/ClientError.ts"
import * as SliceNumbers from "#client/SliceNumbers.ts"
import { Errno } from "#domain/Errno.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { OperationName, ReplyOf, RequestOf } from "#domain/Operations.ts"
import type { Dice } from "#domain/testing/Dice.ts"
import type { Recording } from "#simulations/history/Recorder.ts"
import * as Effect from "effect/Effect"

/** A snapshot that some client has taken, and how far its removal is. */
export interface TakenSnapshot {
  readonly directory: number
  readonly name: string
  readonly sequence: number
  removal: "none" | "begun" | "done"
}

/** Inodes that some client has heard of, whether they still are or not; the oldest are forgotten. */
export class Known {
  readonly directories: Array<number>
  readonly files: Array<number> = []
  /** What the state of zones was. */
  readonly moments: Array<{ readonly zone: number; readonly sequence: number; readonly digest: Uint8Array }> = []

  readonly snapshots: Array<TakenSnapshot> = []

  constructor(zones: number) {
    this.directories = Array.from({ length: zones }, (_, zone) => InodeNumber.rootOf(zone))
    this.roots = zones
  }

  addDirectory(inode: number): void {
    if (this.directories.includes(inode)) return
    this.directories.push(inode)
    if (this.directories.length > this.roots + INODES_MAX) this.directories.splice(this.roots, 1)
  }

  addFile(inode: number): void {
    if (this.files.includes(inode)) return
    this.files.push(inode)
    if (this.files.length > INODES_MAX) this.files.shift()
  }

  /** A name that no file had before. */
  freshName(): string {
    return `own${this.names++}`
  }

  /** A slice's number is somebody's; false if it was before. */
  takes(slice: number): boolean {
    if (this.slices.has(slice)) return false
    this.slices.add(slice)
    return true
  }

  private names = 0
  private readonly slices = new Set<number>()
  private readonly roots: number
}

const INODES_MAX = 8

export interface Hands {
  readonly client: ClientService
  readonly numbers: SliceNumbers.SliceNumbers
  readonly dice: Dice
  readonly known: Known
  /** One command; undefined if it was refused, or nobody knows what became of it. */
  readonly call: <Name extends OperationName>(
    name: Name,
    request: RequestOf<Name>
  ) => Effect.Effect<ReplyOf<Name> | undefined>
  /** The same, with the errno; undefined if nobody knows what became of it. */
  readonly ask: <Name extends OperationName>(
    name: Name,
    request: RequestOf<Name>
  ) => Effect.Effect<Answer<Name> | undefined>
  /** Another number once the client's session is lost. */
  readonly session: () => number
  /** The client is gone. */
  readonly leave: () => void
  /** A lock that may wait; whether it was granted. */
  readonly lock: (request: RequestOf<"lock">) => Effect.Effect<boolean>
  /** The client saw what it should never see. */
  readonly complain: (what: string) => void
}

export interface Answer<Name extends OperationName> {
  readonly errno: number
  readonly reply: ReplyOf<Name> | undefined
}

/** One step of a workload; called again and again. */
export type Workload = (hands: Hands) => Effect.Effect<void>

export interface HandsOptions {
  readonly dice: Dice
  /** Told of rare paths. */
  readonly probe: (name: string) => void
  /** Seconds of a monotonic clock. */
  readonly now: () => number
  readonly client: ClientService
  /** A small number for a session: sessions are what histories tell apart. */
  readonly numberOf: (session: number) => number
  readonly known: Known
  readonly recorder: Recording
  readonly complain: (what: string) => void
  /** The client has lost a session that it had for so many seconds. */
  readonly onSessionLost: (seconds: number) => void
}

export const make = (options: HandsOptions): Hands => {
  const { client, complain, dice, known, now, numberOf, onSessionLost, probe, recorder } = options
  let current = numberOf(client.session())
  let since = now()
  let leaves = false
  /** The session that asks now; the one before it is over. */
  const session = (): number => {
    const number = numberOf(client.session())
    if (number === current) return number
    recorder.leaves(current)
    // Its farewell, sent again, finds that the session is over.
    if (!leaves) onSessionLost(now() - since)
    current = number
    since = now()
    return number
  }

  const record = <Name extends OperationName>(
    name: Name,
    request: RequestOf<Name>,
    sent: Effect.Effect<ReplyOf<Name>, PosixError | TransportError>
  ): Effect.Effect<Answer<Name> | undefined> =>
    Effect.suspend(() => {
      const { refused, replied } = recorder.begin(session(), name, request)
      return Effect.match(sent, {
        onSuccess: (reply) => {
          replied(reply)
          return { errno: 0, reply }
        },
        onFailure: (error) => {
          if (error._tag === "PosixError") {
            refused(error.errno)
            // Zones say it of what was answered once; nobody who still waits may be told so.
            if (error.errno === Errno.ECANCELED) complain(`${name} was cancelled, though its client waits for it`)
            return { errno: error.errno, reply: undefined }
          }
          probe(`client: ${error._tag}`)
          return undefined
        }
      })
    })

  return {
    client,
    known,
    complain,
    dice,
    numbers: SliceNumbers.make(client),
    session,
    leave: () => {
      leaves = true
      recorder.leaves(session())
    },
    ask: (name, request) => record(name, request, client.call(name, request)),
    call: (name, request) => Effect.map(record(name, request, client.call(name, request)), (answer) => answer?.reply),
    lock: (request) => Effect.map(record("lock", request, client.lock(request)), (answer) => answer?.errno === 0)
  }
}
