import { capacity, SIXTY_NODES } from "#bench/capacity/Capacity.ts"
import { boundsOf, clientCores, type Costs } from "#bench/capacity/Model.ts"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"

const costs: Costs = { runnerMicros: 10, postgresMicros: 1, clientMicros: 5, walBytes: 10 }
const cluster = { ...SIXTY_NODES, share: 1 }

describe("the capacity of a cluster", () => {
  it("is that of what is exhausted first", () => {
    const [first] = boundsOf(costs, cluster)
    expect(first).toEqual({ what: "runner processes, one thread each", createsPerSecond: 60 * 16 * 100_000 })
    expect(boundsOf(costs, { ...cluster, databases: 1, databaseCores: 2 })[0]).toEqual({
      what: "cores of the databases",
      createsPerSecond: 2_000_000
    })
    expect(boundsOf({ ...costs, walBytes: 2 ** 30 }, cluster)[0]).toEqual({
      what: "log bandwidth of the databases",
      createsPerSecond: 4
    })
  })

  it("is bound by the zones where there are fewer of them than threads", () => {
    expect(boundsOf(costs, { ...cluster, zones: 3 })[0]).toEqual({
      what: "zones, one thread each",
      createsPerSecond: 300_000
    })
  })

  it("leaves a share of everything free", () => {
    const [all] = boundsOf(costs, cluster)
    const [half] = boundsOf(costs, { ...cluster, share: 0.5 })
    expect(half?.createsPerSecond).toBe((all?.createsPerSecond ?? 0) / 2)
    expect(clientCores(costs, 1_000_000)).toBe(5)
  })

  it("is computed from what mdtest printed, or says what that lacks", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cadastre-capacity-"))
    const from = join(folder, "mdtest.json")
    const figures = {
      createCpuMicrosRunners: 10,
      createCpuMicrosPostgres: 1,
      createCpuMicrosTasks: 5,
      walBytesPerFile: 9
    }
    try {
      writeFileSync(from, `some line\n${JSON.stringify({ bench: "mdtest", figures })}\n`)
      const lines: Array<string> = []
      const report = await capacity({ from, nodes: 1, zones: 2 }, (line) => lines.push(line))
      expect(report.figures["createsPerSecond"]).toBeCloseTo(0.7 * 200_000)
      expect(lines[0]).toContain("zones, one thread each")
      writeFileSync(from, JSON.stringify({ figures: { ...figures, walBytesPerFile: undefined } }))
      expect(() => capacity({ from }, () => undefined)).toThrow("it has no figure walBytesPerFile")
      writeFileSync(from, "nothing")
      expect(() => capacity({ from }, () => undefined)).toThrow("its last line is not what")
      expect(() => capacity({}, () => undefined)).toThrow("--from FILE is wanted")
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
