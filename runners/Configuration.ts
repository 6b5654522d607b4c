/**
 * What an operator sets for a runner of a cluster: environment variables that begin with `CADASTRE_`.
 */
import * as Archiver from "#actors/Archiver.ts"
import type { ServerOptions } from "#runners/Server.ts"
import * as Cluster from "#shards/Cluster.ts"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Fs from "node:fs"
import * as Os from "node:os"

const text = (name: string) => Config.nonEmptyString(name)

/** A number that must satisfy a condition; the error names the variable, as `Config.validate` does not. */
const number = (name: string, otherwise: number, holds: (value: number) => boolean, wanted: string) =>
  Config.number(name).pipe(
    Config.withDefault(otherwise),
    Config.mapOrFail((value) =>
      holds(value) ? Either.right(value) : Either.left(ConfigError.InvalidData([name], wanted))
    )
  )
const seconds = (name: string, otherwise: number) =>
  Config.map(number(name, otherwise, (value) => value > 0, "a number of seconds above 0 is wanted"), Duration.seconds)
const count = (name: string, otherwise: number) =>
  number(name, otherwise, (value) => Number.isInteger(value) && value > 0, "a whole number above 0 is wanted")

const days = (name: string) =>
  Config.number(name).pipe(Config.mapOrFail((value) =>
    value >= 0 && value <= DAYS_MAX
      ? Either.right(Duration.days(value))
      : Either.left(ConfigError.InvalidData([], `a number of days, 0 to ${DAYS_MAX}, is wanted`))
  ))
/** A century: no one who means more needs a limit. */
const DAYS_MAX = 36_525

/** `postgres://user:password@host:port/database?sslmode=require`; `...@localhost/database?host=/folder` for a Unix socket. */
const database = Config.redacted("CADASTRE_POSTGRES_URL").pipe(
  Config.mapOrFail((url) => parsePostgresUrl("CADASTRE_POSTGRES_URL", Redacted.value(url)))
)

/** Further databases of journals: such URLs with spaces between them. */
const journals = Config.redacted("CADASTRE_JOURNAL_URLS").pipe(
  Config.mapOrFail((urls) =>
    Either.all(
      Redacted.value(urls).split(/\s+/).filter((url) => url !== "").map((url) =>
        parsePostgresUrl("CADASTRE_JOURNAL_URLS", url)
      )
    )
  ),
  Config.withDefault([])
)

const parsePostgresUrl = (name: string, text: string): Either.Either<PostgresUrl, ConfigError.ConfigError> => {
  const invalid = (why: string) => Either.left(ConfigError.InvalidData([name], why))
  let url: URL
  try {
    url = new URL(text)
  } catch {
    // The text holds a password: it is not repeated.
    return invalid("not a URL; postgres://user:password@host:port/database is wanted")
  }
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") {
    return invalid("it does not begin with postgres://")
  }
  const host = url.searchParams.get("host") ?? decodeURIComponent(url.hostname)
  if (host === "" || url.username === "") return invalid("a host and a user are wanted")
  return Either.right({
    host,
    port: url.port === "" ? 5432 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: Redacted.make(decodeURIComponent(url.password)),
    database: url.pathname.length > 1 ? decodeURIComponent(url.pathname.slice(1)) : "postgres",
    tls: ["require", "verify-ca", "verify-full"].includes(url.searchParams.get("sslmode") ?? "")
  })
}

type PostgresUrl = Omit<ServerOptions["database"], "connectionsMax" | "statementMillisMax">

/** `s3://bucket/prefix` or `disk:/folder` */
const blocks = text("CADASTRE_BLOCKS").pipe(
  Config.mapOrFail((given): Either.Either<BlocksUrl, ConfigError.ConfigError> => {
    const [, bucket, prefix = ""] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(given) ?? []
    if (bucket !== undefined) return Either.right({ kind: "s3", bucket, prefix: prefix.replace(/\/+$/, "") })
    const [, folder] = /^disk:(\/.+)$/.exec(given) ?? []
    if (folder !== undefined) return Either.right({ kind: "disk", folder })
    return Either.left(ConfigError.InvalidData(["CADASTRE_BLOCKS"], "s3://bucket/prefix or disk:/folder is wanted"))
  })
)

type BlocksUrl = { readonly kind: "s3"; readonly bucket: string; readonly prefix: string } | {
  readonly kind: "disk"
  readonly folder: string
}

const either = (first: string, second: string) => Config.orElse(text(first), () => text(second))

