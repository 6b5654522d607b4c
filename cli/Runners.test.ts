import { listNames } from "#cli/testing/Listing.ts"
import * as Program from "#cli/testing/Program.ts"
import * as Client from "#client/Client.ts"
import { root } from "#domain/Credentials.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { temporaryFolder } from "#runners/testing/Cluster.ts"
import { freshDatabase } from "#runners/testing/FreshDatabase.ts"
import type { Address } from "#transport/Connection.ts"
import { it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { createServer } from "node:net"
import { join } from "node:path"
import { describe, expect } from "vitest"

const ZONES = 6
const SECRET = "of the runners"
const MINUTE = 60_000

interface Pod {
  readonly address: Address
  readonly running: Program.Running
}

/** A port that nothing listens on now. */
const freePort: Effect.Effect<number> = Effect.async((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as { readonly port: number }
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Three runners as processes, sharing the zones of one cluster. */
const threeRunners: Effect.Effect<ReadonlyArray<Pod>, never, Scope.Scope> = Effect.gen(function*() {
  const { database, host, password, port, user } = yield* freshDatabase
  const folder = yield* temporaryFolder
  const start = Effect.gen(function*() {
    const own = yield* freePort
    const address = { host: "127.0.0.1", port: own }
    const url = `postgres://${user}:${Redacted.value(password)}@localhost:${port}/${database}?host=${host}`
    const running = yield* Program.begin(["runner"], {
      env: {
        CADASTRE_POSTGRES_URL: url,
        CADASTRE_BLOCKS: `disk:${join(folder, "blocks")}`,
        CADASTRE_SECRET: SECRET,
        CADASTRE_HOST: address.host,
        CADASTRE_LISTEN_HOST: address.host,
        CADASTRE_PORT: String(own),
        CADASTRE_ZONES: String(ZONES)
      }
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => running.process.kill("SIGKILL")))
    yield* Effect.promise(() => expect.poll(running.said, { timeout: 20_000 }).toContain("ready at"))
    return { address, running }
  })
  return yield* Effect.all([start, start, start])
})

const connect = (endpoints: ReadonlyArray<Address>, secret = SECRET) =>
  Client.make({
    endpoints,
    secret: Redacted.make(secret),
    who: root,
    descriptor: { client: "test", host: "here", user: "root", uid: 0, pid: process.pid },
    retryFor: Duration.seconds(40)
  })

/** Creates files in every zone, one after the other, until it is told to stop. Gives what was acknowledged. */
const writeEverywhere = (client: Client.ClientService, stop: Deferred.Deferred<void>) =>
  Effect.forEach(Array.from({ length: ZONES }, (_, zone) => zone), (zone) =>
    Effect.gen(function*() {
      const acknowledged: Array<string> = []
      while (!(yield* Deferred.isDone(stop))) {
        const name = `file-${acknowledged.length}`
        yield* client.call("create", {
          parent: InodeNumber.rootOf(zone),
          name,
          mode: 0o644,
          umask: 0,
          exclusive: true,
          truncate: false,
          access: 0
        })
        acknowledged.push(name)
      }
      return acknowledged
    }), { concurrency: "unbounded" })

/** Each runner's zones, once all have the same number: a runner that joins is given its share after it is up. */
const evenly = (client: Client.ClientService) =>
  Effect.repeat(
    Effect.map(
      Effect.forEach(Array.from({ length: ZONES }, (_, zone) => zone), (zone) => ownerOf(client, zone)),
      (owners) => Map.groupBy(owners, ({ port }) => port)
    ),
    { until: (shares) => shares.size === 3 && [...shares.values()].every(({ length }) => length === ZONES / 3) }
  )

/** The runner that has the zone, once one has it. */
const ownerOf = (client: Client.ClientService, zone: number) =>
  client.anyRunner((runner) => runner.Locate({ zone })).pipe(Effect.retry({ times: 20 }))

describe("three runners", () => {
  for (const signal of ["SIGKILL", "SIGSTOP", "SIGTERM"] as const) {
    it.scopedLive(
      `share the zones evenly; one gets ${signal}, the others take its zones, nothing is lost or doubled`,
      () =>
        Effect.gen(function*() {
          const pods = yield* threeRunners
          const [first, second, victim] = pods as [Pod, Pod, Pod]
          const client = yield* connect([first.address, second.address])
          const stop = yield* Deferred.make<void>()
          const writing = yield* Effect.fork(writeEverywhere(client, stop))
          const taken = (yield* evenly(client)).get(victim.address.port)?.map(({ zone }) => zone) ?? []
          victim.running.process.kill(signal)
          for (const zone of taken) {
            yield* Effect.repeat(ownerOf(client, zone), { until: ({ port }) => port !== victim.address.port })
          }
          if (signal === "SIGSTOP") victim.running.process.kill("SIGCONT")
          yield* Deferred.succeed(stop, undefined)
          const acknowledged = yield* Fiber.join(writing)
          for (const [zone, expected] of acknowledged.entries()) {
            expect(expected.length).toBeGreaterThan(0)
            expect(yield* listNames(client, InodeNumber.rootOf(zone))).toEqual([...expected].sort())
          }
          if (signal === "SIGTERM") expect((yield* victim.running.ended).code).toBe(0)
        }),
      2 * MINUTE
    )
  }

  it.scopedLive("refuse a client with another secret", () =>
    Effect.gen(function*() {
      const [pod] = yield* threeRunners
      const error = yield* Effect.flip(connect([pod!.address], "another"))
      expect(error.message).toContain("secret")
    }), MINUTE)
})

describe("a runner", () => {
  it.effect("says all that its configuration lacks, and ends with 2", () =>
    Effect.gen(function*() {
      const ended = yield* Program.run(["runner"], {
        env: { CADASTRE_POSTGRES_URL: "nonsense", CADASTRE_LEASE_SECONDS: "0" }
      })
      expect(ended.code).toBe(2)
      for (const name of ["CADASTRE_SECRET", "CADASTRE_POSTGRES_URL", "CADASTRE_LEASE_SECONDS", "CADASTRE_BLOCKS"]) {
        expect(ended.stderr).toContain(name)
      }
      expect(ended.stderr).not.toContain("nonsense")
    }), MINUTE)
})
