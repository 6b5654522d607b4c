/**
 * How a command finds its file system: by `--endpoint`, by the data folder of a local `up`, or by the environment.
 */
import type { SlicesTooMany } from "#audit/HistoryCost.ts"
import type { HistoryBroken } from "#audit/JournalStream.ts"
import { Exit, type Options } from "#cli/Command.ts"
import * as Moment from "#cli/Moment.ts"
import { complain, note } from "#cli/Output.ts"
import type { UsageError } from "#cli/UsageError.ts"
import * as Client from "#client/Client.ts"
import type { ClientError } from "#client/ClientError.ts"
import type { FileSystem } from "#client/FileSystem.ts"
import * as FileSystems from "#client/FileSystem.ts"
import { fromText } from "#domain/ByteString.ts"
import * as DataFolder from "#runners/DataFolder.ts"
import { VERSION } from "#runners/Version.ts"
import type { Address } from "#transport/Connection.ts"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as Fs from "node:fs"
import * as Os from "node:os"

/** The command line or the environment does not lead to a file system. */
export class TargetUnknown extends Data.TaggedError("TargetUnknown")<{ readonly message: string }> {}

const RETRY_SECONDS_DEFAULT = 60
/** What a signal stops has this long to put things away. */
const STOP_SECONDS_MAX = 25

/** Runs an effect that needs a client, and turns how it ends into an exit code. */
export const withClient = (
  options: Options,
  use: Effect.Effect<number, ClientError | UsageError, Client.Client | FileSystem>
): Promise<number> => connected(options, use)

/** The same for what only reads: with `--at`, from the file system as it was then. */
export const withView = (
  options: Options,
  use: Effect.Effect<number, ClientError | UsageError, Client.Client | FileSystem>
): Promise<number> => {
  const at = options["at"] as string | undefined
  if (at === undefined) return connected(options, use)
  return connected(
    options,
    Effect.flatMap(
      Client.Client,
      (client) => Effect.provideService(use, FileSystems.FileSystem, Moment.fileSystemAt(client, at))
    )
  )
}

/** The same for what reads the history, which may be found broken. */
export const withAudit = (
  options: Options,
  use: Effect.Effect<number, HistoryBroken | SlicesTooMany | ClientError | UsageError, Client.Client | FileSystem>
): Promise<number> => connected(options, use)

const connected = <E extends MainError>(
  options: Options,
  use: Effect.Effect<number, E, Client.Client | FileSystem>
): Promise<number> =>
  runMain(Effect.gen(function*() {
    const target = yield* Effect.try({ try: () => findTarget(options), catch: (cause) => cause as TargetUnknown })
    const retrySeconds = (options["retryFor"] as number | undefined) ?? RETRY_SECONDS_DEFAULT
    const uid = process.getuid?.() ?? 0
    const gid = process.getgid?.() ?? 0
    const client = Client.layer({
      ...target,
      who: { uid, gid, groups: process.getgroups?.() ?? [] },
      descriptor: {
        client: fromText(`cadastre-cli/${VERSION}`),
        host: fromText(Os.hostname()),
        user: fromText(userName(uid)),
        uid,
        pid: process.pid
      },
      retryFor: Duration.seconds(retrySeconds)
    })
    return yield* Effect.provide(use, Layer.provideMerge(FileSystems.layer, client))
  }))

type MainError = ClientError | UsageError | TargetUnknown | HistoryBroken | SlicesTooMany

/**
 * Runs a command's effect to its end: signals interrupt it, errors are said in one line. What it logs goes to
 * standard error, from this level on.
 */
