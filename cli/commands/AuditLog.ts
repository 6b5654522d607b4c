/** `cadastre audit log`: who did what to which path, when. */
import * as Log from "#audit/Log.ts"
import { type LogEntry, toJson } from "#audit/LogEntry.ts"
import { Exit, type Options, type Run } from "#cli/Command.ts"
import { withAudit } from "#cli/Connect.ts"
import { idOf } from "#cli/Identity.ts"
import { say, sayJson, text } from "#cli/Output.ts"
import { parseTime } from "#cli/Time.ts"
import { UsageError } from "#cli/UsageError.ts"
import { Client } from "#client/Client.ts"
import { pathOf } from "#client/FileSystem.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export const run: Run = (_args, options) =>
  withAudit(
    options,
    Effect.gen(function*() {
      const client = yield* Client
      const { filter, zones } = yield* selectionOf(options)
      const entries = options["follow"] === true ? Log.following(client, zones) : Log.past(client, zones)
      const show = options["json"] === true ? showJson : showLine
      yield* entries.pipe(
        Stream.filter((entry) => Log.matches(filter, entry)),
        Stream.runForEach((entry) => Effect.sync(() => show(entry)))
      )
      return Exit.ok
    })
  )

/** Which zones and entries the options mean. */
export const selectionOf = (options: Options) =>
  Effect.gen(function*() {
    const { info } = yield* Client
    const filter = yield* Effect.try({ try: () => filterOf(options), catch: (cause) => cause as UsageError })
    const zone = options["zone"] as number | undefined
    return { filter, zones: zone === undefined ? Array.from({ length: info.zones }, (_, number) => number) : [zone] }
  })

const filterOf = (options: Options): Log.LogFilter => {
  const given = (name: string): string | undefined => options[name] as string | undefined
  const path = given("path")
  const user = given("user")
  const operations = given("operation")
  const time = (name: string): Timestamp.Timestamp | undefined => {
    const value = given(name)
    if (value === undefined) return undefined
    const parsed = parseTime(value)
    if (parsed === undefined) throw new UsageError({ message: `--${name}: ${value} is no time` })
    return parsed
  }
  const since = time("since")
  const until = time("until")
  return {
    ...path === undefined ? {} : { path: withoutSlash(pathOf(path)) },
    ...options["inode"] === undefined ? {} : { inode: options["inode"] as number },
    ...options["session"] === undefined ? {} : { session: options["session"] as number },
    ...user === undefined ? {} : { uid: userId(user) },
    ...since === undefined ? {} : { since },
    ...until === undefined ? {} : { until },
    ...operations === undefined ? {} : { operations: new Set(operations.split(",")) }
  }
}

const userId = (user: string): number => {
  try {
    return idOf(user, "user")
  } catch (cause) {
    throw new UsageError({ message: (cause as Error).message })
  }
}

const withoutSlash = (path: string): string => (path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path)

const showJson = (entry: LogEntry): void => sayJson(toJson(entry))

const showLine = (entry: LogEntry): void => {
  const { changes, descriptor, operation, path, sequence, session, time, to, uid, zone } = entry
  const who = descriptor === undefined
    ? session === 0 ? "zone" : `session ${session}`
    : `${text(descriptor.user)}@${text(descriptor.host)}`
  const as = descriptor === undefined || descriptor.uid === uid ? "" : ` as ${uid}`
  const target = `${path === undefined ? "" : ` ${text(path)}`}${to === undefined ? "" : ` -> ${text(to)}`}`
  const details = Object.entries(changes).map(([name, value]) => `${name}=${String(value)}`).join(" ")
  say(
    `${Timestamp.format(time).slice(0, 23)}Z ${zone}:${sequence} ${who}${as} ${operation}${target}${
      details === "" ? "" : `  ${details}`
    }`
  )
}
