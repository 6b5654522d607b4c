import { Dice } from "#domain/testing/Dice.ts"
import { DirectoryModel } from "#simulations/checkers/DirectoryModel.ts"
import { FileModel } from "#simulations/checkers/FileModel.ts"
import { check, type Model, report } from "#simulations/checkers/Linearizability.ts"
import { LockModel } from "#simulations/checkers/LockModel.ts"
import { lie } from "#simulations/checkers/testing/Lie.ts"
import {
  directoryKinds,
  fileKinds,
  type Kind,
  lockKinds,
  randomHistory
} from "#simulations/checkers/testing/RandomHistory.ts"
import { Telling } from "#simulations/checkers/testing/Telling.ts"
import { isDecided, type Observation, render } from "#simulations/history/History.ts"
import { describe, expect, it } from "vitest"

const HISTORIES = 5_000
const SHORT_HISTORIES = 1_000

/** Up to seven operations on one attribute, with outcomes that may be right or wrong. */
const anyHistory = (dice: Dice): ReadonlyArray<Observation> => {
  const history = new Telling()
  const running: Array<() => void> = []
  for (let count = 2 + dice.below(6); count > 0;) {
    if (running.length > 0 && dice.chance(50)) running.splice(dice.below(running.length), 1)[0]?.()
    else {
      running.push(anyOperation(dice, history, count))
      count--
    }
  }
  for (const end of running) if (dice.chance(60)) end()
  return history.observations
}

const anyOperation = (dice: Dice, history: Telling, client: number): () => void => {
  const xattr = { inode: 1, name: "user.x" }
  switch (dice.below(4)) {
    case 0: {
      const removes = history.begins(client, "removeXattr", xattr)
      return () => removes.ends(dice.chance(60) ? undefined : "ENODATA")
    }
    case 1: {
      const gets = history.begins(client, "getXattr", xattr)
      return () => gets.ends(dice.chance(70) ? { value: dice.of(["1", "2"]) } : "ENODATA")
    }
    default: {
      const mode = dice.of(["either", "create", "replace"] as const)
      const sets = history.begins(client, "setXattr", { ...xattr, value: dice.of(["1", "2"]), mode })
      return () =>
        sets.ends(mode === "either" || dice.chance(60) ? undefined : mode === "create" ? "EEXIST" : "ENODATA")
    }
  }
}

/** Every order, as the definition has it. */
const isLinearizable = <State, Step extends Observation>(
  model: Model<State, Step>,
  left: ReadonlyArray<Step>,
  state: State
): boolean => {
  if (!left.some(isDecided)) return true
  return left.some((next) => {
    if (left.some((other) => isDecided(other) && (other.ended ?? Infinity) < next.begun)) return false
    const after = model.step(state, next)
    return after !== undefined && isLinearizable(model, left.filter((other) => other !== next), after)
  })
}

/** How many histories of a few operations, most with a lie in them, are right; the search must say the same. */
const rightOnes = <State, Step extends Observation>(model: Model<State, Step>, kinds: ReadonlyArray<Kind>): number => {
  let right = 0
  for (let seed = 1; seed <= SHORT_HISTORIES; seed++) {
    const shape = { clients: 4, operations: 8, lostPermille: 150, kinds, names: 2 }
    const told = randomHistory(seed, shape)
    const history = lie(new Dice(seed), told, () => true) ?? told
    const isRight = model.partition(history).every((part) => isLinearizable(model, part, model.initial()))
    const result = check(model, history)
    if ((result._tag === "Linearizable") !== isRight) throw new Error(`${report(result)}\n${render(history)}`)
    if (isRight) right++
  }
  return right
}

describe("the search", () => {
  it("agrees with one that tries every order", () => {
    const model = new FileModel()
    const dice = new Dice(1)
    const counts = { Linearizable: 0, Violation: 0, Exhausted: 0 }
    for (let count = 0; count < HISTORIES; count++) {
      const history = anyHistory(dice)
      const result = check(model, history)
      counts[result._tag]++
      if ((result._tag === "Linearizable") !== isLinearizable(model, history, model.initial())) {
        throw new Error(`${report(result)}\n${render(history)}`)
      }
    }
    expect(counts.Exhausted).toBe(0)
    expect(Math.min(counts.Linearizable, counts.Violation)).toBeGreaterThan(HISTORIES / 10)
  })

  it("agrees with it on every model", () => {
    const counts = [
      rightOnes(new DirectoryModel(), directoryKinds),
      rightOnes(new FileModel(), fileKinds),
      rightOnes(new LockModel(), lockKinds)
    ]
    for (const right of counts) {
      expect(right).toBeGreaterThan(SHORT_HISTORIES / 20)
      expect(right).toBeLessThan(SHORT_HISTORIES * 0.8)
    }
  })

  it("puts as many undecided operations in a row as it takes", () => {
    const history = new Telling()
    const names = Array.from({ length: 6 }, (_, index) => `user.${index}`)
    for (const name of names) history.loses(1, "setXattr", { inode: 1, name, value: "v", mode: "either" })
    history.does(2, "listXattrs", { inode: 1 }, { names })
    expect(check(new FileModel(), history.observations)._tag).toBe("Linearizable")
    history.does(2, "listXattrs", { inode: 1 }, { names: names.slice(1) })
    expect(check(new FileModel(), history.observations)._tag).toBe("Violation")
  })

  it("says what it could explain, what not, and where it stood", () => {
    const history = new Telling().does(
      1,
      "setXattr",
      { inode: 1, name: "user.x", value: "1", mode: "either" },
      undefined
    )
      .loses(3, "removeXattr", { inode: 1, name: "user.y" })
      .does(2, "getXattr", { inode: 1, name: "user.x" }, { value: "2" })
    const result = check(new FileModel(), history.observations)
    if (result._tag !== "Violation") throw new Error(result._tag)
    expect(result.prefix.map(({ operation }) => operation)).toEqual(["setXattr"])
    expect(result.stuck.map(({ operation }) => operation)).toEqual(["getXattr"])
    expect(result.unused.map(({ operation }) => operation)).toEqual(["removeXattr"])
    expect(report(result)).toContain(`getXattr(inode=1 name="user.x") -> (value="2")`)
    expect(report(result)).toContain(`attributes {"user.x":1}`)
  })

  it("never calls a history right that it gave up on", () => {
    const history = new Telling()
    for (let count = 0; count < 9; count++) {
      history.loses(1, "setXattr", { inode: 1, name: `user.${count}`, value: "v", mode: "either" })
    }
    history.does(2, "listXattrs", { inode: 1 }, { names: ["user.x"] })
    const result = check(new FileModel(), history.observations, { stepsMax: 50 })
    if (result._tag !== "Exhausted") throw new Error(result._tag)
    expect(result.suspicion?.stuck.map(({ operation }) => operation)).toEqual(["listXattrs"])
    expect(report(result)).toMatch(/^given up after 5\d steps for 10 operations. If at most 1 undecided/)
  })

  it("refuses histories that cannot be", () => {
    const [observation] = new Telling().does(1, "getXattr", { inode: 1, name: "user.x" }, "ENODATA").observations
    if (observation === undefined) throw new Error("no observation")
    expect(() => check(new FileModel(), [{ ...observation, ended: undefined }])).toThrow("no end")
    expect(() => check(new FileModel(), [{ ...observation, ended: 0 }])).toThrow("ends before it began")
  })
})
