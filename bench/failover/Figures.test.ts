import { firstReplies, quantile } from "#bench/failover/Figures.ts"
import { expect, it } from "vitest"

it("the middle and the end of sorted values, and nothing of none", () => {
  expect(quantile([1, 2, 3], 0.5)).toBe(2)
  expect(quantile([1, 2, 3], 0.99)).toBe(3)
  expect(quantile([1, 2, 3], 1)).toBe(3)
  expect(quantile([], 0.5)).toBe(0)
})

it("the worst and the middle zone of all rounds of one fault", () => {
  const rounds = [
    { fault: "Kill", seconds: [2, 3] },
    { fault: "Stop", seconds: [9] },
    { fault: "Kill", seconds: [1] }
  ]
  expect(firstReplies(rounds, "Kill")).toEqual({ worst: 3, median: 2 })
  expect(firstReplies(rounds, "Stop")).toEqual({ worst: 9, median: 9 })
  expect(firstReplies(rounds, "NetworkLoss")).toEqual({ worst: 0, median: 0 })
})
