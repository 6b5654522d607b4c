import { progressOf, resultOf } from "#bench/peers/Pgbench.ts"
import { describe, expect, it } from "vitest"

const SUMMARY = `\
pgbench (15.18 (Debian 15.18-0+deb12u1), server 18.4)
progress: 1.0 s, 676.0 tps, lat 17.573 ms stddev 11.254, 0 failed
progress: 2.0 s, 1051.0 tps, lat 11.418 ms stddev 5.730, 0 failed
transaction type: script.sql
scaling factor: 1
query mode: prepared
number of clients: 12
number of threads: 2
maximum number of tries: 1
duration: 2 s
number of transactions actually processed: 1739
number of failed transactions: 0 (0.000%)
latency average = 13.801 ms
latency stddev = 8.911 ms
initial connection time = 32.108 ms
tps = 866.204816 (without initial connection time)
`

describe("what pgbench says", () => {
  it("has the committed transactions a second at its end", () => {
    expect(resultOf(SUMMARY)).toEqual({ perSecond: 866.204816, failed: 0 })
  })

  it("tells of transactions that failed", () => {
    expect(resultOf(SUMMARY.replace("transactions: 0 (0.000%)", "transactions: 7 (0.402%)"))?.failed).toBe(7)
  })

  it("is no result without a summary or a transaction", () => {
    expect(resultOf("pgbench: error: connection to server failed")).toBeUndefined()
    expect(resultOf(SUMMARY.replace("tps = 866.204816", "tps = 0.000000"))).toBeUndefined()
  })

  it("has a line each second on the way", () => {
    expect(SUMMARY.split("\n").map(progressOf).filter((value) => value !== undefined)).toEqual([676, 1051])
  })
})
