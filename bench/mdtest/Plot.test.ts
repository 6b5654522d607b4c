import { svgOf, tableOf } from "#bench/mdtest/Plot.ts"
import { lineOf, read, type RecordedLine } from "#bench/mdtest/Recorded.ts"
import { secondsAt, tenthsOf } from "#bench/mdtest/Tenths.ts"
import { describe, expect, it } from "vitest"

/** A run of 200 seconds whose second half is half as fast. */
const lines: ReadonlyArray<RecordedLine> = Array.from({ length: 200 }, (_, second) => ({
  phase: "fileCreation",
  iteration: 0,
  seconds: second + 1,
  items: second < 100 ? (second + 1) * 200 : 20_000 + (second - 99) * 100,
  cpuSeconds: { tasks: second / 100, runners: second / 50, postgres: 0 },
  runnerBytes: 2 ** 20 * (second + 1),
  taskBytes: 2 ** 20,
  ended: second === 199
}))

describe("a recorded run", () => {
  it("is read as it was written, one phase of one iteration", () => {
    const other = { ...lines[0] as RecordedLine, iteration: 1 }
    const text = [other, ...lines].map(lineOf).join("")
    expect(read(text, "fileCreation", 0)).toEqual(lines)
    expect(read(text, "fileStat", 0)).toEqual([])
    expect(() => read("{\"a\":1}\n", "fileStat", 0)).toThrow("line 1")
    expect(() => read("\nx\n", "fileStat", 0)).toThrow("line 2")
  })

  it("has ten rates by items", () => {
    const tenths = tenthsOf(lines) ?? []
    expect(tenths).toHaveLength(10)
    expect(tenths[0]).toBeCloseTo(200)
    expect(tenths[9]).toBeCloseTo(100)
    expect(secondsAt(lines, 20_050)).toBeCloseTo(100.5)
    expect(tenthsOf(lines.slice(0, 20))).toBeUndefined()
  })

  it("becomes a table with a row for each tenth, and a drawing with all its rates", () => {
    const tenths = tenthsOf(lines) ?? []
    const table = tableOf(lines, tenths).split("\n")
    expect(table).toHaveLength(12)
    expect(table[2]).toBe("| 3,000 | 15 | 200 | 50.00 | 100.00 | 0.00 | 15 | 1 |")
    expect(table[11]).toBe("| 30,000 | 200 | 100 | 100.00 | 200.00 | 0.00 | 200 | 1 |")
    const svg = svgOf("File creation", lines, tenths)
    expect(svg).toContain("File creation")
    const [rates = "", steps = ""] = [...svg.matchAll(/points="([^"]*)"/g)].map(([, points]) => points)
    expect(rates.split(" ")).toHaveLength(200)
    expect(steps.split(" ")).toHaveLength(20)
    expect(svg).not.toContain("NaN")
  })
})
