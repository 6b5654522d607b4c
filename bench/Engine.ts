/**
 * `bench engine`: one zone's state alone, at growing numbers of files: creates, lookup by name with stat, readdir,
 * unlink. No messages, no journal.
 */
import { copyGibPerSecond, millisOf, missNanos } from "#bench/Floors.ts"
import { nameOf, scattered } from "#bench/MdtestNames.ts"
import type { Bench } from "#bench/Report.ts"
import * as ZoneFiller from "#bench/ZoneFiller.ts"
import { evolve } from "#domain/Evolve.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"

const FILES_BY_DEFAULT = 10_000_000
const LOOKUPS = 1_000_000
const LISTED = 1_000_000
const UNLINKS = 200_000
const PAGE = 1024
/** Names are made before the clock runs, so many at a time. */
const NAMES_AT_ONCE = 100_000

const root = InodeNumber.rootOf(0)

export const engine: Bench = (options, say) => {
  const most = options.files ?? FILES_BY_DEFAULT
  const sizes = [1e5, 1e6, 1e7, 1e8].filter((size) => size < most).concat(most)
  const figures: Record<string, number> = {}
  const beside: Record<string, number> = { copyGibPerSecond: copyGibPerSecond() }
  warmUp()
  for (const files of sizes) {
    const at = files.toExponential().replace("e+", "e")
    const state = ZoneFiller.founded()
    const millis = createMillis(state, files, nameOf)
    figures[`createsPerSecond${at}`] = files / (millis / 1000)
    figures[`statMicros${at}`] = statMicros(state, files)
    beside[`missNanos${at}`] = missNanos(files * 8)
    figures[`listedPerSecond${at}`] = LISTED / (millisOf(() => list(state, Math.min(LISTED, files))) / 1000) *
      Math.min(1, files / LISTED)
    figures[`unlinksPerSecond${at}`] = unlinksPerSecond(state, files)
    say(`engine: ${files} files in order`)
  }
  const jump = scattered(most)
  const state = ZoneFiller.founded()
  const millis = createMillis(state, most, (index) => nameOf(jump(index)))
  figures["createsPerSecond"] = figures[`createsPerSecond${most.toExponential().replace("e+", "e")}`] ?? 0
  figures["createsScatteredPerSecond"] = most / (millis / 1000)
  say(`engine: ${most} files in scattered order`)
  return Promise.resolve({ bench: "engine", figures, beside, ratios: {} })
}

/** The compiler has seen all of it before the clock runs. */
const warmUp = (): void => {
  const state = ZoneFiller.founded()
  createMillis(state, NAMES_AT_ONCE, nameOf)
  statMicros(state, NAMES_AT_ONCE)
  list(state, NAMES_AT_ONCE)
  unlinksPerSecond(state, NAMES_AT_ONCE)
}

const createMillis = (state: ZoneState, files: number, nameAt: (index: number) => string): number => {
  let millis = 0
  for (let from = 0; from < files; from += NAMES_AT_ONCE) {
    // Flat, as a decoder makes them: what a template puts together is a tree of strings until it is first read.
    const names = Array.from(
      { length: Math.min(NAMES_AT_ONCE, files - from) },
      (_, index) => Buffer.from(nameAt(from + index)).latin1Slice()
    )
    millis += millisOf(() => ZoneFiller.createAll(state, root, names.length, (index) => names[index] as string))
  }
  return millis
}

/** Lookup by name and all attributes, names in random order. */
const statMicros = (state: ZoneState, files: number): number => {
  const jump = scattered(files)
  let millis = 0
  for (let from = 0; from < LOOKUPS; from += NAMES_AT_ONCE) {
    const names = Array.from({ length: NAMES_AT_ONCE }, (_, index) => nameOf(jump((from + index) % files)))
    millis += millisOf(() => {
      for (const name of names) {
        const inode = state.expect(root).entries?.get(name) ?? 0
        if (state.expect(inode).attributes().nlink !== 1) throw new Error(`${name} has no link`)
      }
    })
  }
  return (millis * 1000) / LOOKUPS
}

/** Pages of a listing with an attribute of each entry. */
const list = (state: ZoneState, count: number): void => {
  let after = ""
  for (let rest = count; rest > 0; rest -= PAGE) {
    let room = Math.min(PAGE, rest)
    state.expect(root).entries?.walk(after, (name, inode) => {
      if (state.expect(inode).mode === 0) throw new Error(`${name} has no mode`)
      after = name
      return --room > 0
    })
  }
}

const unlinksPerSecond = (state: ZoneState, files: number): number => {
  const count = Math.min(UNLINKS, files / 2)
  const jump = scattered(files)
  const names = Array.from({ length: count }, (_, index) => nameOf(jump(index)))
  const millis = millisOf(() => {
    for (const [index, name] of names.entries()) {
      if (index % ZoneFiller.BATCH === 0) ZoneFiller.tick(state)
      const inode = state.expect(root).entries?.get(name) ?? 0
      evolve(state, { _tag: "EntryRemoved", parent: root, name, inode })
    }
  })
  return count / (millis / 1000)
}
