/** Modes, owners, sizes and extended attributes of files that several clients change. */
import { unset } from "#domain/testing/Steps.ts"
import type { Hands, Workload } from "#simulations/workloads/Hands.ts"
import { namespace } from "#simulations/workloads/Namespace.ts"
import * as Effect from "effect/Effect"

const XATTRS = ["user.color", "user.taste"]

export const attributes: Workload = (hands) => {
  const { dice, known } = hands
  if (known.files.length === 0) return namespace(hands)
  return Effect.asVoid(change(hands, dice.of(known.files)))
}

const change = ({ call, dice }: Hands, inode: number): Effect.Effect<unknown> => {
  const name = dice.of(XATTRS)
  switch (dice.below(9)) {
    case 0:
      return call("setAttributes", { ...unset, inode, mode: 0o600 + dice.below(0o100) })
    case 1:
      return call("setAttributes", { ...unset, inode, uid: dice.below(3), gid: dice.below(3) })
    case 2:
      return call("setAttributes", { ...unset, inode, size: dice.below(20_000) })
    case 3:
    case 4:
      return call("setXattr", {
        inode,
        name,
        value: `${dice.below(1000)}`,
        mode: dice.of(["either", "create", "replace"] as const)
      })
    case 5:
      return call("removeXattr", { inode, name })
    case 6:
      return call("getXattr", { inode, name })
    default:
      return call("getAttributes", { inode })
  }
}
