import { Histogram } from "#bench/mdtest/Histogram.ts"
import { cpuMicros, type PhaseResult, spreadOf, summaryOf } from "#bench/mdtest/Summary.ts"
import { describe, expect, it } from "vitest"

const latencies = new Histogram()
latencies.add(1000, 99)
latencies.add(20_000, 1)
const result: PhaseResult = {
  phase: "fileCreation",
  rates: [100, 300],
  items: 4000,
  latencies,
  cpuSeconds: { tasks: 0.02 },
  tenths: undefined
}

describe("the summary", () => {
  it("spreads rates as mdtest does", () => {
    expect(spreadOf([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({ max: 9, min: 2, mean: 5, deviation: 2 })
    expect(spreadOf([3])).toEqual({ max: 3, min: 3, mean: 3, deviation: 0 })
  })

  it("divides CPU by items, and says nothing of processes that it does not know", () => {
    expect(cpuMicros(result, "tasks")).toBe(5)
    expect(cpuMicros(result, "postgres")).toBeUndefined()
  })

  it("prints both tables in columns", () => {
    expect(summaryOf([result], 2)).toEqual([
      "SUMMARY rate (in ops/sec): (of 2 iterations)",
      "   Operation           Max       Min      Mean   Std Dev",
      "   -------------   -------   -------   -------   -------",
      "   File creation   300.000   100.000   200.000   100.000",
      "",
      "Latency of a command in ms, CPU of an item in microseconds",
      "   Operation         p50     p99    p99.9   CPU tasks   CPU runners   CPU postgres",
      "   -------------   -----   -----   ------   ---------   -----------   ------------",
      "   File creation   1.000   1.000   20.224        5.00             -              -"
    ])
  })
})
