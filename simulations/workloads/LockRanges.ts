/** Byte ranges and whole files are locked, waited for, held for a while and released, by several clients. */
import type { RequestOf } from "#domain/Operations.ts"
import type { Hands, Workload } from "#simulations/workloads/Hands.ts"
import { create } from "#simulations/workloads/Namespace.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

const RANGE = 12
const HOLD_MILLIS_MAX = 400

export const lockRanges: Workload = (hands) => {
  const { dice, known } = hands
  const [inode] = known.files
  if (inode === undefined) return create(hands, dice.of(known.directories), "locked", false)
  return holdOne(hands, dice.of(known.files.slice(0, 2)))
}

const holdOne = (hands: Hands, inode: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { call, dice } = hands
    const wanted = lockOf(hands, inode)
    if (dice.chance(20)) {
      const { pid: _, wait: __, ...test } = wanted
      yield* call("testLock", test)
    }
    const granted = yield* hands.lock(wanted)
    if (!granted) return
    yield* Effect.sleep(Duration.millis(dice.below(HOLD_MILLIS_MAX)))
    // One more of the same kind while it has the first: wider, narrower, or to write what it reads.
    const more = { ...lockOf(hands, inode), family: wanted.family, owner: wanted.owner }
    const second = wanted.family === "flock" ? { ...more, start: wanted.start, end: wanted.end } : more
    const both = dice.chance(30) && (yield* hands.lock(second))
    if (both) {
      yield* call("unlock", { inode, family: second.family, owner: second.owner, start: second.start, end: second.end })
    }
    const { end, family, owner, start } = wanted
    yield* call("unlock", { inode, family, owner, start, end })
  })

const lockOf = ({ dice }: Hands, inode: number): RequestOf<"lock"> => {
  const whole = dice.chance(30)
  const start = whole ? 0 : dice.below(RANGE)
  return {
    inode,
    family: whole ? "flock" : "posix",
    owner: 1 + dice.below(2),
    start,
    end: whole ? Number.MAX_SAFE_INTEGER : start + dice.below(RANGE),
    type: dice.chance(60) ? "write" : "read",
    pid: 1,
    wait: dice.chance(60)
  }
}
