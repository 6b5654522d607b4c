import { reportOf } from "#bench/peers/Findings.ts"
import { measure, type Settings, settingsOf } from "#bench/peers/Peers.ts"
import { temporaryFolder } from "#runners/testing/Cluster.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, inject } from "vitest"

const MINUTE = 60_000
const SECONDS = 0.5

const measured = (settings: Settings) =>
  Effect.scoped(Effect.gen(function*() {
    const folder = yield* temporaryFolder
    const { password, ...postgres } = inject("postgres")
    const said: Array<string> = []
    const place = { folder, postgres: { ...postgres, password: Redacted.make(password) } }
    const findings = yield* measure(place, settings, { say: (line) => said.push(line), show: () => undefined })
    return { report: reportOf(findings), said }
  }))

describe("peers", () => {
  const { pgbench } = settingsOf({}, process.env)

  it.live("measures what is there, and says what it skips", () =>
    Effect.gen(function*() {
      const { report, said } = yield* measured({
        seconds: SECONDS,
        sqlFilesPerDirectory: 100,
        pgbench,
        juicefs: undefined,
        redis: undefined
      })
      const { beside, figures, ratios } = report
      for (const value of [figures, beside, ratios].flatMap(Object.values)) expect(value).toBeGreaterThan(0)
      expect(Object.keys(figures)).toEqual([
        "batchedCreatesPerSecond",
        "singleCreatesPerSecond",
        "batchedStatsPerSecond",
        "singleStatsPerSecond",
        "onep50Millis",
        "p99AtHalfLoadMillis",
        "batchedP99AtHalfLoadMillis",
        "createsPerAppend",
        "bytesPerAppend"
      ])
      expect(figures["createsPerAppend"]).toBeGreaterThanOrEqual(512)
      expect(beside["appendedCreatesPerSecond"]).toBeGreaterThan(0)
      expect(ratios["onep50OverCommit"]).toBeGreaterThan(0)
      expect(said).toContainEqual(expect.stringMatching(/^skipped: JuiceFS: .*docs\/peers\.md/))
      expect(said.some((line) => line.startsWith("skipped: SQL file system: "))).toBe(pgbench === undefined)
      expect("createsOverSql" in ratios).toBe(pgbench !== undefined)
      expect("statsOverSql" in ratios).toBe(pgbench !== undefined)
    }), 2 * MINUTE)

  it.live("finds programs where it is told", () =>
    Effect.scoped(Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const [own, path] = ["own", "path"].map((name) => join(folder, name)) as [string, string]
      for (
        const [place, name, mode] of [[own, "juicefs", 0o755], [path, "juicefs", 0o755], [
          path,
          "redis-server",
          0o644
        ]] as const
      ) {
        mkdirSync(place, { recursive: true })
        writeFileSync(join(place, name), "")
        chmodSync(join(place, name), mode)
      }
      const both = { CADASTRE_PEERS: own, PATH: `/nowhere:${path}` }
      expect(settingsOf({}, both)).toMatchObject({ seconds: 10, juicefs: join(own, "juicefs"), redis: undefined })
      expect(settingsOf({}, { PATH: path }).juicefs).toBe(join(path, "juicefs"))
      expect(settingsOf({ juicefs: join(path, "juicefs"), seconds: 2 }, both)).toMatchObject({
        seconds: 2,
        juicefs: join(path, "juicefs")
      })
      expect(settingsOf({}, { PATH: "" }).juicefs).toBeUndefined()
      expect(() => settingsOf({ juicefs: join(path, "redis-server") }, both)).toThrow("there is no program")
    })))
})
