/**
 * The world's network: hosts that reach each other or do not, and what travels between them late. Connections are
 * streams, as TCP's: bytes come in order or the connection breaks; between connections nothing is in order.
 *
 * A cut direction holds what is sent until it heals, as TCP sends again; neither end learns of it.
 */
import type { Process } from "#simulations/world/Process.ts"
import { MICRO, MILLI, type World } from "#simulations/world/World.ts"

const LATENCY_MIN = 50 * MICRO
const LATENCY_MAX = 400 * MICRO
/** One message in so many is late, by up to so much more. */
const LATE_ONE_IN = 50
const LATE_MAX = 20 * MILLI
/** What waited for a cut to heal arrives within this time after. */
const RESEND_MAX = 200 * MILLI

/** One end of a connection. What is sent is not copied: it must not change any more. */
export interface End {
  readonly process: Process
  /** Takes what arrived; what came before it was set waits for it. */
  onMessage: ((message: unknown) => void) | undefined
  /** Told once when the connection is gone. */
  readonly onClose: Array<() => void>
  readonly isOpen: boolean
  /** Whether it is on its way. */
  readonly send: (message: unknown) => boolean
  readonly close: () => void
}

/** What whoever connects says first. */
export interface Hello {
  readonly purpose: number | string
  readonly secret: string
}

/** Looks at who wants to connect: takes the far end of the connection, or says why not. */
export type Accept = (hello: Hello) => ((end: End) => void) | string

/** The network's word on an attempt to connect. */
export type Connected = { readonly end: End } | {
  readonly refused: string
  /** Whether nobody listens there; else somebody does, and will not have it. */
  readonly absent: boolean
}

interface Held {
  readonly from: string
  readonly to: string
  readonly deliver: () => void
}

export class Network {
  readonly world: World
  private readonly listeners = new Map<string, { readonly process: Process; readonly accept: Accept }>()
  /** How many times each direction is cut. */
  private readonly cuts = new Map<string, number>()
  private readonly connections = new Set<Connection>()
  private held: Array<Held> = []
  /** How many times slower than usual. */
  slowness = 1

  constructor(world: World) {
    this.world = world
  }

  /** Serves connections to a host until the process dies or another one listens there. */
  listen(process: Process, host: string, accept: Accept): void {
    const listener = { process, accept }
    this.listeners.set(host, listener)
    process.onDeath.add(() => {
      if (this.listeners.get(host) === listener) this.listeners.delete(host)
    })
  }

  /** Nothing that one sends reaches the other, until it is mended as often as it was cut. */
  cut(from: string, to: string): void {
    const way = wayOf(from, to)
    this.cuts.set(way, (this.cuts.get(way) ?? 0) + 1)
  }

  mend(ways: ReadonlyArray<readonly [from: string, to: string]>): void {
    for (const [from, to] of ways) {
      const way = wayOf(from, to)
      const left = (this.cuts.get(way) ?? 0) - 1
      if (left > 0) this.cuts.set(way, left)
      else this.cuts.delete(way)
    }
    this.sendHeld()
  }

  heal(): void {
    this.cuts.clear()
    this.slowness = 1
    this.sendHeld()
  }

  /** What waited for a way that is whole again is sent again. */
  private sendHeld(): void {
    const held = this.held
    this.held = []
    for (const one of held) {
      const { deliver, from, to } = one
      if (this.cuts.has(wayOf(from, to))) this.held.push(one)
      else this.world.later(this.world.between(0, RESEND_MAX), undefined, () => this.carry(from, to, deliver))
    }
  }

  /**
   * Opens a connection from a process to a host. `done` is called in the process once there is an answer, which may
   * be never.
   */
  connect(process: Process, host: string, hello: Hello, done: (connected: Connected) => void): void {
    const { world } = this
    const back = (run: () => void): void => this.carry(host, process.name, () => world.soon(process, run))
    this.carry(process.name, host, () => {
      const listener = this.listeners.get(host)
      if (listener === undefined) return back(() => done({ refused: "nobody listens there", absent: true }))
      // The kernel takes the connection, whatever its process does; the process must answer.
      world.soon(listener.process, () => {
        const accepted = listener.accept(hello)
        if (typeof accepted === "string") return back(() => done({ refused: accepted, absent: false }))
        const connection = new Connection(this, process, listener.process, host)
        this.connections.add(connection)
        accepted(connection.far)
        back(() => done({ end: connection.near }))
      })
    })
  }

