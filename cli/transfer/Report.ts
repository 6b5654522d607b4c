/**
 * What a copy did, and what it could not do: each failure on a line at once, the sum at the end.
 */
import { Exit } from "#cli/Command.ts"
import { bytes, complain, note, plural, sayJson } from "#cli/Output.ts"
import type { Progress } from "#cli/Progress.ts"

export class Report {
  files = 0
  folders = 0
  links = 0
  /** Files that were there already, with the same size and time. */
  unchanged = 0
  bytes = 0
  failures = 0
  private readonly since = performance.now()
  private readonly verb: string
  readonly progress: Progress

  constructor(verb: string, progress: Progress) {
    this.verb = verb
    this.progress = progress
  }

  done(size: number): void {
    this.files++
    this.bytes += size
    this.progress.add(1, size)
  }

  skipped(size: number): void {
    this.unchanged++
    this.progress.add(1, size)
  }

  failed(path: string, reason: string): void {
    this.failures++
    complain(`${this.verb}: ${path}: ${reason}`)
  }

  /** Prints the sum and gives the exit code. */
  finish(asJson: boolean): number {
    this.progress.stop()
    const seconds = Math.max(0.001, (performance.now() - this.since) / 1000)
    const { bytes: size, failures, files, folders, links, unchanged } = this
    if (asJson) {
      sayJson({ files, folders, links, unchanged, failures, bytes: size, seconds: Number(seconds.toFixed(3)) })
    } else {
      const rate = `${Math.round(files / seconds).toLocaleString("en")} files/s, ${bytes(size / seconds)}/s`
      const parts = [
        `${this.verb} ${plural(files, "file")}, ${plural(folders, "folder")}, ${plural(links, "link")}`,
        `${bytes(size)} in ${seconds.toFixed(1)} s (${rate})`,
        ...unchanged > 0 ? [`${plural(unchanged, "file")} unchanged`] : [],
        ...failures > 0 ? [`${plural(failures, "failure")}`] : []
      ]
      note(parts.join("; "))
    }
    return failures > 0 ? Exit.failed : Exit.ok
  }
}
