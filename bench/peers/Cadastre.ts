/**
 * Cadastre under load: a runner in its own process on the given database, and this process as its client, through the
 * SDK. Nothing is cached.
 */
import type { Ask } from "#bench/peers/Loops.ts"
import * as RunnerProcess from "#bench/RunnerProcess.ts"
import * as Client from "#client/Client.ts"
import { PosixError, type TransportError } from "#client/ClientError.ts"
import { root } from "#domain/Credentials.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { DatabaseOptions } from "#persistence/Database.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomBytes } from "node:crypto"

/** The load meets one of them: a single writer, as one hot part of a file system is. */
const ZONES = 1

/** A runner on this database, its blocks in this folder. It ends with the scope. */
export const start = (database: DatabaseOptions, folder: string, say: (line: string) => void) =>
  Effect.gen(function*() {
    const secret = randomBytes(32).toString("base64url")
    const runner = yield* RunnerProcess.start({
      postgres: database,
      folder,
      secret,
      zones: ZONES,
      number: 0,
      profile: undefined,
      say
    })
    yield* runner.ready
    return yield* Client.make({
      endpoints: [runner.address],
      secret: Redacted.make(secret),
      who: root,
      descriptor: { client: "bench", host: "bench", user: "bench", uid: 0, pid: process.pid },
      retryFor: Duration.seconds(20)
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
