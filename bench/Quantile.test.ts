import { quantile } from "#bench/Quantile.ts"
import { describe, expect, it } from "vitest"

describe("a quantile", () => {
  it("is the value that this share does not exceed, in whatever order they came", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index)
    expect(quantile(values, 0.5)).toBe(50)
    expect(quantile(values, 0.99)).toBe(99)
    expect(quantile(values, 1)).toBe(100)
    expect(quantile([3], 0)).toBe(3)
  })

  it("of nothing is an error", () => {
    expect(() => quantile([], 0.5)).toThrow("no values")
  })
})
