/**
 * Cadastre under load: a runner in its own process on the given database, and this process as its client, through the
 * SDK. Nothing is cached.
 */
import * as Child from "#bench/peers/Child.ts"
import type { Ask } from "#bench/peers/Loops.ts"
import * as Client from "#client/Client.ts"
import { PosixError, type TransportError } from "#client/ClientError.ts"
import { root } from "#domain/Credentials.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { DatabaseOptions } from "#persistence/Database.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomBytes } from "node:crypto"
import * as Net from "node:net"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url))
const HOST = "127.0.0.1"
/** The load meets one of them: a single writer, as one hot part of a file system is. */
const ZONES = 1
const START_SECONDS_MAX = 60

/** A runner on this database, its blocks in this folder. It ends with the scope. */
export const start = (database: DatabaseOptions, folder: string) =>
  Effect.gen(function*() {
    const secret = Redacted.make(randomBytes(32).toString("base64url"))
    const port = yield* freePort
    const { host, password, user } = database
    const place = `${user}:${encodeURIComponent(Redacted.value(password))}@localhost:${database.port}`
    yield* Child.serve(process.execPath, [MAIN, "runner"], {
      env: {
        CADASTRE_POSTGRES_URL: `postgres://${place}/${database.database}?host=${encodeURIComponent(host)}`,
        CADASTRE_BLOCKS: `disk:${Path.join(folder, "blocks")}`,
        CADASTRE_SECRET: Redacted.value(secret),
        CADASTRE_HOST: HOST,
        CADASTRE_LISTEN_HOST: HOST,
        CADASTRE_PORT: String(port),
        CADASTRE_ZONES: String(ZONES)
      },
      secondsMax: START_SECONDS_MAX,
      ready: (line) => line.includes("ready at ") ? true : undefined
    })
    return yield* Client.make({
      endpoints: [{ host: HOST, port }],
      secret,
      who: root,
      descriptor: { client: "bench", host: "bench", user: "bench", uid: 0, pid: process.pid },
      retryFor: Duration.seconds(20)
    })
  })

/** A port that nothing listens on now. */
const freePort: Effect.Effect<number> = Effect.async((resume) => {
  const server = Net.createServer()
  server.listen(0, HOST, () => {
    const { port } = server.address() as Net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** What callers ask: each works in a directory of its own, on files that it created itself. */
export interface Workload {
  /** Creates so many files with one call. */
  readonly create: (files: number) => Ask<PosixError | TransportError>
  /** Finds so many of the caller's files by their names, in random order, with all attributes. */
  readonly stat: (files: number) => Ask<PosixError | TransportError>
}

export const workload = (client: Client.ClientService, callers: number) =>
  Effect.gen(function*() {
    const directories: Array<{ readonly inode: number; files: number }> = []
    for (let caller = 0; caller < callers; caller++) {
      const parent = InodeNumber.rootOf(caller % client.info.zones)
      const request = { parent, name: `directory.${caller}`, mode: 0o755, umask: 0 }
      const { attributes } = yield* client.call("makeDirectory", request)
      directories.push({ inode: attributes.inode, files: 0 })
    }
    const directoryOf = (caller: number) => directories[caller] as (typeof directories)[number]
    const all = (commands: ReadonlyArray<Client.Command>) =>
      Effect.flatMap(client.callAll(commands), (outcomes) => {
        const refused = outcomes.findIndex(({ errno }) => errno !== 0)
        if (refused === -1) return Effect.succeed(outcomes.length)
        const { operation } = commands[refused] as Client.Command
        return new PosixError({ errno: outcomes[refused]?.errno ?? 0, operation: operation.name, path: "" })
      })
    return {
      create: (files) => (caller) => {
        const directory = directoryOf(caller)
        const commands = Array.from({ length: files }, () =>
          Client.command("create", {
            parent: directory.inode,
            name: `file.mdtest.${caller}.${directory.files++}`,
            mode: 0o644,
            umask: 0,
            exclusive: true,
            truncate: false,
            access: 0
          }))
        return all(commands)
      },
      stat: (files) => (caller) => {
        const directory = directoryOf(caller)
        return all(
          Array.from({ length: files }, () =>
            Client.command("lookup", {
              parent: directory.inode,
              name: `file.mdtest.${caller}.${Math.floor(Math.random() * directory.files)}`
            }))
        )
      }
    } satisfies Workload as Workload
  })
