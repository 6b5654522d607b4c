import { firstReplies } from "#bench/failover/Figures.ts"
import { expect, it } from "vitest"

it("the worst and the middle zone of all rounds of one fault", () => {
  const rounds = [
    { fault: "Kill", seconds: [2, 3] },
    { fault: "Stop", seconds: [9] },
    { fault: "Kill", seconds: [1] }
  ]
  expect(firstReplies(rounds, "Kill")).toEqual({ worst: 3, median: 2 })
  expect(firstReplies(rounds, "Stop")).toEqual({ worst: 9, median: 9 })
  expect(firstReplies(rounds, "NetworkLoss")).toBeUndefined()
})
