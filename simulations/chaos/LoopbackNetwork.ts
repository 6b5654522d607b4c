/**
 * A network of proxies on addresses of loopback that nobody else uses: each runner and Postgres is reached through
 * one, which knows who connects, and lets through, holds back, delays or breaks what they say.
 */
import type { Dice } from "#domain/testing/Dice.ts"
import type { Network, RunnerPlace } from "#simulations/chaos/Network.ts"
import { Pump, reset } from "#simulations/chaos/Pump.ts"
import { ownerOf } from "#simulations/chaos/SocketOwner.ts"
import type { Address } from "#transport/Connection.ts"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"

export interface LoopbackOptions {
  readonly runners: ReadonlyArray<string>
  /** Path of Postgres's socket. */
  readonly postgresSocket: string
}

export const make = ({ postgresSocket, runners }: LoopbackOptions): Effect.Effect<Network, never, Scope.Scope> =>
  Effect.gen(function*() {
    const fabric = yield* Effect.acquireRelease(
      Effect.sync(() => new Fabric()),
      (fabric) => Effect.sync(() => fabric.close())
    )
    const places = new Map<string, RunnerPlace>()
    for (const [index, name] of runners.entries()) {
      const host = addressOf(PROXY_FIRST + index)
      const own = addressOf(RUNNER_FIRST + index)
      const { port } = yield* fabric.open(name, host, (port) => Net.connect({ host: own, port, allowHalfOpen: true }))
      places.set(name, { listen: { host: own, port }, host })
    }
    const postgres = yield* fabric.open(
      "postgres",
      addressOf(POSTGRES),
      () => Net.connect({ path: postgresSocket, allowHalfOpen: true })
    )
    return {
      on: (_host, command) => command,
      placeOf: (runner) => places.get(runner) as RunnerPlace,
      postgres,
      enter: (host, pid) => void fabric.pids.set(host, pid),
      cut: (from, to) => Effect.sync(() => fabric.cut(from, to)),
      mend: (from, to) => Effect.sync(() => fabric.mend(from, to)),
      unplug: (host) => Effect.sync(() => fabric.unplug(host)),
      plug: (host) => Effect.sync(() => fabric.plug(host)),
      slow: (millis) => Effect.sync(() => fabric.slow(millis)),
      breakOne: (dice) => Effect.sync(() => fabric.breakOne(dice)),
      cannotSlow: undefined
    }
  })

const RUNNER_FIRST = 10
const PROXY_FIRST = 110
const POSTGRES = 250

/** 127.0.0.0/8 is this machine. Two runs at a time have addresses of their own, for their pids differ. */
const addressOf = (last: number): string => `127.${64 + (process.pid & 127)}.${(process.pid >> 7) & 255}.${last}`

interface Link {
  readonly near: Net.Socket
  readonly far: Net.Socket
  readonly pumps: ReadonlyArray<Pump>
}

class Fabric {
  readonly pids = new Map<string, number>()
  private readonly links = new Set<Link>()
  private readonly servers: Array<Net.Server> = []
  /** How many faults cut a way. */
  private readonly cuts = new Map<string, number>()
  private readonly unplugged = new Set<string>()
  private millis = 0

  /** A proxy for a host, on a free port. */
  open(name: string, host: string, connect: (port: number) => Net.Socket): Effect.Effect<Address> {
    return Effect.async((resume) => {
      const server = Net.createServer({ allowHalfOpen: true }, (near) => {
        const port = portOf(server)
        const from = ownerOf(near.remotePort ?? 0, { host, port }, this.pids) ?? "somebody"
        this.join(from, name, near, connect(port))
      })
      this.servers.push(server)
      server.listen(0, host, () => resume(Effect.succeed({ host, port: portOf(server) })))
    })
  }

  cut(from: string, to: string): void {
    this.count(from, to, 1)
  }

  mend(from: string, to: string): void {
    this.count(from, to, -1)
    this.runAll()
  }

  unplug(host: string): void {
    this.unplugged.add(host)
  }

  plug(host: string): void {
    this.unplugged.delete(host)
    this.runAll()
  }

  slow(millis: number): void {
    this.millis = millis
  }

  breakOne(dice: Dice): boolean {
    const links = [...this.links]
    if (links.length === 0) return false
    const { far, near } = dice.of(links)
    reset(near)
    reset(far)
    return true
  }

  close(): void {
    for (const server of this.servers) server.close()
    for (const { far, near, pumps } of this.links) {
      for (const pump of pumps) pump.close()
      near.destroy()
      far.destroy()
    }
  }

  private join(from: string, to: string, near: Net.Socket, far: Net.Socket): void {
    near.setNoDelay(true)
    far.setNoDelay(true)
    const millis = (): number => this.millis
    const link: Link = {
      near,
      far,
      pumps: [
        new Pump(near, far, { millis, isCut: () => this.isCut(from, to) }),
        new Pump(far, near, { millis, isCut: () => this.isCut(to, from) })
      ]
    }
    this.links.add(link)
    const leave = (): void => {
      if (near.destroyed && far.destroyed) this.links.delete(link)
    }
    near.once("close", leave)
    far.once("close", leave)
  }

  private count(from: string, to: string, by: number): void {
    const way = `${from} ${to}`
    this.cuts.set(way, (this.cuts.get(way) ?? 0) + by)
  }

  private isCut(from: string, to: string): boolean {
    if (this.unplugged.has(from) || this.unplugged.has(to)) return true
    return (this.cuts.get(`${from} ${to}`) ?? 0) > 0
  }

  private runAll(): void {
    for (const { pumps } of this.links) for (const pump of pumps) pump.run()
  }
}

const portOf = (server: Net.Server): number => (server.address() as Net.AddressInfo).port
