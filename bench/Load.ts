/**
 * `bench load`: fills one zone with very many files, a million in each directory, and tells after each tenth how fast
 * it was, how large the process is, and what a lookup costs. No messages, no journal.
 */
import { millisOf, missNanos } from "#bench/Floors.ts"
import { nameOf, scattered } from "#bench/MdtestNames.ts"
import { type Bench, rounded } from "#bench/Report.ts"
import * as ZoneFiller from "#bench/ZoneFiller.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Mode from "#domain/Mode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"

const FILES_BY_DEFAULT = 100_000_000
const FILES_PER_DIRECTORY = 1_000_000
const TENTHS = 10
const LOOKUPS = 200_000

const root = InodeNumber.rootOf(0)

export const load: Bench = (options, say) => {
  const directories = Math.max(TENTHS, Math.ceil((options.files ?? FILES_BY_DEFAULT) / FILES_PER_DIRECTORY))
  const files = options.files ?? FILES_BY_DEFAULT
  const perDirectory = Math.ceil(files / directories)
  const state = ZoneFiller.founded()
  const before = process.memoryUsage.rss()
  const parents: Array<number> = []
  const figures: Record<string, number> = {}
  let slowest = Number.POSITIVE_INFINITY
  say("  files        seconds  creates/s  bytes a file  stat us")
  for (let tenth = 1; tenth <= TENTHS; tenth++) {
    let created = 0
    const millis = millisOf(() => {
      while (parents.length < Math.round((directories * tenth) / TENTHS)) {
        ZoneFiller.tick(state)
        const parent = ZoneFiller.create(state, root, `directory.${parents.length}`, Mode.S_IFDIR | 0o755)
        ZoneFiller.createAll(state, parent, perDirectory, nameOf)
        parents.push(parent)
        created += perDirectory
      }
    })
    const rate = created / (millis / 1000)
    const bytes = (process.memoryUsage.rss() - before) / state.inodeCount
    const micros = statMicros(state, parents, perDirectory)
    slowest = Math.min(slowest, rate)
    figures["statMicros"] = micros
    figures["bytesPerFile"] = bytes
    say(
      `  ${String(state.inodeCount).padStart(11)}  ${String(rounded(millis / 1000)).padStart(7)}  ${
        String(Math.round(rate)).padStart(9)
      }  ${bytes.toFixed(2).padStart(12)}  ${micros.toFixed(2).padStart(7)}`
    )
  }
  return Promise.resolve({
    bench: "load",
    figures: { files: state.inodeCount, ...figures, createsPerSecondSlowestTenth: slowest },
    beside: { missNanos: missNanos(1e9), slotBytesPerFile: state.pages.slab.usedBytes / state.inodeCount },
    ratios: {}
  })
}

/** Lookup of directory and file by their names, and all attributes, in random order. */
const statMicros = (state: ZoneState, parents: ReadonlyArray<number>, perDirectory: number): number => {
  const jump = scattered(parents.length * perDirectory)
  const millis = millisOf(() => {
    for (let i = 0; i < LOOKUPS; i++) {
      const at = jump(i * 7919)
      const parent = parents[Math.floor(at / perDirectory)] as number
      const inode = state.expect(parent).entries?.get(nameOf(at % perDirectory)) ?? 0
      if (state.expect(inode).attributes().nlink !== 1) throw new Error(`inode ${inode} has no link`)
    }
  })
  return (millis * 1000) / LOOKUPS
}
