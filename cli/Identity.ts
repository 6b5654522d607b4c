/**
 * Users and groups of this machine by name or number.
 */
import * as Fs from "node:fs"

const files = { user: "/etc/passwd", group: "/etc/group" } as const
/** The largest number is no user: it stands for "none" in system calls. */
const ID_MAX = 2 ** 32 - 2

/** The number of a user or group. Throws an Error that says what is wrong. */
export const idOf = (given: string, kind: keyof typeof files): number => {
  if (/^[0-9]+$/.test(given)) {
    if (Number(given) > ID_MAX) throw new Error(`${given} is no ${kind} number`)
    return Number(given)
  }
  for (const line of Fs.readFileSync(files[kind], "utf8").split("\n")) {
    const [name, , id] = line.split(":")
    if (name === given) return Number(id)
  }
  throw new Error(`no ${kind} ${given} on this machine; give the number`)
}
