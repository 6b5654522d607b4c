import { Histogram } from "#bench/mdtest/Histogram.ts"
import { describe, expect, it } from "vitest"

describe("the histogram", () => {
  it("tells quantiles to within a thirty-second, from a microsecond to an hour", () => {
    for (const scale of [1, 40, 1000, 3_000_000]) {
      const histogram = new Histogram()
      for (let n = 1; n <= 1000; n++) histogram.add(n * scale, 1)
      for (const share of [0.001, 0.5, 0.9, 0.999, 1]) {
        const exact = share * 1000 * scale
        expect(Math.abs(histogram.quantile(share) - exact)).toBeLessThanOrEqual(exact / 32 + 1)
      }
    }
  })

  it("counts what is longer than it can tell among the longest", () => {
    const histogram = new Histogram()
    histogram.add(1e15, 3)
    expect(histogram.count).toBe(3)
    expect(histogram.quantile(0.5)).toBeGreaterThan(4e9)
  })

  it("travels as bins and adds up", () => {
    const one = new Histogram()
    one.add(10, 2)
    one.add(5000, 1)
    const sum = new Histogram()
    sum.add(10, 1)
    sum.merge(one.bins())
    expect(sum.count).toBe(4)
    expect(sum.quantile(0.75)).toBe(10)
    expect(sum.quantile(1)).toBeGreaterThan(4900)
    expect(() => sum.merge([100_000, 1])).toThrow("no bin")
  })

  it("of nothing has no quantile", () => {
    expect(new Histogram().quantile(0.5)).toBe(0)
  })
})
