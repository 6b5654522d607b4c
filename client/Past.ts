/**
 * The past as a client addresses it: inodes of a zone at a point of its history have numbers below zero, good for
 * this client alone. Reads of them go to a runner that serves that point; whatever would change one is refused here.
 *
 * A point takes one of few places in a table, an inode none: the number holds the place and the inode's own number in
 * its zone. The directory that lists a directory's snapshots is a point without a sequence.
 */
import type { Command } from "#client/Client.ts"
import type { TransportError } from "#client/ClientError.ts"
import { WRITE } from "#domain/Access.ts"
import type { Attributes } from "#domain/Attributes.ts"
import type { ByteString } from "#domain/ByteString.ts"
import type { Outcome } from "#domain/codec/MessageCodec.ts"
import { isRead } from "#domain/Decide.ts"
import { Errno } from "#domain/Errno.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import type { NamedSnapshot } from "#domain/NamedSnapshot.ts"
import { type OperationName, operations, type ReplyOf, type RequestOf } from "#domain/Operations.ts"
import * as Effect from "effect/Effect"

/** A point of a zone's history. */
export interface Point {
  readonly zone: number
  /** The event after which it is; 0 for the directories that list snapshots, as they are now. */
  readonly sequence: number
}

export interface Past {
  /** The number of an inode at a point; undefined once the client looks at as many points as it may. */
  readonly numberOf: (point: Point, inode: number) => number | undefined
  /** Attributes, of the past or not, with the number that the inode has in its zone: for people, not for calls. */
  readonly ownOf: (attributes: Attributes) => Attributes
  /** The number of the directory's `.snapshots`. */
  readonly snapshotsOf: (directory: number) => number | undefined
  /** Commands of which at least one speaks of the past. */
  readonly callAll: (commands: ReadonlyArray<Command>) => Effect.Effect<ReadonlyArray<Outcome>, TransportError>
}

export interface PastOptions {
  /** To the zone as it is. */
  readonly live: (commands: ReadonlyArray<Command>) => Effect.Effect<ReadonlyArray<Outcome>, TransportError>
  /** To a runner that serves the point. */
  readonly submit: (
    point: Point,
    commands: ReadonlyArray<Command>
  ) => Effect.Effect<ReadonlyArray<Outcome>, TransportError>
}

const LOCALS = Limits.localNumberMax + 1
/** As many as fit beside an inode's own number. */
const POINTS_MAX = Limits.zonesMax - 1
const SNAPSHOTS_MODE = Mode.S_IFDIR | 0o555

/** Whether an inode's number is of the past. References to commands of a message are far smaller. */
export const isPast = (inode: number): boolean => inode <= -LOCALS

/** Whether a command speaks of the past. */
export const concerns = ({ operation, request }: Command): boolean => {
  const fields = request as { readonly [field: string]: unknown }
  return operation.request.inodeFields.some((field) => isPast(fields[field] as number))
}

