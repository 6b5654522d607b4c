/**
 * Locks of single bytes beside each other, held for no longer than it takes: what lies between two of them, who waits
 * crosswise for whom, and two that share a file and both want it alone.
 */
import type { RequestOf } from "#domain/Operations.ts"
import type { Hands, Workload } from "#simulations/workloads/Hands.ts"
import { create } from "#simulations/workloads/Namespace.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

const BYTES = 5
const OWNERS = 2
const HOLD_MILLIS_MAX = 30

export const tinyLocks: Workload = (hands) => {
  const { dice, known } = hands
  const [inode] = known.files
  if (inode === undefined) return create(hands, dice.of(known.directories), "locked", false)
  const step = dice.below(10)
  if (step < 4) return look(hands, inode)
  return step < 8 ? holdTwo(hands, inode) : upgrade(hands, inode)
}

const byteOf = ({ dice }: Hands, inode: number, at: number): RequestOf<"lock"> => ({
  inode,
  family: "posix",
  owner: 1 + dice.below(OWNERS),
  start: at,
  end: at,
  type: dice.chance(70) ? "write" : "read",
  pid: 1,
  wait: dice.chance(80)
})

/** Whether a byte is free, by an owner that holds nothing. */
const look = (hands: Hands, inode: number): Effect.Effect<void> => {
  const { pid: _, wait: __, ...test } = byteOf(hands, inode, hands.dice.below(BYTES))
  return Effect.asVoid(hands.call("testLock", { ...test, owner: OWNERS + 1 }))
}

/** One byte, then another one that is not far, in any order; in the end both are free. */
const holdTwo = (hands: Hands, inode: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { call, dice } = hands
    const first = byteOf(hands, inode, dice.below(BYTES))
    if (!(yield* hands.lock(first))) return
    yield* Effect.sleep(Duration.millis(dice.below(HOLD_MILLIS_MAX)))
    const { family, owner, type } = first
    const second = { ...byteOf(hands, inode, dice.below(BYTES)), owner, type }
    yield* hands.lock(second)
    yield* call("unlock", { inode, family, owner, start: 0, end: BYTES })
  })

/** Shares the whole file, then wants it alone. */
const upgrade = (hands: Hands, inode: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { call, dice } = hands
    const whole = { ...byteOf(hands, inode, 0), family: "flock", end: Number.MAX_SAFE_INTEGER, wait: true } as const
    if (yield* hands.lock({ ...whole, type: "read" })) {
      yield* Effect.sleep(Duration.millis(dice.below(HOLD_MILLIS_MAX)))
      yield* hands.lock({ ...whole, type: "write" })
    }
    const { family, owner, start, end } = whole
    yield* call("unlock", { inode, family, owner, start, end })
  })
