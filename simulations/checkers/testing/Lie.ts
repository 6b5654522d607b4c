/**
 * Makes a right history wrong, most likely: one outcome is not the one that there was. For tests of the checkers.
 */
import { Errno } from "#domain/Errno.ts"
import type { Dice } from "#domain/testing/Dice.ts"
import { isDecided, type Observation } from "#simulations/history/History.ts"

/** The history with one outcome changed that `isChecked`; undefined if it has none. */
export const lie = (
  dice: Dice,
  history: ReadonlyArray<Observation>,
  isChecked: (observation: Observation) => boolean
): ReadonlyArray<Observation> | undefined => {
  const places = history.flatMap((
    observation,
    index
  ) => (isDecided(observation) && isChecked(observation) ? index : []))
  if (places.length === 0) return undefined
  const place = dice.of(places)
  const observation = history[place] as Observation
  return history.with(place, { ...observation, outcome: falseOutcome(dice, observation) } as Observation)
}

const falseOutcome = (dice: Dice, { operation, outcome }: Observation): { readonly errno: number } => {
  const errno = outcome?.errno ?? 0
  if (errno === 0) {
    const reply = dice.chance(60) ? falseReply(dice, outcome?.reply) : undefined
    return reply === undefined ? { errno: falseErrno(dice, operation) } : { errno, ...reply }
  }
  // A refusal that was a success needs a reply, which only some have none of.
  if (withoutReply.has(operation) && dice.chance(50)) return { errno: 0 }
  return { errno: dice.of([Errno.EEXIST, Errno.ENOENT, Errno.ENOTEMPTY].filter((other) => other !== errno)) }
}

const withoutReply: ReadonlySet<string> = new Set([
  "unlink",
  "removeDirectory",
  "rename",
  "setXattr",
  "removeXattr",
  "lock"
])

const falseErrno = (dice: Dice, operation: Observation["operation"]): number => {
  if (operation === "lock") return dice.of([Errno.EAGAIN, Errno.EINVAL])
  return dice.of([Errno.ENOENT, Errno.EEXIST, Errno.ENOTEMPTY, Errno.EISDIR, Errno.EBADF, Errno.ENODATA])
}

/** The reply with one number, text or list changed that means something to a model. */
const falseReply = (dice: Dice, reply: unknown): { readonly reply: unknown } | undefined => {
  if (typeof reply !== "object" || reply === null) return undefined
  const fields = Object.entries(reply).flatMap(([field, value]) => {
    const changed = falseField(dice, field, value)
    return changed === undefined ? [] : [[field, changed] as const]
  })
  if (fields.length === 0) return undefined
  const [field, value] = dice.of(fields)
  return { reply: { ...reply, [field]: value } }
}

const falseField = (dice: Dice, field: string, value: unknown): unknown => {
  switch (field) {
    case "attributes": {
      const attributes = value as { readonly [name: string]: number } | undefined
      if (attributes === undefined) return undefined
      const changed = dice.of(["inode", "mode"])
      return { ...attributes, [changed]: (attributes[changed] ?? 0) + (changed === "mode" ? 0o50000 : 1_000_000) }
    }
    case "entries":
    case "extents":
    case "names": {
      const list = value as ReadonlyArray<unknown>
      return list.length === 0 ? undefined : list.toSpliced(dice.below(list.length), 1)
    }
    case "size":
      return (value as number) + 1
    case "value":
      return `${value as string}!`
    case "conflict":
      return value === undefined ? { type: "write", start: 0, end: 9, pid: 9 } : undefined
    default:
      return undefined
  }
}