const s3 = Config.all({
  endpoint: Config.option(text("CADASTRE_S3_ENDPOINT")),
  region: either("CADASTRE_S3_REGION", "AWS_REGION").pipe(Config.withDefault("us-east-1")),
  accessKeyId: either("CADASTRE_S3_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"),
  secretAccessKey: Config.orElse(
    Config.redacted("CADASTRE_S3_SECRET_ACCESS_KEY"),
    () => Config.redacted("AWS_SECRET_ACCESS_KEY")
  ),
  sessionToken: Config.option(Config.redacted("AWS_SESSION_TOKEN")),
  forcePathStyle: Config.option(Config.boolean("CADASTRE_S3_PATH_STYLE"))
})

const secret = Config.orElse(
  Config.redacted("CADASTRE_SECRET"),
  () =>
    text("CADASTRE_SECRET_FILE").pipe(Config.mapOrFail((file) =>
      Either.try({
        try: () => Redacted.make(Fs.readFileSync(file, "utf8").trim()),
        catch: (cause) => ConfigError.InvalidData(["CADASTRE_SECRET_FILE"], (cause as Error).message)
      })
    ))
).pipe(Config.mapOrFail((value) =>
  Redacted.value(value).length > 0
    ? Either.right(value)
    : Either.left(ConfigError.InvalidData(["CADASTRE_SECRET"], "it is empty"))
))

const PORT = 7070
const MIB = 1024 * 1024

const settings = Config.all({
  host: text("CADASTRE_HOST").pipe(Config.withDefault(Os.hostname())),
  listenHost: text("CADASTRE_LISTEN_HOST").pipe(Config.withDefault("0.0.0.0")),
  port: Config.port("CADASTRE_PORT").pipe(Config.withDefault(PORT)),
  secret,
  tls: Config.boolean("CADASTRE_TLS").pipe(Config.withDefault(false)),
  database,
  journals,
  connectionsMax: count("CADASTRE_POSTGRES_CONNECTIONS", 12),
  statement: seconds("CADASTRE_POSTGRES_TIMEOUT_SECONDS", 10),
  blocks,
  zones: Config.option(Config.integer("CADASTRE_ZONES")),
  lease: seconds("CADASTRE_LEASE_SECONDS", Duration.toSeconds(Cluster.LEASE)),
  sessionLease: seconds("CADASTRE_SESSION_LEASE_SECONDS", 60),
  snapshotEvents: count("CADASTRE_SNAPSHOT_EVENTS", 250_000),
  retention: Config.option(days("CADASTRE_JOURNAL_RETENTION_DAYS")),
  historyRetention: Config.option(days("CADASTRE_HISTORY_RETENTION_DAYS")),
  zoneMemoryMib: count("CADASTRE_ZONE_MEMORY_MIB", 1024),
  deflatesPages: Config.boolean("CADASTRE_DEFLATE_PAGES").pipe(Config.withDefault(false)),
  zoneIdle: seconds("CADASTRE_ZONE_IDLE_SECONDS", 60)
})

/** What is missing or wrong, a line for each variable. */
export const explain = (error: ConfigError.ConfigError): string => {
  switch (error._op) {
    case "And":
    case "Or":
      // Of two names for one thing, the first is the one to set.
      return error._op === "And" ? `${explain(error.left)}\n${explain(error.right)}` : explain(error.left)
    case "MissingData":
      return `${error.path.join(".")} is not set`
    default:
      return `${error.path.join(".")}: ${error.message}`
  }
}

/** The server's options, or all that is missing or wrong. */
export const load: Effect.Effect<ServerOptions, ConfigError.ConfigError> = Effect.gen(function*() {
  const given = yield* settings
  const where = given.blocks
  const pool = { connectionsMax: given.connectionsMax, statementMillisMax: Duration.toMillis(given.statement) }
  return {
    listen: { host: given.listenHost, port: given.port },
    host: given.host,
    secret: given.secret,
    tls: given.tls,
    database: { ...given.database, ...pool },
    journals: given.journals.map((url) => ({ ...url, ...pool })),
    blocks: where.kind === "disk" ? where : { ...where, ...yield* s3Options },
    zones: Option.getOrUndefined(given.zones),
    lease: given.lease,
    zone: {
      sessionLease: given.sessionLease,
      snapshotEvents: given.snapshotEvents,
      archive: Archiver.keeping(Option.getOrUndefined(given.retention)),
      memoryBytes: given.zoneMemoryMib * MIB,
      deflatesPages: given.deflatesPages,
      idle: given.zoneIdle
    },
    historyRetention: Option.getOrUndefined(given.historyRetention)
  }
})

const s3Options = Effect.map(s3, ({ endpoint, forcePathStyle, sessionToken, ...rest }) => ({
  ...rest,
  ...Option.isSome(endpoint) ? { endpoint: endpoint.value } : {},
  ...Option.isSome(sessionToken) ? { sessionToken: sessionToken.value } : {},
  // Servers of one's own rarely answer to bucket names as host names.
  forcePathStyle: Option.getOrElse(forcePathStyle, () => Option.isSome(endpoint))
}))