  /** Breaks any one connection between two hosts, as a box in the middle does that forgets it. */
  breakOne(openers?: ReadonlySet<Process>): boolean {
    const open = [...this.connections].filter(({ near }) => openers?.has(near.process) !== false)
    if (open.length === 0) return false
    this.world.dice.of(open).reset()
    return true
  }

  /** All that is sent over any one connection that these opened arrives so much later at the earliest. */
  stallOne(openers: ReadonlySet<Process>, micros: number): boolean {
    const open = [...this.connections].filter(({ near }) => openers.has(near.process))
    if (open.length === 0) return false
    this.world.dice.of(open).stall(this.world.now + micros)
    return true
  }

  /** Has it arrive some time later, at a time at the earliest; or when the way is whole again. */
  carry(from: string, to: string, deliver: () => void, earliest = 0): void {
    if (this.cuts.has(wayOf(from, to))) {
      this.held.push({ from, to, deliver })
      return
    }
    const { world } = this
    let latency = world.between(LATENCY_MIN, LATENCY_MAX)
    if (world.dice.below(LATE_ONE_IN) === 0) latency += world.between(0, LATE_MAX)
    world.later(Math.max(0, earliest - world.now) + latency * this.slowness, undefined, deliver)
  }

  forget(connection: Connection): void {
    this.connections.delete(connection)
  }
}

/** Calls back once the connection is gone, which it may be already. */
export const whenClosed = (end: End, callback: () => void): void => {
  if (end.isOpen) end.onClose.push(callback)
  else end.process.world.soon(end.process, callback)
}

const wayOf = (from: string, to: string): string => `${from}>${to}`

/** A stream each way between two processes. */
class Connection {
  readonly near: Side
  readonly far: Side
  private readonly network: Network

  constructor(network: Network, process: Process, server: Process, host: string) {
    this.network = network
    this.near = new Side(network, process, process.name)
    this.far = new Side(network, server, host)
    this.near.peer = this.far
    this.far.peer = this.near
    for (const side of [this.near, this.far]) {
      const close = (): void => side.close()
      side.process.onDeath.add(close)
      side.onClose.push(() => {
        side.process.onDeath.delete(close)
        this.network.forget(this)
      })
    }
  }

  stall(until: number): void {
    this.near.stalledUntil = until
    this.far.stalledUntil = until
  }

  reset(): void {
    this.near.gone()
    this.far.gone()
  }
}

class Side implements End {
  readonly process: Process
  readonly onClose: Array<() => void> = []
  peer: Side | undefined
  /** Nothing that is sent from here arrives before. */
  stalledUntil = 0
  private readonly network: Network
  private readonly host: string
  private take: ((message: unknown) => void) | undefined
  private open = true
  private sent = 0
  /** What arrived before something that was sent earlier. */
  private readonly early = new Map<number, () => void>()
  private arrived = 0
  /** What has arrived in order, and is not handed over yet. */
  private readonly inbox: Array<() => void> = []

  constructor(network: Network, process: Process, host: string) {
    this.network = network
    this.process = process
    this.host = host
  }

  get isOpen(): boolean {
    return this.open
  }

  get onMessage(): ((message: unknown) => void) | undefined {
    return this.take
  }

  set onMessage(take: ((message: unknown) => void) | undefined) {
    this.take = take
    if (take !== undefined && this.inbox.length > 0) this.soon()
  }

  send(message: unknown): boolean {
    if (!this.open) return false
    this.transmit((peer) => peer.take?.(message))
    return true
  }

  close(): void {
    if (!this.open) return
    this.transmit((peer) => peer.gone())
    this.gone()
  }

  /** The connection is no more, on this side. */
  gone(): void {
    if (!this.open) return
    this.open = false
    this.early.clear()
    this.inbox.length = 0
    for (const tell of this.onClose.splice(0)) this.network.world.soon(this.process, tell)
  }

  private transmit(effect: (peer: Side) => void): void {
    const peer = this.peer as Side
    const number = this.sent++
    this.network.carry(this.host, peer.host, () => peer.arrive(number, () => effect(peer)), this.stalledUntil)
  }

  private arrive(number: number, effect: () => void): void {
    if (!this.open) return
    this.early.set(number, effect)
    for (let next = this.early.get(this.arrived); next !== undefined; next = this.early.get(this.arrived)) {
      this.early.delete(this.arrived++)
      this.inbox.push(next)
      this.soon()
    }
  }

  /** Hands over the oldest that has arrived; as many turns are asked for as there are messages. */
  private soon(): void {
    this.network.world.soon(this.process, () => {
      while (this.take !== undefined && this.inbox.length > 0) this.inbox.shift()?.()
    })
  }
}
