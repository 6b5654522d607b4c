/** `cadastre audit verify`: whether the history is what was written, and leads to what is there now. */
import { type Verdict, verify } from "#audit/Verify.ts"
import { Exit, type Run } from "#cli/Command.ts"
import { withAudit } from "#cli/Connect.ts"
import { bytes, complain, note, plural, say, sayJson } from "#cli/Output.ts"
import { Client } from "#client/Client.ts"
import * as Effect from "effect/Effect"

const ZONES_AT_ONCE = 4

export const run: Run = (_args, options) =>
  withAudit(
    options,
    Effect.gen(function*() {
      const client = yield* Client
      const since = performance.now()
      const zone = options["zone"] as number | undefined
      const zones = zone === undefined ? Array.from({ length: client.info.zones }, (_, number) => number) : [zone]
      const show = options["json"] === true ? showJson : showLine
      const progress = startProgress(options["quiet"] === true, zones.length)
      const verdicts = yield* Effect.forEach(zones, (number) =>
        Effect.tap(verify(client, number, progress.onRow(number)), (verdict) =>
          Effect.sync(() => {
            progress.onZone()
            show(verdict)
          })), { concurrency: ZONES_AT_ONCE })
      progress.stop()
      const broken = verdicts.filter(({ problem }) =>
        problem !== undefined
      )
      const unknown = verdicts.filter(({ notCompared, problem }) =>
        problem === undefined && notCompared !== undefined
      )
      const events = verdicts.reduce((sum, { sequence }) => sum + sequence, 0)
      const seconds = (performance.now() - since) / 1000
      if (options["json"] === true) {
        sayJson({
          zones: verdicts.length,
          events,
          broken: broken.length,
          notCompared: unknown.length,
          seconds: Number(seconds.toFixed(3))
        })
      } else {
        const summary = `${plural(verdicts.length, "zone")}, ${plural(events, "event")} in ${seconds.toFixed(1)} s`
        if (broken.length > 0) {
          complain(`the history is NOT what was written: ${plural(broken.length, "zone")} of ${summary}`)
        } else if (unknown.length > 0) {
          note(`${summary}: the chain holds; ${plural(unknown.length, "live state")} could not be compared`)
        } else note(`${summary}: every chain holds, every replay equals the live state`)
      }
      return broken.length > 0 ? Exit.damaged : unknown.length > 0 ? Exit.failed : Exit.ok
    })
  )

const hex = (digest: Uint8Array | undefined): string => digest === undefined ? "" : Buffer.from(digest).toString("hex")

const showJson = ({ digest, journalBytes, ...verdict }: Verdict): void =>
  sayJson({
    ...verdict,
    journalBytes,
    digest: hex(digest),
    ok: verdict.problem === undefined && verdict.notCompared === undefined
  })

const DIGEST_SHOWN = 16

const showLine = ({ digest, inodes, journalBytes, notCompared, problem, rows, sequence, zone }: Verdict): void => {
  const name = `zone ${String(zone).padStart(4)}`
  if (problem !== undefined) return complain(`${name}  BROKEN at event ${problem.sequence}: ${problem.reason}`)
  const history = `${plural(sequence, "event")} in ${plural(rows, "row")}, ${bytes(journalBytes)}, ${
    plural(inodes, "inode")
  }`
  const state = notCompared === undefined
    ? `state ${hex(digest).slice(0, DIGEST_SHOWN)}`
    : `live state not compared: ${notCompared}`
  say(`${name}  ok  ${history}, ${state}`)
}

const REFRESH_MILLIS = 200

/** A line that tells how far each zone is, on a terminal. */
const startProgress = (quiet: boolean, zones: number) => {
  const shown = !quiet && process.stderr.isTTY
  const sequences = new Map<number, number>()
  let done = 0
  let last = 0
  const draw = (): void => {
    const now = performance.now()
    if (!shown || now - last < REFRESH_MILLIS) return
    last = now
    let events = 0
    for (const sequence of sequences.values()) events += sequence
    process.stderr.write(`\r\x1b[K${done} of ${plural(zones, "zone")}, ${plural(events, "event")} checked`)
  }
  return {
    onRow: (zone: number) => (sequence: number): void => {
      sequences.set(zone, sequence)
      draw()
    },
    onZone: (): void => {
      done++
      if (shown) process.stderr.write("\r\x1b[K")
    },
    stop: (): void => {
      if (shown) process.stderr.write("\r\x1b[K")
    }
  }
}
