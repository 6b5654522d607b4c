/**
 * The folder of a file system on one machine: where its parts lie, its secret, and who holds it. One process at a
 * time holds a folder; the hold ends with the process, however it ends.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { createHash, randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"

/** The folder cannot be used. */
export class DataFolderRefused extends Schema.TaggedError<DataFolderRefused>()("DataFolderRefused", {
  folder: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.folder}: ${this.reason}`
  }
}

/** What a running file system tells those who look into its folder. */
export interface Endpoint {
  readonly host: string
  readonly port: number
  /** Process that serves it. */
  readonly pid: number
}

export interface DataFolder {
  readonly path: string
  readonly postgres: string
  readonly blocks: string
  readonly secretFile: string
  readonly endpointFile: string
  readonly logFile: string
}

/** `$CADASTRE_DATA`, or a folder in the user's data directory. */
export const defaultPath = (): string =>
  process.env["CADASTRE_DATA"] ??
    Path.join(process.env["XDG_DATA_HOME"] ?? Path.join(Os.homedir(), ".local", "share"), "cadastre")

export const at = (path: string): DataFolder => {
  const absolute = Path.resolve(path)
  return {
    path: absolute,
    postgres: Path.join(absolute, "postgres"),
    blocks: Path.join(absolute, "blocks"),
    secretFile: Path.join(absolute, "secret"),
    endpointFile: Path.join(absolute, "endpoint.json"),
    logFile: Path.join(absolute, "cadastre.log")
  }
}

const SECRET_BYTES = 32

/** Makes the folder if need be, and holds it against every other process of this machine until the scope closes. */
export const hold = (path: string): Effect.Effect<DataFolder, DataFolderRefused, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = at(path)
    yield* Effect.try({
      try: () => {
        Fs.mkdirSync(folder.path, { recursive: true, mode: 0o755 })
        Fs.accessSync(folder.path, Fs.constants.W_OK)
        // An empty one is what a power cut leaves.
        if (!Fs.existsSync(folder.secretFile) || readText(folder.secretFile) === "") {
          replaceFile(folder.secretFile, `${randomBytes(SECRET_BYTES).toString("base64url")}\n`, 0o600)
        }
      },
      catch: (cause) => new DataFolderRefused({ folder: folder.path, reason: (cause as Error).message })
    })
    yield* Effect.acquireRelease(listenOn(folder), (server) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
      }))
    return folder
  })

/**
 * An abstract Unix socket named after the folder's inode: the kernel gives it to one process and takes it back
 * when that process ends, whatever ends it.
 */
const listenOn = (folder: DataFolder): Effect.Effect<Net.Server, DataFolderRefused> =>
  Effect.async((resume) => {
    const { dev, ino } = Fs.statSync(folder.path, { bigint: true })
    const name = createHash("sha256").update(`${dev}:${ino}`).digest("hex").slice(0, 32)
    const server = Net.createServer((socket) => socket.destroy())
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const holder = readEndpoint(folder)
      const who = holder === undefined ? "another process" : `process ${holder.pid}, at ${holder.host}:${holder.port}`
      const reason = cause.code === "EADDRINUSE"
        ? `${who} serves this folder already; stop it with: cadastre down --data ${folder.path}`
        : cause.message
      resume(Effect.fail(new DataFolderRefused({ folder: folder.path, reason })))
    })
    server.listen(`\0cadastre-${name}`, () => resume(Effect.succeed(server)))
  })

export const readSecret = (folder: DataFolder): Redacted.Redacted<string> => Redacted.make(readText(folder.secretFile))

/** What the last server of the folder told; it may be gone. */
export const readEndpoint = (folder: DataFolder): Endpoint | undefined => {
  if (!Fs.existsSync(folder.endpointFile)) return undefined
  try {
    const { host, pid, port } = JSON.parse(readText(folder.endpointFile)) as Partial<Endpoint>
    return typeof host === "string" && typeof port === "number" && typeof pid === "number"
      ? { host, port, pid }
      : undefined
  } catch {
    // Cut short by a power cut, or another's file: it tells nothing.
    return undefined
  }
}

/** Whether the process still serves it; its number may belong to another program by now. */
export const isServed = ({ pid }: Endpoint): boolean => {
  try {
    return Fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("main.ts\0up")
  } catch {
    // No such process.
    return false
  }
}

export const writeEndpoint = (folder: DataFolder, endpoint: Endpoint): void =>
  replaceFile(folder.endpointFile, `${JSON.stringify(endpoint)}\n`, 0o644)

const readText = (file: string): string => Fs.readFileSync(file, "utf8").trim()

/** The old file or the new one, whole, whatever happens. */
const replaceFile = (file: string, text: string, mode: number): void => {
  const partial = `${file}.${process.pid}`
  Fs.writeFileSync(partial, text, { mode, flush: true })
  Fs.renameSync(partial, file)
}
