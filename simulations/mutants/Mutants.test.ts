import { type Mutant, plantedIn } from "#simulations/mutants/Mutant.ts"
import { mutants } from "#simulations/mutants/Mutants.ts"
import { names } from "#simulations/scenarios/Library.ts"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"

const root = join(import.meta.dirname, "../..")

describe("planted bugs", () => {
  it("are many, each by a name of its own, in a scenario that there is", () => {
    expect(mutants.length).toBeGreaterThanOrEqual(60)
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
    for (const { name } of mutants) {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/)
    }
    expect(mutants.filter(({ scenario }) => !names.includes(scenario)).map(({ name }) => name)).toEqual([])
  })

  it("each change one place of their file", () => {
    const unchanged = mutants.filter((mutant) => {
      const source = readFileSync(join(root, mutant.file), "utf8")
      return plantedIn(source, mutant) === source
    })
    expect(unchanged).toEqual([])
  })

  it("are in the code that a program loads once they are planted", () => {
    const mutant = mutants.find(({ name }) => name === "ranges-meet-unseen") as Mutant
    const script = `
      const { plant } = await import("#simulations/mutants/Planting.ts")
      if (process.env.PLANTED !== undefined) plant(JSON.parse(process.env.PLANTED))
      const { overlaps } = await import("#domain/Locks.ts")
      process.stdout.write(String(overlaps({ start: 0, end: 1 }, { start: 1, end: 2 })))`
    const run = (env: NodeJS.ProcessEnv): string =>
      spawnSync(process.execPath, ["--input-type=module-typescript", "--eval", script], {
        cwd: root,
        env: { ...process.env, ...env },
        encoding: "utf8"
      }).stdout
    expect(run({})).toBe("true")
    expect(run({ PLANTED: JSON.stringify(mutant) })).toBe("false")
  })
})