export const runMain = <E extends { readonly message: string }>(
  main: Effect.Effect<number, E>,
  level: LogLevel.LogLevel = LogLevel.Warning
): Promise<number> => {
  const controller = new AbortController()
  let interrupted = false
  const interrupt = (): void => {
    // A second signal means now, whatever is still being put away.
    if (interrupted) process.exit(Exit.interrupted)
    interrupted = true
    controller.abort()
    setTimeout(() => {
      complain(`not everything ended in ${STOP_SECONDS_MAX} s; leaving it`)
      process.exit(Exit.failed)
    }, STOP_SECONDS_MAX * 1000).unref()
  }
  process.on("SIGINT", interrupt)
  process.on("SIGTERM", interrupt)
  const server = LogLevel.lessThan(level, LogLevel.Warning)
  const logger = server
    ? Logger.make<unknown, void>((entry) => note(Logger.logfmtLogger.log(entry)))
    : Logger.make<unknown, void>(({ message }) => complain([message].flat().map(String).join(" ")))
  const logged = main.pipe(
    Logger.withMinimumLogLevel(level),
    Effect.provide(Logger.replace(Logger.defaultLogger, logger))
  )
  return Effect.runPromiseExit(logged, { signal: controller.signal }).then((exit) => {
    process.off("SIGINT", interrupt)
    process.off("SIGTERM", interrupt)
    if (exit._tag === "Success") return exit.value
    if (Cause.isInterruptedOnly(exit.cause)) return Exit.interrupted
    const failure = Cause.failureOption(exit.cause)
    if (failure._tag === "None") {
      complain(`a defect, please report it: ${Cause.pretty(exit.cause)}`)
      return Exit.failed
    }
    complain(failure.value.message)
    return exitOf(failure.value as unknown as MainError)
  })
}

const exitOf = (error: MainError): number => {
  switch (error._tag) {
    case "UsageError":
    case "TargetUnknown":
      return Exit.usage
    case "ClusterUnreachable":
    case "RequestRefused":
      return Exit.unreachable
    case "HistoryBroken":
      return Exit.damaged
    default:
      return Exit.failed
  }
}

/** The login name; the number where the system knows none, as in many containers. */
const userName = (uid: number): string => {
  try {
    return Os.userInfo().username
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_SYSTEM_ERROR") return String(uid)
    throw cause
  }
}

export interface Target {
  readonly endpoints: ReadonlyArray<Address>
  readonly secret: Redacted.Redacted<string>
  readonly tls: boolean
}

/** Where the file system is, and what lets one in; throws `TargetUnknown`. */
export const findTarget = (options: Options): Target => {
  const endpoint = (options["endpoint"] as string | undefined) ??
    (options["data"] === undefined ? process.env["CADASTRE_ENDPOINT"] : undefined)
  const folder = DataFolder.at((options["data"] as string | undefined) ?? DataFolder.defaultPath())
  if (endpoint !== undefined) {
    return { endpoints: endpoint.split(",").map(parseAddress), secret: findSecret(options, folder), tls: wantsTls() }
  }
  const running = DataFolder.readEndpoint(folder)
  if (running === undefined || !DataFolder.isServed(running)) {
    throw new TargetUnknown({
      message:
        `no file system in ${folder.path}; start one with: cadastre up --data ${folder.path} (or name one with --endpoint)`
    })
  }
  // Nothing that `up` serves is encrypted.
  return { endpoints: [running], secret: findSecret(options, folder), tls: false }
}

const wantsTls = (): boolean => {
  const wanted = Effect.runSync(Effect.either(Config.withDefault(Config.boolean("CADASTRE_TLS"), false)))
  if (wanted._tag === "Right") return wanted.right
  throw new TargetUnknown({ message: `CADASTRE_TLS is ${process.env["CADASTRE_TLS"]}; true or false is wanted` })
}

const findSecret = (options: Options, folder: DataFolder.DataFolder): Redacted.Redacted<string> => {
  const file = (options["secretFile"] as string | undefined) ?? process.env["CADASTRE_SECRET_FILE"]
  const secret = process.env["CADASTRE_SECRET"]
  if (file === undefined && secret !== undefined) return Redacted.make(secret)
  try {
    return Redacted.make(Fs.readFileSync(file ?? folder.secretFile, "utf8").trim())
  } catch (cause) {
    const why = (cause as Error).message
    throw new TargetUnknown({
      message: `the cluster's secret cannot be read (${why}); name it with --secret-file or $CADASTRE_SECRET`
    })
  }
}

export const parseAddress = (text: string): Address => {
  const [, v6, host, port] = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text.trim()) ?? []
  const name = v6 ?? host
  if (name === undefined || Number(port) > 65535) throw new TargetUnknown({ message: `${text} is not host:port` })
  return { host: name, port: Number(port) }
}
