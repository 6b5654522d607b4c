/** A private Redis on a socket in its folder, which keeps every write or what it keeps when nothing is set. */
import * as Child from "#bench/peers/Child.ts"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"

export interface RedisOptions {
  readonly program: string
  readonly folder: string
  /** Each write is on disk before its answer leaves. Otherwise as it comes: memory, and a snapshot now and then. */
  readonly durable: boolean
}

const START_SECONDS_MAX = 20
const DURABLE = ["--appendonly", "yes", "--appendfsync", "always"]

/** Starts it; answers where JuiceFS finds it. */
export const start = (options: RedisOptions): Effect.Effect<string, Child.ChildFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const { durable, folder, program } = options
    Fs.mkdirSync(folder, { recursive: true })
    const socket = Path.join(folder, "redis.sock")
    const args = ["--port", "0", "--unixsocket", socket, "--dir", folder, ...durable ? DURABLE : []]
    yield* Child.serve(program, args, {
      secondsMax: START_SECONDS_MAX,
      ready: (line) => line.includes("eady to accept connections") ? true : undefined
    })
    return `unix://${socket}`
  })
