import { operations } from "#domain/Operations.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import { Traffic } from "#domain/testing/Traffic.ts"
import { bytesOf } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

const { list } = seedsOf(process.env)
const some = list.slice(0, Math.ceil(list.length / 4))
const COMMANDS = 300
const outcomes = new Map<string, number>()

describe("a zone under random traffic", () => {
  it(`keeps its invariants, its journal and its answers (${list.length} seeds)`, {
    timeout: 20_000 + 200 * list.length
  }, () => {
    for (const seed of list) {
      const traffic = new Traffic(seed)
      try {
        traffic.run(COMMANDS)
      } catch (cause) {
        throw new Error(`seed ${seed}: repeat with CADASTRE_SEED=${seed} vitest run domain/Traffic`, { cause })
      }
      for (const [outcome, count] of traffic.outcomes) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count)
    }
  })

  it(`decides the same with nothing in memory but what it asks for (${some.length} seeds)`, {
    timeout: 20_000 + 800 * some.length
  }, () => {
    for (const seed of some) {
      const [usual, starved] = [false, true].map((starve) => {
        const traffic = new Traffic(seed)
        traffic.world.starved = starve
        try {
          traffic.run(COMMANDS / 2)
        } catch (cause) {
          throw new Error(`seed ${seed}: repeat with CADASTRE_SEED=${seed} vitest run domain/Traffic`, { cause })
        }
        return bytesOf(traffic.world.live)
      })
      expect(Buffer.compare(usual as Uint8Array, starved as Uint8Array)).toBe(0)
    }
  })

  it("ends the same for the same seed", () => {
    const end = () => {
      const traffic = new Traffic(list[0] ?? 1)
      traffic.run(100)
      return bytesOf(traffic.world.live)
    }
    expect(Buffer.compare(end(), end())).toBe(0)
  })

  it.skipIf(list.length < 20)("has seen each operation succeed, unless it is not for clients, and be refused", () => {
    const seen = (name: string, kind: RegExp): boolean =>
      [...outcomes.keys()].some((outcome) => outcome.startsWith(`${name} `) && kind.test(outcome))
    const forClients = Object.values(operations).map(({ name }) => name).filter((name) => name !== "found-zone")
    expect(forClients.filter((name) => !seen(name, / ok$/))).toEqual([])
    expect(Object.values(operations).filter(({ name }) => !seen(name, / E\w+$/)).map(({ name }) => name)).toEqual([])
  })

  it.skipIf(list.length < 20)("has seen locks wait, be granted and be given up, and circles of them", () => {
    expect([...outcomes.keys()]).toEqual(expect.arrayContaining(["lock waits", "lock EDEADLK", "lock EAGAIN"]))
    expect(outcomes.get("lock waits")).toBeGreaterThan(list.length)
  })
})
