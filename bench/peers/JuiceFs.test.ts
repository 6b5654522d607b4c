import { filesFor, resultOf, secondsOf } from "#bench/peers/JuiceFs.ts"
import { describe, expect, it } from "vitest"

const LOG = `\
2026/11/30 08:03:30.119898 juicefs[10696] <INFO>: Create session 1 OK with version: 1.4.1 [NewSession@base.go:796]
2026/11/30 08:03:30.124865 juicefs[10696] <INFO>: Create 2400 files in 5 dirs [runTest@mdtest.go:121]
2026/11/30 08:03:30.175894 juicefs[10696] <INFO>: Created 5 dirs in 50.981296ms (98 dirs/s) [runTest@mdtest.go:136]
2026/11/30 08:03:35.038620 juicefs[10696] <INFO>: Created 2400 files in 4.862710155s (493 files/s) [runTest@mdtest.go:151]
2026/11/30 08:03:35.078163 juicefs[10696] <INFO>: close session 1: <nil> [CloseSession@base.go:983]
`

describe("what juicefs mdtest says", () => {
  it("has files and time, of which the rate is made", () => {
    expect(resultOf(LOG)).toBeCloseTo(493.55, 2)
  })

  it("is no result when a file could not be created, although it counts them all", () => {
    const error =
      "2026/11/30 08:03:33.1 juicefs[1] <ERROR>: Create: create /run/file.mdtest.3.1: input/output error [run@mdtest.go:146]\n"
    expect(resultOf(error + LOG)).toMatchObject({ problem: expect.stringContaining("/run/file.mdtest.3.1") as string })
  })

  it("is no result without the line of files", () => {
    expect(resultOf(LOG.replace("2400 files in 4", "nothing in 4"))).toEqual({ problem: "it told no files a second" })
  })
})

describe("a duration of Go", () => {
  it.each([["4.862710155s", 4.862710155], ["1m4.5s", 64.5], ["812.25ms", 0.81225], ["1h0m1s", 3601], ["33µs", 33e-6]])(
    "%s is %f seconds",
    (text, seconds) => expect(secondsOf(text)).toBeCloseTo(seconds, 9)
  )

  it.each(["", "12", "4 s", "0s", "-1s"])("%j is none", (text) => expect(secondsOf(text)).toBeUndefined())
})

describe("files of a run", () => {
  it("are as many as the rate allows in the time", () => {
    expect(filesFor(1560, 10)).toBe(100)
  })

  it("are some, and not without end", () => {
    expect(filesFor(1, 1)).toBeGreaterThan(0)
    expect(filesFor(1e12, 10)).toBe(100_000)
  })
})
