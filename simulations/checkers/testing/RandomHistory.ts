/**
 * Random histories that are right: clients whose operations overlap, each decided by a zone at one moment between its
 * beginning and its end, some answers lost. The zone is the real one, so that the models are held against it. The
 * same seed gives the same history. For tests and the bench of the checkers alone.
 */
import type { Command } from "#domain/codec/MessageCodec.ts"
import { Reader } from "#domain/codec/Reader.ts"
import * as Credentials from "#domain/Credentials.ts"
import { Decider, WAITS } from "#domain/Decide.ts"
import * as Mode from "#domain/Mode.ts"
import { type OperationName, operations, type RequestOf } from "#domain/Operations.ts"
import { ZoneState } from "#domain/state/ZoneState.ts"
import { Dice } from "#domain/testing/Dice.ts"
import * as Telling from "#simulations/checkers/testing/Telling.ts"
import type { Observation } from "#simulations/history/History.ts"

export interface Shape {
  readonly clients: number
  readonly operations: number
  /** Operations of which nobody learns what came of them, in a thousand. */
  readonly lostPermille: number
  /** What the clients do; the more often a kind stands here, the more often they do it. */
  readonly kinds: ReadonlyArray<Kind>
  /** Names that a directory may hold, and directories that are used at a time. */
  readonly names: number
}

export type Kind = keyof typeof requests

export const directoryKinds: ReadonlyArray<Kind> = [
  "lookup",
  "lookup",
  "create",
  "create",
  "makeDirectory",
  "makeSymlink",
  "makeNode",
  "link",
  "unlink",
  "unlink",
  "removeDirectory",
  "rename",
  "rename",
  "readDirectory",
  "getAttributes",
  "open",
  "release",
  "walk"
]

export const fileKinds: ReadonlyArray<Kind> = [
  "create",
  "lookup",
  "unlink",
  "open",
  "release",
  "write",
  "write",
  "readExtents",
  "readExtents",
  "setAttributes",
  "getAttributes",
  "setXattr",
  "setXattr",
  "getXattr",
  "removeXattr",
  "listXattrs",
  "readDirectory"
]

export const lockKinds: ReadonlyArray<Kind> = ["lock", "lock", "unlock", "testLock"]

interface Client {
  readonly number: number
  index: number
  running: Running | undefined
}

interface Running {
  readonly observation: Observation
  readonly command: number
  decided: boolean
  waits: boolean
  outcome: Observation["outcome"]
}

export const randomHistory = (seed: number, shape: Shape): ReadonlyArray<Observation> =>
  new Recording(seed, shape).run()

class Recording {
  readonly dice: Dice
  readonly shape: Shape
  /** What clients were shown, to ask about. */
  readonly directories: Array<number> = [1]
  readonly files: Array<number> = []
  readonly handles = new Map<number, Array<{ readonly inode: number; readonly handle: number }>>()
  slice = 1
  private readonly state = new ZoneState(0)
  private readonly decider = new Decider(this.state)
  private readonly observations: Array<Observation> = []
  private moment = 0
  private command = 0
  private second = 1000

  constructor(seed: number, shape: Shape) {
    this.dice = new Dice(seed)
    this.shape = shape
  }

  run(): ReadonlyArray<Observation> {
    const { dice, shape } = this
    this.found()
    const clients = Array.from({ length: shape.clients }, (_, index): Client => ({
      number: index + 1,
      index: 0,
      running: undefined
    }))
    const areStuck = (): boolean => clients.every(({ running }) => running?.waits === true && !running.decided)
    for (let begun = 0; begun < shape.operations && !areStuck();) {
      const client = dice.of(clients)
      const { running } = client
      if (running === undefined) {
        this.begin(client)
        begun++
      } else if (running.decided) this.end(client, running)
      else if (dice.below(1000) < shape.lostPermille) this.lose(client, running)
      else this.decide(client, running, clients)
    }
    for (const { running } of clients) if (running !== undefined) this.observations.push(running.observation)
    return this.observations
  }

  handleOf(client: number, inode: number): number {
    const held = (this.handles.get(client) ?? []).filter((handle) => handle.inode === inode)
    return held.length > 0 && this.dice.chance(50) ? this.dice.of(held).handle : 0
  }

