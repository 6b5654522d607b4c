/** The process that `bench memory` measures: it fills one zone and tells how much larger it has become. */
import { nameOf, scattered } from "#bench/MdtestNames.ts"
import type { Measured } from "#bench/Memory.ts"
import { residentBytes } from "#bench/Resident.ts"
import { plant, scan } from "#bench/Tree.ts"
import * as ZoneFiller from "#bench/ZoneFiller.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"

interface Wanted {
  readonly kind: "mdtest" | "scattered" | "tree"
  readonly files: number
  readonly tree?: string
}

const root = InodeNumber.rootOf(0)

const main = ({ files, kind, tree }: Wanted): Measured => {
  if (kind !== "tree") {
    const jump = kind === "mdtest" ? (index: number): number => index : scattered(files)
    return measure((state) => ZoneFiller.createAll(state, root, files, (index) => nameOf(jump(index))))
  }
  const nodes = scan(tree ?? "/usr")
  return measure((state) => {
    for (let copy = 0; state.inodeCount < files; copy++) plant(state, root, `copy-${copy}`, nodes)
  })
}

const measure = (fill: (state: ZoneState) => void): Measured => {
  // Code and libraries that a small zone needs are there before the clock, so to say, starts.
  ZoneFiller.createAll(ZoneFiller.founded(), root, 20_000, nameOf)
  const before = residentBytes()
  const state = ZoneFiller.founded()
  fill(state)
  return { files: state.inodeCount, residentBytes: residentBytes() - before, usedBytes: state.pages.slab.usedBytes }
}

process.stdout.write(JSON.stringify(main(JSON.parse(process.argv[2] ?? "{}") as Wanted)))
