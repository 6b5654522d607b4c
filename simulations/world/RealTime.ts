/**
 * Keeps real time and real chance out of a run: whoever asks the machine for a timer while the world runs has found
 * a leak. Chance comes from the seed. An interval is let pass and does nothing, because Effect's `never` keeps
 * processes alive with one.
 */
import { Dice } from "#domain/testing/Dice.ts"

export const withoutRealTime = <A>(seed: number, run: () => A): A => {
  const { setImmediate, setInterval, setTimeout } = globalThis
  const { random } = Math
  const dice = new Dice(seed)
  const refuse = (): never => {
    throw new Error("something asked for a timer of the machine while the world ran")
  }
  Object.assign(globalThis, { setTimeout: refuse, setImmediate: refuse, setInterval: () => undefined })
  Math.random = () => dice.below(FRACTIONS) / FRACTIONS
  try {
    return run()
  } finally {
    Object.assign(globalThis, { setTimeout, setImmediate, setInterval })
    Math.random = random
  }
}

const FRACTIONS = 2 ** 32
