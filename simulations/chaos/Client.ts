/**
 * A client in a process of its own, that may be killed and frozen: works, waits or inspects as its errand says, and
 * tells all that it asks and learns. It judges no history.
 */
import { replay } from "#audit/Replay.ts"
import * as Client from "#client/Client.ts"
import { root } from "#domain/Credentials.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Dice } from "#domain/testing/Dice.ts"
import type { Errand, Order, Word } from "#simulations/chaos/Wire.ts"
import { lookAtAll } from "#simulations/checks/Inspector.ts"
import type { Recording } from "#simulations/history/Recorder.ts"
import { type Hands, Known, make as makeHands } from "#simulations/workloads/Hands.ts"
import { drawn } from "#simulations/workloads/Workloads.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { writeSync } from "node:fs"
import { createInterface } from "node:readline"

const STDOUT = 1

/** Returns once the words are with the reader or on their way, whatever happens to this process. */
const say = (word: Word): void => {
  const bytes = Buffer.from(`${JSON.stringify(word)}\n`)
  for (let at = 0; at < bytes.length;) at += writeSync(STDOUT, bytes, at)
}

/** Tells others of what it learns, and learns what others tell. */
class SharedKnown extends Known {
  override addDirectory(inode: number): void {
    if (!this.directories.includes(inode)) say({ kind: "knows", inode, isDirectory: true })
    super.addDirectory(inode)
  }

  override addFile(inode: number): void {
    if (!this.files.includes(inode)) say({ kind: "knows", inode, isDirectory: false })
    super.addFile(inode)
  }

  hear(inode: number, isDirectory: boolean): void {
    if (isDirectory) super.addDirectory(inode)
    else super.addFile(inode)
  }
}

const recording = (origin: bigint): Recording => {
  const now = (): number => Number(process.hrtime.bigint() - origin)
  let count = 0
  return {
    begin: (session, operation, request) => {
      const number = count++
      say({ kind: "asks", at: now(), session, number, operation, request })
      const learn = (errno: number, reply?: unknown): void => say({ kind: "learns", at: now(), number, errno, reply })
      return { replied: (reply) => learn(0, reply), refused: (errno) => learn(errno) }
    },
    leaves: (session) => say({ kind: "leaves", at: now(), session })
  }
}

/** What it was told before it had connected. */
const early: Array<Order> = []
let obey = (order: Order): void => void early.push(order)
const told = { toEnd: false }

const run = (errand: Errand): Effect.Effect<void> =>
  Effect.scoped(Effect.gen(function*() {
    const client = yield* connect(errand)
    const known = new SharedKnown(client.info.zones)
    const hands = makeHands({
      dice: new Dice(errand.seed),
      now: () => performance.now() / 1000,
      // One that was frozen has lost it rightly.
      onSessionLost: () => undefined,
      probe: (name) => say({ kind: "probes", name }),
      client,
      numberOf: (session) => session,
      known,
      recorder: recording(BigInt(errand.origin)),
      complain: (text) => violate("clients see what was promised", `${errand.name}: ${text}`)
    })
    obey = (order) => {
      if (order.kind === "knows") known.hear(order.inode, order.isDirectory)
    }
    for (const order of early) obey(order)
    yield* errands[errand.role](hands, errand)
    hands.leave()
  })).pipe(Effect.catchTag("ClusterUnreachable", () => Effect.void), Effect.orDie)

const violate = (rule: string, text: string): void => say({ kind: "complains", rule, text })

const connect = ({ endpoints, name, retrySeconds, secret }: Errand) =>
  Client.make({
    endpoints,
    secret: Redacted.make(secret),
    who: root,
    descriptor: { client: "chaos", host: name, user: "root", uid: 0, pid: process.pid },
    retryFor: Duration.seconds(retrySeconds)
  }).pipe(Effect.retry({ while: ({ _tag }) => _tag === "ClusterUnreachable" && !told.toEnd }))

const work = (hands: Hands, { loops, thinkSeconds, workloads }: Errand): Effect.Effect<void> => {
  const loop = Effect.gen(function*() {
    while (!told.toEnd) {
      yield* Effect.sleep(Duration.millis(hands.dice.below(2000 * thinkSeconds)))
      if (!told.toEnd) yield* drawn(workloads, hands.dice)(hands)
    }
  })
  return Effect.all(Array.from({ length: loops }, () => loop), { concurrency: "unbounded", discard: true })
}

const ROUNDS_PER_LEASE = 8
const LEASES_MAX = 3

/**
 * Waits until the sessions of clients that died are over, or should be. A zone lives once somebody asks for it, so
 * this one asks, again and again.
 */
const outlast = ({ call, client }: Hands, { sessionLeaseSeconds }: Errand): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (let round = 0; round < LEASES_MAX * ROUNDS_PER_LEASE; round++) {
      let sessions = 0
      for (let zone = 0; zone < client.info.zones; zone++) {
        yield* call("getAttributes", { inode: InodeNumber.rootOf(zone) })
        sessions += yield* sessionsOf(client, zone)
      }
      if (sessions === 0) return
      yield* Effect.sleep(Duration.seconds(sessionLeaseSeconds / ROUNDS_PER_LEASE))
    }
  })

/** A history that cannot be read is the inspector's affair. */
const sessionsOf = (client: Client.ClientService, zone: number): Effect.Effect<number> =>
  replay(client, zone, Number.MAX_SAFE_INTEGER).pipe(
    Effect.map(({ state }) => state.sessions.size),
    Effect.catchAll(() => Effect.succeed(1))
  )

const errands: Readonly<Record<Errand["role"], (hands: Hands, errand: Errand) => Effect.Effect<void>>> = {
  worker: work,
  waiter: outlast,
  inspector: (hands) => {
    const stateOf = (zone: number, sequence: number) =>
      Effect.map(replay(hands.client, zone, sequence), ({ state }) => state)
    return lookAtAll(hands, { violate, stateOf })
  }
}

const lines = createInterface({ input: process.stdin })
lines.once("line", (line) => {
  lines.on("line", (next) => {
    const order = JSON.parse(next) as Order
    if (order.kind === "end") told.toEnd = true
    else obey(order)
  })
  void Effect.runPromise(run(JSON.parse(line) as Errand)).then(() => {
    say({ kind: "done" })
    return process.exit(0)
  })
})
// Whoever started it is gone.
lines.once("close", () => process.exit(1))
