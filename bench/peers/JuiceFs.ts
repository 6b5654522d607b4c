/** JuiceFS Community Edition's own `mdtest` command on a metadata engine: empty files, created by threads. */
import * as Child from "#bench/peers/Child.ts"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Fs from "node:fs"
import * as Path from "node:path"

export interface JuiceFsOptions {
  readonly program: string
  /** Where its metadata goes, without a password. */
  readonly metaUrl: string
  readonly password: Redacted.Redacted<string> | undefined
  /** Folder for all that it writes. */
  readonly folder: string
  readonly seconds: number
}

export const THREADS = 12
/** A directory and as many below it; all threads create in all of them, each in an order of its own. */
const DIRECTORIES_BELOW = 12
const DIRECTORIES = DIRECTORIES_BELOW + 1
/** Files that each thread creates in each directory to learn how many the real run may have. */
const PROBE_FILES = 3
const FILES_MAX = 100_000
const PATIENCE = 4
const EXTRA_SECONDS_MAX = 60

/** Formats a file system and creates files for about so many seconds: files a second. */
export const creates = (options: JuiceFsOptions): Effect.Effect<number, Child.ChildFailed> =>
  Effect.gen(function*() {
    const { folder, metaUrl, password, program, seconds } = options
    Fs.mkdirSync(folder, { recursive: true })
    // It keeps logs and caches below the home folder.
    const env = { HOME: folder, ...(password === undefined ? {} : { META_PASSWORD: Redacted.value(password) }) }
    const run = (...args: ReadonlyArray<string>) =>
      Child.run(program, args, { env, secondsMax: PATIENCE * seconds + EXTRA_SECONDS_MAX })
    const objects = `${Path.join(folder, "objects")}/`
    yield* run("format", "--storage", "file", "--bucket", objects, metaUrl, "peers")
    const mdtest = (path: string, files: number) =>
      Effect.flatMap(
        run(
          "mdtest",
          "--depth=1",
          `--dirs=${DIRECTORIES_BELOW}`,
          `--files=${files}`,
          `--threads=${THREADS}`,
          `--cache-dir=${Path.join(folder, "cache")}`,
          metaUrl,
          path
        ),
        (lines) => {
          const result = resultOf(lines.join("\n"))
          return typeof result === "number"
            ? Effect.succeed(result)
            : new Child.ChildFailed({ message: `${program} mdtest: ${result.problem}` })
        }
      )
    return yield* mdtest("/run", filesFor(yield* mdtest("/probe", PROBE_FILES), seconds))
  })

/** Files of each thread in each directory, so that it takes about so many seconds. */
export const filesFor = (perSecond: number, seconds: number): number =>
  Math.min(FILES_MAX, Math.max(PROBE_FILES, Math.round((perSecond * seconds) / (THREADS * DIRECTORIES))))

/** Files a second, from its log; it ends well even if some could not be created, and counts those as well. */
export const resultOf = (text: string): number | { readonly problem: string } => {
  const error = /<(?:ERROR|FATAL)>: (.*)/.exec(text)?.[1]
  if (error !== undefined) return { problem: error }
  const [, files, time] = /Created ([0-9]+) files in ([0-9.µa-z]+) \([0-9]+ files\/s\)/.exec(text) ?? []
  const seconds = secondsOf(time ?? "")
  return files === undefined || seconds === undefined
    ? { problem: "it told no files a second" }
    : Number(files) / seconds
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 1e-3, µs: 1e-6, ns: 1e-9 }

/** Of a duration as Go prints it, such as 1m4.5s. */
export const secondsOf = (text: string): number | undefined => {
  if (!/^(?:[0-9.]+(?:h|ms|m|µs|ns|s))+$/.test(text)) return undefined
  let sum = 0
  for (const [, value, unit] of text.matchAll(/([0-9.]+)(h|ms|m|µs|ns|s)/g)) {
    sum += Number(value) * (UNIT_SECONDS[unit ?? ""] ?? Number.NaN)
  }
  return sum > 0 ? sum : undefined
}
