/** Runs one script with Postgres's own `pgbench`, and reads what that says. */
import * as Child from "#bench/peers/Child.ts"
import type { DatabaseOptions } from "#persistence/Database.ts"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Fs from "node:fs"
import * as Path from "node:path"

export interface PgbenchOptions {
  readonly program: string
  readonly database: DatabaseOptions
  /** Folder for the script. */
  readonly folder: string
  readonly script: string
  /** Numbers that each client begins with. */
  readonly variables: Readonly<Record<string, number>>
  readonly clients: number
  readonly seconds: number
  /** Told the transactions a second of the second that passed. */
  readonly onProgress: (perSecond: number) => void
}

/** Threads of pgbench itself, as many as the reference machine has cores. */
const THREADS = 2
const EXTRA_SECONDS_MAX = 60

/** Transactions a second, each committed. */
export const run = (options: PgbenchOptions): Effect.Effect<number, Child.ChildFailed> =>
  Effect.gen(function*() {
    const { clients, database, folder, onProgress, program, script, seconds, variables } = options
    const file = Path.join(folder, "script.sql")
    Fs.writeFileSync(file, script)
    const lines = yield* Child.run(program, [
      // The tables are not pgbench's, so there is nothing of its own to vacuum first.
      "--no-vacuum",
      "--protocol=prepared",
      `--client=${clients}`,
      `--jobs=${Math.min(THREADS, clients)}`,
      `--time=${Math.ceil(seconds)}`,
      "--progress=1",
      `--file=${file}`,
      ...Object.entries(variables).map(([name, value]) => `--define=${name}=${value}`),
      database.database
    ], {
      secondsMax: seconds + EXTRA_SECONDS_MAX,
      env: {
        PGHOST: database.host,
        PGPORT: String(database.port),
        PGUSER: database.user,
        PGPASSWORD: Redacted.value(database.password),
        LC_ALL: "C"
      },
      onLine: (line) => {
        const perSecond = progressOf(line)
        if (perSecond !== undefined) onProgress(perSecond)
      }
    })
    const result = resultOf(lines.join("\n"))
    if (result === undefined || result.failed > 0) {
      const what = result === undefined ? "it told no transactions a second" : `${result.failed} transactions failed`
      return yield* new Child.ChildFailed({ message: [`${program}: ${what}`, ...lines].join("\n  ") })
    }
    return result.perSecond
  })

interface PgbenchResult {
  readonly perSecond: number
  readonly failed: number
}

/** Its summary; undefined if it got that far with no transaction, or not at all. One that lost a client ends with 2. */
export const resultOf = (text: string): PgbenchResult | undefined => {
  const perSecond = /^tps = ([0-9.]+)/m.exec(text)?.[1]
  if (perSecond === undefined || !(Number(perSecond) > 0)) return undefined
  const failed = Number(/^number of failed transactions: ([0-9]+)/m.exec(text)?.[1] ?? 0)
  return { perSecond: Number(perSecond), failed }
}

export const progressOf = (line: string): number | undefined => {
  const perSecond = /^progress: [0-9.]+ s, ([0-9.]+) tps/.exec(line)?.[1]
  return perSecond === undefined ? undefined : Number(perSecond)
}