export const make = ({ live, submit }: PastOptions): Past => {
  const points: Array<Point> = []

  const numberOf: Past["numberOf"] = ({ sequence, zone }, inode) => {
    let place = points.findIndex((point) => point.zone === zone && point.sequence === sequence)
    if (place === -1) {
      if (points.length === POINTS_MAX) return undefined
      place = points.push({ zone, sequence }) - 1
    }
    return -(place + 1) * LOCALS - InodeNumber.localOf(inode)
  }
  const expect = (point: Point, inode: number): number => numberOf(point, inode) as number
  const found = (number: number): { readonly point: Point; readonly inode: number } => {
    const place = Math.floor(-number / LOCALS) - 1
    const point = points[place]
    if (point === undefined) throw new Error(`${number} is no inode of the past that this client knows`)
    return { point, inode: InodeNumber.make(point.zone, -number - (place + 1) * LOCALS) }
  }

  const call = <Name extends OperationName>(
    name: Name,
    request: RequestOf<Name>,
    send: PastOptions["live"]
  ): Effect.Effect<Reply<Name>, TransportError> =>
    Effect.map(
      send([{ operation: operations[name] as unknown as Command["operation"], request }]),
      ([outcome]) => outcome as unknown as Reply<Name>
    )

  const here = ({ operation, request }: Command): Command => {
    const fields: { [field: string]: unknown } = { ...request as object }
    for (const field of operation.request.inodeFields) {
      const number = fields[field] as number
      if (isPast(number)) fields[field] = found(number).inode
    }
    return { operation, request: fields }
  }

  /** Reads at a point, their replies with this client's numbers. */
  const read = (point: Point, commands: ReadonlyArray<Command>) =>
    Effect.map(
      submit(point, commands.map(here)),
      (outcomes) => outcomes.map((outcome, index) => answered(point, commands[index] as Command, outcome))
    )

  const answered = (point: Point, command: Command, outcome: Outcome): Outcome => {
    if ((outcome.errno === 0 || outcome.errno === Errno.EACCES) && asksToWrite(command)) return { errno: Errno.EROFS }
    return outcome.errno === 0 ? ok(numbered(point, command, outcome.reply)) : outcome
  }

  const numbered = (point: Point, { operation }: Command, reply: unknown): unknown => {
    const own = (attributes: Attributes): Attributes => ({ ...attributes, inode: expect(point, attributes.inode) })
    switch (operation.code) {
      case operations.lookup.code:
      case operations.getAttributes.code: {
        const { attributes } = reply as ReplyOf<"getAttributes">
        return { attributes: own(attributes) }
      }
      case operations.walk.code: {
        const { errno, found } = reply as ReplyOf<"walk">
        return { errno, found: found.map(own) }
      }
      case operations.readDirectory.code: {
        const { end, entries, parent } = reply as ReplyOf<"readDirectory">
        return {
          end,
          parent: expect(point, parent),
          entries: entries.map((entry) => ({
            ...entry,
            inode: expect(point, entry.inode),
            attributes: entry.attributes === undefined ? undefined : own(entry.attributes)
          }))
        }
      }
      default:
        return reply
    }
  }

  /** One read of the directory that lists a directory's snapshots. */
  const readSnapshots = (directory: number, { operation, request }: Command): Effect.Effect<Outcome, TransportError> =>
    Effect.gen(function*() {
      const number = expect({ zone: InodeNumber.zoneOf(directory), sequence: 0 }, directory)
      const listed = yield* call("listSnapshots", { directory, all: false }, live)
      if (listed.errno !== 0) return listed
      const { snapshots } = listed.reply
      switch (operation.code) {
        case operations.getAttributes.code:
        case operations.readDirectory.code: {
          const stat = yield* call("getAttributes", { inode: directory }, live)
          if (stat.errno !== 0) return stat
          const { attributes } = stat.reply
          if (operation.code === operations.readDirectory.code) {
            const page = listing(directory, attributes, snapshots, request as RequestOf<"readDirectory">)
            return page === undefined ? { errno: Errno.ENFILE } : ok(page)
          }
          return ok({ attributes: { ...attributes, inode: number, mode: SNAPSHOTS_MODE, nlink: 2 } })
        }
        case operations.walk.code: {
          const [name, ...rest] = (request as RequestOf<"walk">).names
          const { errno, found } = yield* walk(snapshots, name, rest)
          return ok({ errno, found })
        }
        case operations.lookup.code: {
          const { errno, found: [attributes] } = yield* walk(snapshots, (request as RequestOf<"lookup">).name, [])
          return attributes === undefined ? { errno } : ok({ attributes })
        }
        case operations.testAccess.code:
          return asksToWrite({ operation, request }) ? { errno: Errno.EROFS } : ok(undefined)
        case operations.listXattrs.code:
          return ok({ names: [] })
        case operations.getXattr.code:
          return { errno: Errno.ENODATA }
        default:
          return { errno: Errno.EISDIR }
      }
    })

  /** From a snapshot's name on. */
  const walk = (
    snapshots: ReadonlyArray<NamedSnapshot>,
    name: ByteString | undefined,
    rest: ReadonlyArray<ByteString>
  ): Effect.Effect<ReplyOf<"walk">, TransportError> =>
    Effect.gen(function*() {
      const snapshot = snapshots.find((candidate) => candidate.name === name)
      if (snapshot === undefined) return { errno: name === undefined ? 0 : Errno.ENOENT, found: [] }
      const { directory, sequence } = snapshot
      const point = { zone: InodeNumber.zoneOf(directory), sequence }
      const start = numberOf(point, directory)
      if (start === undefined) return { errno: Errno.ENFILE, found: [] }
      const send = (commands: ReadonlyArray<Command>) => read(point, commands)
      const top = yield* call("getAttributes", { inode: start }, send)
      if (top.errno !== 0) return { errno: top.errno, found: [] }
      if (rest.length === 0) return { errno: 0, found: [top.reply.attributes] }
      const below = yield* call("walk", { start, names: rest }, send)
      if (below.errno !== 0) return { errno: below.errno, found: [top.reply.attributes] }
      return { errno: below.reply.errno, found: [top.reply.attributes, ...below.reply.found] }
    })

  /** Snapshots as entries. Their times are when they were taken: the past itself need not be looked at for a list. */
  const listing = (
    directory: number,
    attributes: Attributes,
    snapshots: ReadonlyArray<NamedSnapshot>,
    { after, count, plus }: RequestOf<"readDirectory">
  ): ReplyOf<"readDirectory"> | undefined => {
    const zone = InodeNumber.zoneOf(directory)
    const behind = snapshots.filter(({ name }) => name > after).toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const entries: Array<ReplyOf<"readDirectory">["entries"][number]> = []
    for (const { name, sequence, time } of behind.slice(0, count)) {
      const inode = numberOf({ zone, sequence }, directory)
      if (inode === undefined) return undefined
      const taken = { ...attributes, inode, atime: time, mtime: time, ctime: time }
      entries.push({ name, inode, type: Mode.direntType(Mode.S_IFDIR), attributes: plus ? taken : undefined })
    }
    return { parent: directory, entries, end: entries.length === behind.length }
  }

  return {
    numberOf,
    ownOf: (attributes) =>
      isPast(attributes.inode) ? { ...attributes, inode: found(attributes.inode).inode } : attributes,
    snapshotsOf: (directory) => numberOf({ zone: InodeNumber.zoneOf(directory), sequence: 0 }, directory),
    callAll: (commands) => {
      const routes = commands.map(({ operation, request }) => operation.routeOf(request))
      if (commands.some(({ operation }) => !isRead(operation))) {
        // Nothing of it is sent: what the past would give to the present, or the other way, cannot be in one zone.
        return Effect.succeed(commands.map((command, index): Outcome => ({
          errno: isPast(routes[index] as number)
            ? Errno.EROFS
            : concerns(command)
            ? Errno.EXDEV
            : Errno.ECANCELED
        })))
      }
      const { inode, point } = found(routes.find(isPast) as number)
      return point.sequence > 0
        ? read(point, commands)
        : Effect.forEach(commands, (command) => readSnapshots(inode, command))
    }
  }
}

type Reply<Name extends OperationName> =
  | { readonly errno: 0; readonly reply: ReplyOf<Name> }
  | { readonly errno: Exclude<Errno, 0>; readonly reply?: never }

const ok = (reply: unknown): Outcome => ({ errno: 0, reply })

/** Of a test of access: whether it would write, which nobody may in the past. */
const asksToWrite = ({ operation, request }: Command): boolean =>
  operation.code === operations.testAccess.code && ((request as RequestOf<"testAccess">).wanted & WRITE) !== 0