  private found(): void {
    this.decider.begin({ seconds: this.second, nanos: 0 })
    this.decider.decideOwn(operations.foundZone, { inode: 1, mode: Mode.S_IFDIR | 0o755 })
    this.send(1, { operation: "reserveSlices", request: { inode: 1, count: 60_000 } })
    this.decider.take()
  }

  private begin(client: Client): void {
    const kind = this.dice.of(this.shape.kinds)
    const begun = ++this.moment
    const request = requests[kind](this, client.number)
    const index = client.index++
    const observation = {
      client: client.number,
      index,
      begun,
      ended: undefined,
      operation: kind,
      request,
      outcome: undefined
    }
    client.running = {
      observation: observation as unknown as Observation,
      command: ++this.command,
      decided: false,
      waits: false,
      outcome: undefined
    }
  }

  private decide(client: Client, running: Running, clients: ReadonlyArray<Client>): void {
    if (running.waits) return
    this.decider.begin({ seconds: ++this.second, nanos: 0 })
    running.outcome = this.send(client.number, running.observation, running.command)
    for (const { request, session } of this.decider.take().completed) {
      const waiting = clients[session - 1]?.running
      if (waiting?.command !== request) continue
      waiting.decided = true
      waiting.outcome = { errno: 0 }
    }
    if (running.outcome === undefined) running.waits = true
    else running.decided = true
  }

  private end(client: Client, { observation, outcome }: Running): void {
    const ended = { ...observation, ended: ++this.moment, outcome } as Observation
    this.observations.push(ended)
    client.running = undefined
    this.learn(ended)
  }

  /** The command gets lost on its way there, or its answer on the way back. */
  private lose(client: Client, running: Running): void {
    if (running.waits) return
    if (this.dice.chance(50)) this.decide(client, running, [])
    this.observations.push(running.observation)
    client.running = undefined
  }

  private send(session: number, asked: Pick<Observation, "operation" | "request">, number = ++this.command) {
    const descriptor = { client: "test", host: "test", user: "root", uid: 0, pid: 1 }
    const operation = operations[asked.operation] as unknown as Command["operation"]
    const command = { operation, number, who: Credentials.root, request: asked.request }
    const decisions = this.decider.decide({
      zone: 0,
      epoch: 1,
      session,
      floor: 0,
      known: this.state.sessions.has(session),
      descriptor,
      commands: [command]
    })
    const [decision] = decisions as ReadonlyArray<{ readonly reply: string } | typeof WAITS>
    if (decision === undefined || decision === WAITS) return undefined
    const reader = new Reader(Buffer.from(decision.reply, "latin1"))
    const errno = reader.u16()
    return (errno === 0 ? { errno, reply: operation.reply.read(reader) } : { errno }) as Observation["outcome"]
  }

  private learn({ client, operation, outcome, request }: Observation): void {
    const reply = outcome?.reply as
      | { readonly attributes?: { readonly inode: number; readonly mode: number }; readonly handle?: number }
      | undefined
    const attributes = reply?.attributes
    if (attributes !== undefined) {
      const known = Mode.isDirectory(attributes.mode) ? this.directories : this.files
      if (!known.includes(attributes.inode)) known.push(attributes.inode)
      if (known.length > this.shape.names) known.splice(1, 1)
      if (reply?.handle) {
        const handles = this.handles.get(client) ?? []
        this.handles.set(client, [...handles, { inode: attributes.inode, handle: reply.handle }])
      }
    }
    if (operation === "release") {
      const { handle } = request as RequestOf<"release">
      this.handles.set(client, (this.handles.get(client) ?? []).filter((held) => held.handle !== handle))
    }
  }
}

const directory = ({ dice, directories }: Recording): number => dice.of(directories)

const name = ({ dice, shape }: Recording): string => `n${dice.below(shape.names)}`

const file = ({ dice, files }: Recording): number => (files.length === 0 ? 1 : dice.of(files))

const anything = (recording: Recording): number => (recording.dice.chance(70) ? file(recording) : directory(recording))

const BYTES = 64

