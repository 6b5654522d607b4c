import * as Program from "#cli/testing/Program.ts"
import { temporaryFolder } from "#runners/testing/Cluster.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect } from "vitest"

const MINUTE = 60_000

const asks = (at: number, number: number) => ({
  client: "client-1.1",
  kind: "asks",
  at,
  session: 7,
  number,
  operation: "unlink",
  request: { parent: 1, name: "a" }
})
const learns = (at: number, number: number, errno: number) => ({
  client: "client-1.1",
  kind: "learns",
  at,
  number,
  errno
})

/** What the program says of a history that was kept. */
const judge = (lines: ReadonlyArray<object>) =>
  Effect.gen(function*() {
    const file = join(yield* temporaryFolder, "history.jsonl")
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
    return yield* Program.run(["chaos", "--history", file])
  })

describe("cadastre chaos", () => {
  it.scopedLive("kills a runner, and nothing is lost", () =>
    Effect.gen(function*() {
      const ended = yield* Program.run([
        "chaos",
        "--minutes",
        "0.08",
        "--faults",
        "killRunner",
        "--seed",
        "3",
        "--json"
      ])
      expect(ended.stderr).toBe("")
      expect(ended.code).toBe(0)
      const { figures } = JSON.parse(ended.stdout) as { readonly figures: Readonly<Record<string, number>> }
      expect(figures).toMatchObject({ lost: 0, violations: 0 })
      expect(figures["faults"]).toBeGreaterThan(0)
      expect(figures["operations"]).toBeGreaterThan(0)
    }), MINUTE)

  it.scopedLive("believes a history that could have happened, and no other", () =>
    Effect.gen(function*() {
      const right = yield* judge([asks(1, 0), learns(2, 0, 2)])
      expect(right).toMatchObject({ code: 0, stdout: "1 operations, 0 violations\n" })
      const wrong = yield* judge([asks(1, 0), learns(2, 0, 0)])
      expect(wrong.code).toBe(1)
      expect(wrong.stderr).toContain("directories are linearizable")
    }), MINUTE)

  it.effect("says which faults there are", () =>
    Effect.gen(function*() {
      const ended = yield* Program.run(["chaos", "--faults", "earthquake"])
      expect(ended.code).toBe(2)
      expect(ended.stderr).toContain("killRunner")
    }), MINUTE)
})
