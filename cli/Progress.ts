/**
 * A line of progress on standard error, when that is a terminal and nobody asked for quiet.
 */
import { bytes, plural } from "#cli/Output.ts"
import CliProgress from "cli-progress"

export interface Progress {
  /** Adds to what is done. */
  readonly add: (files: number, bytes: number) => void
  /** Adds to what is known to be there to do. */
  readonly expect: (files: number, bytes: number) => void
  readonly stop: () => void
}

const none: Progress = { add: () => undefined, expect: () => undefined, stop: () => undefined }

const REFRESHES_PER_SECOND = 5

export const start = (what: string, quiet: boolean): Progress => {
  if (quiet || !process.stderr.isTTY) return none
  const since = Date.now()
  let files = 0
  let done = 0
  let filesKnown = 0
  let bytesKnown = 0
  const bar = new CliProgress.SingleBar({
    stream: process.stderr,
    fps: REFRESHES_PER_SECOND,
    clearOnComplete: true,
    hideCursor: true,
    format: (_options, _parameters) => {
      const seconds = Math.max(0.001, (Date.now() - since) / 1000)
      const share = bytesKnown === 0 ? 0 : Math.min(1, done / bytesKnown)
      return `${what} ${files.toLocaleString("en")} of ${plural(filesKnown, "file")}, ` +
        `${bytes(done)} of ${bytes(bytesKnown)} (${Math.floor(share * 100)} %), ` +
        `${Math.round(files / seconds).toLocaleString("en")} files/s, ${bytes(done / seconds)}/s`
    }
  })
  bar.start(1, 0)
  return {
    add: (count, size) => {
      files += count
      done += size
      bar.update(0)
    },
    expect: (count, size) => {
      filesKnown += count
      bytesKnown += size
    },
    stop: () => bar.stop()
  }
}
