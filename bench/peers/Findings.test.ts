import { reportOf } from "#bench/peers/Findings.ts"
import { describe, expect, it } from "vitest"

describe("the report of peers", () => {
  it("divides what both sides did", () => {
    const { beside, figures, ratios } = reportOf({
      batchedCreatesPerSecond: 90_000,
      singleCreatesPerSecond: 9000,
      batchedStatsPerSecond: 200_000,
      sqlCreatesPerSecond: 900,
      sqlStatsPerSecond: 10_000,
      juicefsRedisCreatesPerSecond: 1000,
      onep50Millis: 3,
      commitP50Millis: 2,
      p99AtHalfLoadMillis: 4
    })
    expect(ratios).toEqual({
      createsOverSql: 100,
      singleCreatesOverSql: 10,
      statsOverSql: 20,
      createsOverJuicefsRedis: 90,
      onep50OverCommit: 1.5
    })
    expect(figures["p99AtHalfLoadMillis"]).toBe(4)
    expect(beside["commitP50Millis"]).toBe(2)
  })

  it("leaves out what was skipped", () => {
    expect(reportOf({ batchedCreatesPerSecond: 1 })).toEqual({
      bench: "peers",
      figures: { batchedCreatesPerSecond: 1 },
      beside: {},
      ratios: {}
    })
  })
})
