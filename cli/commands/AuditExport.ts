/** `cadastre audit export`: the audit log as a file for other tools. */
import * as Log from "#audit/Log.ts"
import * as LogExport from "#audit/LogExport.ts"
import { Exit, type Run } from "#cli/Command.ts"
import { selectionOf } from "#cli/commands/AuditLog.ts"
import { withAudit } from "#cli/Connect.ts"
import { bytes, complain, note, plural } from "#cli/Output.ts"
import { UsageError } from "#cli/UsageError.ts"
import { Client } from "#client/Client.ts"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { once } from "node:events"
import * as Fs from "node:fs/promises"

/** The file cannot be written. */
class NotWritten extends Data.TaggedError("NotWritten")<{ readonly message: string }> {}

export const run: Run = (_args, options) =>
  withAudit(
    options,
    Effect.gen(function*() {
      const client = yield* Client
      const format = (options["format"] as LogExport.Format | undefined) ?? "jsonl"
      const output = options["output"] as string | undefined
      if (format === "parquet" && output === undefined && process.stdout.isTTY) {
        return yield* new UsageError({ message: "Parquet is not for a terminal: --output FILE is wanted, or a pipe" })
      }
      const { filter, zones } = yield* selectionOf(options)
      let count = 0
      const entries = Log.past(client, zones).pipe(
        Stream.filter((entry) => Log.matches(filter, entry)),
        Stream.tap(() => Effect.sync(() => count++))
      )
      const stream = LogExport.encode(format, entries)
      const written = yield* output === undefined ? toStandardOutput(stream) : toFile(output, stream)
      if (output !== undefined) note(`${output}: ${plural(count, "entry")}, ${bytes(written)}`)
      return Exit.ok
    }).pipe(
      Effect.catchTag("NotWritten", ({ message }) => Effect.sync(() => (complain(message), Exit.failed)))
    )
  )

const toStandardOutput = <E>(stream: Stream.Stream<Uint8Array, E>): Effect.Effect<number, E> =>
  Stream.runFoldEffect(stream, 0, (sum, chunk) =>
    Effect.promise(async () => {
      if (!process.stdout.write(chunk)) await once(process.stdout, "drain")
      return sum + chunk.length
    }))

/** It has its name only once it is whole. */
const toFile = <E>(path: string, stream: Stream.Stream<Uint8Array, E>): Effect.Effect<number, E | NotWritten> => {
  const partial = `${path}.partial`
  const attempt = <A>(act: () => Promise<A>): Effect.Effect<A, NotWritten> =>
    Effect.tryPromise({
      try: act,
      catch: (cause) => new NotWritten({ message: `${path} is not written: ${(cause as Error).message}` })
    })
  return Effect.scoped(Effect.gen(function*() {
    const file = yield* Effect.acquireRelease(
      attempt(() => Fs.open(partial, "w")),
      (opened) => Effect.promise(() => opened.close())
    )
    const written = yield* Stream.runFoldEffect(stream, 0, (sum, chunk) =>
      attempt(async () => {
        await file.writeFile(chunk)
        return sum + chunk.length
      }))
    yield* attempt(() => file.sync())
    return written
  })).pipe(
    Effect.tap(() => attempt(() => Fs.rename(partial, path))),
    Effect.onError(() => Effect.promise(() => Fs.rm(partial, { force: true })))
  )
}
