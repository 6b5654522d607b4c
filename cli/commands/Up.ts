/** `cadastre up`: a whole file system on this machine, in the foreground or left running. */
import { Exit, type Run } from "#cli/Command.ts"
import { runMain } from "#cli/Connect.ts"
import { complain, note, sayJson } from "#cli/Output.ts"
import * as DataFolder from "#runners/DataFolder.ts"
import * as SingleMachine from "#runners/SingleMachine.ts"
import { format } from "#transport/Connection.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import { fork } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

interface Ready {
  readonly endpoint: string
  readonly data: string
  readonly zones: number
  readonly cluster: string
  readonly pid: number
}

/** What a detached server tells the process that started it. */
type Told = { readonly step: string } | { readonly failed: string } | { readonly ready: Ready }

export const run: Run = (_args, options) => {
  const data = Path.resolve((options["data"] as string | undefined) ?? DataFolder.defaultPath())
  if (options["detach"] === true) return detach(data, options["json"] === true)
  const tell = process.send === undefined ? undefined : (told: Told): void => void process.send?.(told)
  const onStep = (step: string): void => tell === undefined ? note(`  ${step} …`) : tell({ step })
  if (tell === undefined) note(`Cadastre in ${data}`)
  return runMain(
    Effect.scoped(Effect.gen(function*() {
      const machine = yield* SingleMachine.start({
        data,
        zones: options["zones"] as number | undefined,
        host: (options["host"] as string | undefined) ?? "127.0.0.1",
        port: options["port"] as number | undefined,
        retention: retentionOf(options["journalRetention"] as number | undefined),
        historyRetention: retentionOf(options["historyRetention"] as number | undefined),
        onStep
      })
      const ready: Ready = {
        endpoint: format(machine.address),
        data,
        zones: machine.cluster.zones,
        cluster: machine.cluster.id,
        pid: process.pid
      }
      if (tell !== undefined) {
        tell({ ready })
        process.disconnect()
      } else if (options["json"] === true) sayJson(ready)
      else welcome(ready, data, false)
      yield* Effect.addFinalizer(() => Effect.sync(() => note("  stopping …")))
      return yield* Effect.never
    })).pipe(
      Effect.tapError((error) => Effect.sync(() => tell?.({ failed: error.message }))),
      Effect.onInterrupt(() => Effect.sync(() => note("  stopped; nothing is lost")))
    ),
    LogLevel.Info
  ).then((code) => (code === Exit.interrupted ? Exit.ok : code))
}

const retentionOf = (days: number | undefined): Duration.Duration | undefined =>
  days === undefined ? undefined : Duration.days(days)

const welcome = ({ endpoint, zones }: Ready, data: string, detached: boolean): void => {
  const where = data === DataFolder.defaultPath() ? "" : ` --data ${data}`
  note(`  ready: ${zones} zones at ${endpoint}`)
  note("")
  note("Next, for example:")
  note(`  cadastre put ./some-folder /${where}`)
  note(`  cadastre ls -l /${where}`)
  note(`  cadastre audit log${where}`)
  note(detached ? `Stop it with: cadastre down${where}` : "Stop it with Ctrl-C.")
}

/** Starts this same command in a process of its own, and waits until that is ready or has failed. */
const detach = (data: string, asJson: boolean): Promise<number> => {
  Fs.mkdirSync(data, { recursive: true })
  const log = Fs.openSync(DataFolder.at(data).logFile, "a")
  const args = process.argv.slice(2).filter((word) => word !== "--detach" && word !== "-d")
  const child = fork(fileURLToPath(new URL("../main.ts", import.meta.url)), args, {
    detached: true,
    stdio: ["ignore", log, log, "ipc"]
  })
  if (!asJson) note(`Cadastre in ${data}`)
  return new Promise((resolve) => {
    child.on("message", (told: Told) => {
      if ("step" in told) {
        if (!asJson) note(`  ${told.step} …`)
      } else if ("failed" in told) {
        complain(told.failed)
        resolve(Exit.failed)
      } else {
        if (asJson) sayJson(told.ready)
        else welcome(told.ready, data, true)
        child.unref()
        resolve(Exit.ok)
      }
    })
    child.once("exit", (code) => {
      complain(`the server ended (${code ?? "killed"}) before it was ready; see ${DataFolder.at(data).logFile}`)
      resolve(Exit.failed)
    })
  }).then((code) => {
    child.removeAllListeners("exit")
    return code as number
  })
}
