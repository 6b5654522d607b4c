/**
 * The metadata domain against Linux itself: the same random system calls on a zone and on a real directory, by
 * root and three ordinary users. It doubts the rules of the domain; its journal is doubted elsewhere.
 */
import * as Native from "#native/Posix.ts"
import * as Traits from "#simulations/oracle/Traits.ts"
import * as Trial from "#simulations/oracle/Trial.ts"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { describe, it } from "vitest"

const STEPS = 150
const SEEDS = 100
/** Far more than a seed takes, which is about 10 ms. */
const MILLIS_PER_SEED = 500

const seed = process.env["CADASTRE_SEED"]
const count = Number(process.env["CADASTRE_SEEDS"] ?? SEEDS)
const seeds = seed === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(seed)]
const timeout = 10_000 + seeds.length * MILLIS_PER_SEED

const posix = Native.load()
const obstacle = posix === undefined
  ? "skipped: run native/build.sh first"
  : process.geteuid?.() === 0
  ? undefined
  : "skipped: needs root, to act as several users"

for (const base of ["/dev/shm", os.tmpdir()]) {
  describe.skipIf(obstacle !== undefined)(
    `Linux as the oracle in ${base} (${obstacle ?? `${seeds.length} seeds`})`,
    () => {
      it("every call ends as on Linux and leaves the same tree", { timeout }, (context) => {
        const directory = fs.mkdtempSync(path.join(base, "oracle-"))
        fs.chmodSync(directory, 0o755)
        const umask = posix!.setUmask(0)
        try {
          const traits = Traits.find(posix!, directory)
          if (typeof traits === "string") return context.skip(`${base} is on ${traits}`)
          for (const seed of seeds) play({ posix: posix!, traits, directory }, seed)
        } finally {
          posix!.setUmask(umask)
          fs.rmSync(directory, { recursive: true })
        }
      })
    }
  )
}

const play = (bench: Trial.Bench, seed: number): void => {
  const failure = Trial.run(bench, seed, STEPS)
  if (failure === undefined) return
  throw new Error(
    [
      `seed ${seed} on ${bench.traits.type}: the kernel and the domain differ after these steps`,
      Trial.describe(Trial.shrink(bench, failure)),
      `repeat with CADASTRE_SEED=${seed} vitest run simulations/LinuxOracle.test.ts`
    ].join("\n")
  )
}
