/**
 * A network of the kernel's: each host is a network namespace, all on one bridge that lives in a namespace, too. A cut
 * way is a rule of iptables that drops its packets. Needs root; the machine's own network is not touched.
 */
import type { Dice } from "#domain/testing/Dice.ts"
import * as Child from "#simulations/chaos/Child.ts"
import type { Network } from "#simulations/chaos/Network.ts"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { fileURLToPath } from "node:url"

export interface NamespaceOptions {
  readonly hosts: ReadonlyArray<string>
  readonly postgresSocket: string
}

const PORT = 7070
const POSTGRES = { name: "postgres", port: 5432 }
const DOOR = fileURLToPath(new URL("Door.ts", import.meta.url))
const RESET = Duration.millis(300)

export const make = ({ hosts, postgresSocket }: NamespaceOptions): Effect.Effect<Network, never, Scope.Scope> =>
  Effect.gen(function*() {
    const all = [...hosts, POSTGRES.name]
    const namespaces = new Map(all.map((name, index) => [name, `cadastre-${process.pid}-${index + 1}`]))
    const addresses = new Map(all.map((name, index) => [name, `10.77.0.${index + 1}`]))
    const namespaceOf = (name: string): string => namespaces.get(name) ?? ""
    const addressOf = (name: string): string => addresses.get(name) ?? ""
    const on: Network["on"] = (host, command) => ["nsenter", `--net=/run/netns/${namespaceOf(host)}`, "--", ...command]
    const setPort = yield* wire([...namespaces.values()], [...addresses.values()])
    const postgres = { host: addressOf(POSTGRES.name), port: POSTGRES.port }
    yield* openDoor(on(POSTGRES.name, [process.execPath, DOOR, postgres.host, String(postgres.port), postgresSocket]))
    const rule = (change: "-A" | "-D", from: string, to: string, target: ReadonlyArray<string>) =>
      Child.must(...on(to, ["iptables", "-w", change, "INPUT", "-s", addressOf(from), ...target]))
    const cannotSlow = yield* whyNotSlow(on(POSTGRES.name, []))
    return {
      on,
      placeOf: (runner) => ({ listen: { host: addressOf(runner), port: PORT }, host: addressOf(runner) }),
      postgres,
      enter: () => undefined,
      cut: (from, to) => rule("-A", from, to, ["-j", "DROP"]),
      mend: (from, to) => rule("-D", from, to, ["-j", "DROP"]),
      unplug: (host) => setPort(namespaceOf(host), "down"),
      plug: (host) => setPort(namespaceOf(host), "up"),
      slow: (millis) =>
        Effect.forEach(all, (host) =>
          Child.must(...on(host, [
            "tc",
            "qdisc",
            ...(millis === 0 ? ["del", "dev", "eth0", "root"] : ["add", "dev", "eth0", "root", ...delayed(millis)])
          ])), { discard: true }),
      // Whoever of both speaks meanwhile is told that there is no connection.
      breakOne: (dice) =>
        Effect.gen(function*() {
          const [from, to] = twoOf(dice, all)
          const reset = ["-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"]
          yield* Effect.acquireUseRelease(
            rule("-A", from, to, reset),
            () => Effect.sleep(RESET),
            () => rule("-D", from, to, reset)
          )
          return true
        }),
      cannotSlow
    }
  })

const delayed = (millis: number): ReadonlyArray<string> => ["netem", "delay", `${millis}ms`, `${millis / 2}ms`]

const twoOf = (dice: Dice, all: ReadonlyArray<string>): readonly [string, string] => {
  const one = dice.of(all)
  return [one, dice.of(all.filter((other) => other !== one))]
}

/**
 * Makes the namespaces and the bridge; removes them with the scope, and with them all that they hold. Gives what sets a
 * namespace's port of the bridge up or down.
 */
const wire = (namespaces: ReadonlyArray<string>, addresses: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const hub = `cadastre-${process.pid}-hub`
    yield* namespace(hub)
    yield* ip("-n", hub, "link", "add", "br0", "type", "bridge")
    yield* ip("-n", hub, "link", "set", "br0", "up")
    for (const [index, name] of namespaces.entries()) {
      yield* namespace(name)
      const port = `v${index}`
      yield* ip("-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
      yield* ip("-n", hub, "link", "set", port, "master", "br0", "up")
      yield* ip("-n", name, "addr", "add", `${addresses[index]}/24`, "dev", "eth0")
      yield* ip("-n", name, "link", "set", "eth0", "up")
    }
    return (name: string, state: "up" | "down") => ip("-n", hub, "link", "set", `v${namespaces.indexOf(name)}`, state)
  })

const namespace = (name: string) =>
  Effect.zipRight(
    Effect.acquireRelease(ip("netns", "add", name), () => Child.run("ip", "netns", "del", name)),
    ip("-n", name, "link", "set", "lo", "up")
  )

const ip = (...args: ReadonlyArray<string>) => Child.must("ip", ...args)

const openDoor = (command: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const ready = yield* Deferred.make<void>()
    yield* Child.start({ name: "door", command, onLine: () => Deferred.unsafeDone(ready, Effect.void) })
    yield* Deferred.await(ready)
  })

/** Delay takes a part of the kernel that not all kernels have. */
const whyNotSlow = (there: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const tried = yield* Child.run(...there, "tc", "qdisc", "add", "dev", "lo", "root", ...delayed(1))
    if (tried.code !== 0) return "tc has no netem here"
    yield* Child.run(...there, "tc", "qdisc", "del", "dev", "lo", "root")
    return undefined
  })
