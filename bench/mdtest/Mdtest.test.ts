import * as Program from "#cli/testing/Program.ts"
import { temporaryFolder } from "#runners/testing/Cluster.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect } from "vitest"

const MINUTES = 120_000
const mdtest = ["bench", "mdtest"]
/** Half of what a process costs here is its start. */
const env = { NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache") }

interface Told {
  readonly bench: string
  readonly figures: Readonly<Record<string, number>>
}

/** The object in the last line of standard output. */
const toldBy = ({ code, stderr, stdout }: Program.Ended): Told => {
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" })
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Told
}

describe("bench mdtest", () => {
  it.scoped("measures a cluster of its own in all phases, and leaves nothing of it", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const record = join(folder, "record.jsonl")
      const shape = [
        "-n",
        "60",
        "-w",
        "100",
        "-u",
        "-b",
        "2",
        "-z",
        "1",
        "--zones",
        "3",
        "--callers",
        "2",
        "--batch",
        "7"
      ]
      const ended = yield* Program.run([...mdtest, ...shape, "--record", record, "--json"], {
        env: { ...env, TMPDIR: folder }
      })
      const { bench, figures } = toldBy(ended)
      expect(bench).toBe("mdtest")
      for (const key of ["create", "stat", "read", "remove"]) {
        expect(figures[`${key}sPerSecond`]).toBeGreaterThan(0)
        expect(figures[`${key}P99Micros`]).toBeGreaterThanOrEqual(figures[`${key}P50Micros`] ?? Infinity)
      }
      for (const key of ["directoryRename", "treeCreate", "treeRemove"]) {
        expect(figures[`${key}sPerSecond`]).toBeGreaterThan(0)
      }
      expect(figures["journalBytesPerFile"]).toBeGreaterThan(0)
      expect(figures["peakMibPostgres"]).toBeGreaterThan(0)
      expect(ended.stderr).toContain("File creation: 120 in")
      // Two tasks, three zones: one tree of three directories in each zone.
      expect(ended.stderr).toContain("Tree creation: 9 in")
      const last = Fs.readFileSync(record, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as object)
      expect(last).toContainEqual(expect.objectContaining({ phase: "fileCreation", items: 120, ended: true }))
      expect(Fs.readdirSync(folder).filter((name) => name.startsWith("cadastre-mdtest"))).toEqual([])
    }), MINUTES)

  it.scoped(
    "creates in a file system that runs, which a later run stats, reads and removes",
    () =>
      Effect.gen(function*() {
        const machine = yield* Program.machine
        expect(yield* machine.up(["--zones", "2"])).toMatchObject({ code: 0 })
        const shape = ["-n", "6", "-I", "2", "--tasks", "1", "--callers", "2", "--batch", "2", "--json"]
        const run = (...args: ReadonlyArray<string>) => machine.run([...mdtest, ...shape, ...args], { env })
        toldBy(yield* run("-C"))
        const listed = yield* machine.run(["tree", "/.zones/1/test-dir.0"])
        for (const name of ["file.mdtest.0.0", "file.mdtest.0.2", "dir.mdtest.0.2", "mdtest_tree.0.1"]) {
          expect(listed.stdout).toContain(name)
        }
        const { figures } = toldBy(yield* run("-T", "-E", "-r"))
        expect(Object.keys(figures)).toEqual(
          expect.arrayContaining(["statsPerSecond", "readsPerSecond", "removesPerSecond", "directoryRemovesPerSecond"])
        )
        expect(figures["createsPerSecond"]).toBeUndefined()
        const left = yield* machine.run(["ls", "/.zones/1/"])
        expect(left).toMatchObject({ code: 0, stdout: "" })
      }),
    MINUTES
  )

  it.effect("refuses options that make no sense", () =>
    Effect.gen(function*() {
      for (
        const [args, said] of [
          [["-n", "0"], "1 to"],
          [["--zones", "1025"], "1 to 1024"],
          [["-F", "-D"], "-F and -D"],
          [["--connect", "nowhere"], "host:port"]
        ] as const
      ) {
        expect(yield* Program.run([...mdtest, ...args], { env })).toMatchObject({
          code: 2,
          stdout: "",
          stderr: expect.stringContaining(said) as string
        })
      }
    }), MINUTES)
})