const requests = {
  lookup: (r) => ({ parent: directory(r), name: name(r) }),
  create: (r) =>
    Telling.creating(directory(r), name(r), {
      exclusive: r.dice.chance(30),
      truncate: r.dice.chance(20),
      access: r.dice.chance(30) ? r.dice.of([1, 2, 3]) : 0
    }),
  makeDirectory: (r) => Telling.making(directory(r), name(r)),
  makeSymlink: (r) => ({ parent: directory(r), name: name(r), target: "somewhere" }),
  makeNode: (r) => ({ ...Telling.making(directory(r), name(r)), mode: Mode.S_IFIFO | 0o600, rdev: 0 }),
  link: (r) => ({ inode: anything(r), parent: directory(r), name: name(r) }),
  unlink: (r) => ({ parent: directory(r), name: name(r) }),
  removeDirectory: (r) => ({ parent: directory(r), name: name(r) }),
  rename: (r) =>
    Telling.renaming(directory(r), name(r), directory(r), name(r), r.dice.of(["replace", "keep", "exchange"] as const)),
  readDirectory: (r) => ({ ...Telling.listing(directory(r)), plus: r.dice.chance(30) }),
  walk: (r) => ({ start: directory(r), names: [name(r), name(r), name(r)] }),
  getAttributes: (r) => ({ inode: anything(r) }),
  open: (r) => ({ inode: anything(r), access: r.dice.of([1, 2, 3]), truncate: r.dice.chance(10) }),
  release: (r, client) => {
    const handles = r.handles.get(client) ?? []
    return handles.length === 0 ? { inode: file(r), handle: 1 } : r.dice.of(handles)
  },
  write: (r, client) => {
    const inode = file(r)
    const length = 1 + r.dice.below(16)
    const handle = r.handleOf(client, inode)
    return { ...Telling.writing(inode, r.dice.below(BYTES), length, r.slice++, handle), append: r.dice.chance(30) }
  },
  readExtents: (r, client) => {
    const inode = file(r)
    return {
      inode,
      handle: r.handleOf(client, inode),
      offset: r.dice.below(BYTES / 2),
      length: r.dice.below(4 * BYTES)
    }
  },
  setAttributes: (r, client) => {
    const inode = anything(r)
    const some = [
      { size: r.dice.below(BYTES), handle: r.handleOf(client, inode) },
      { mode: r.dice.below(0o10000) },
      { uid: r.dice.below(3) },
      { gid: r.dice.below(3), mode: 0o6750 }
    ]
    return Telling.setting(inode, r.dice.of(some))
  },
  setXattr: (r) => ({
    inode: anything(r),
    name: `user.${r.dice.below(3)}`,
    value: `${r.dice.below(1000)}`,
    mode: r.dice.of(["either", "create", "replace"] as const)
  }),
  getXattr: (r) => ({ inode: anything(r), name: `user.${r.dice.below(3)}` }),
  removeXattr: (r) => ({ inode: anything(r), name: `user.${r.dice.below(3)}` }),
  listXattrs: (r) => ({ inode: anything(r) }),
  lock: (r) => {
    const start = r.dice.below(4) * 10
    const range = { start, end: start + 10 * r.dice.below(3) + 9 }
    const whole = { start: 0, end: Number.MAX_SAFE_INTEGER, family: "flock" as const }
    const fields = { owner: r.dice.below(2), wait: r.dice.chance(15), ...(r.dice.chance(50) ? range : whole) }
    return Telling.locking(1, r.dice.of(["read", "write"] as const), fields)
  },
  unlock: (r) => {
    const start = r.dice.below(4) * 10
    const whole = { start: 0, end: Number.MAX_SAFE_INTEGER, family: "flock" as const }
    return Telling.unlocking(1, { owner: r.dice.below(2), ...(r.dice.chance(50) ? { start, end: start + 19 } : whole) })
  },
  testLock: (r) => ({
    ...Telling.unlocking(1, { owner: r.dice.below(2) }),
    type: r.dice.of(["read", "write"] as const)
  })
} satisfies { readonly [Name in OperationName]?: (recording: Recording, client: number) => RequestOf<Name> }
