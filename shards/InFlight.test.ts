import { InFlight } from "#shards/InFlight.ts"
import { describe, expect, it } from "vitest"

describe("what is under way", () => {
  it("is found by its number once, in any order, and told oldest first", () => {
    const all = new InFlight<string>()
    for (const [number, value] of [[7, "a"], [2 ** 32 - 1, "b"], [0, "c"]] as const) all.add(number, value)
    expect([all.size, all.oldest]).toEqual([3, "a"])
    expect(all.take(2 ** 32 - 1)).toBe("b")
    expect(all.take(2 ** 32 - 1)).toBeUndefined()
    expect(all.all()).toEqual(["a", "c"])
    expect(all.take(7)).toBe("a")
    expect(all.oldest).toBe("c")
    expect(all.takeAll()).toEqual(["c"])
    expect([all.size, all.oldest, all.take(0)]).toEqual([0, undefined, undefined])
  })
})
