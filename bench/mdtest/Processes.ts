/** What processes use, themselves and all their children, as Linux tells in /proc. */
import * as Fs from "node:fs"

/** Ticks a second of `/proc/PID/stat`: Linux fixes it for programs, whatever the kernel's own. */
const TICKS = 100
const KIB = 1024

/** CPU of a process and all below it; 0 for one that is gone. */
export const cpuSeconds = (pid: number): number => treeOf(pid).reduce((sum, one) => sum + ticksOf(one), 0) / TICKS

/** The most bytes that a process held at a time; 0 for one that is gone. */
export const peakBytes = (pid: number): number => KIB * field(read(`/proc/${pid}/status`), "VmHWM")

/** Bytes that a process holds now; 0 for one that is gone. */
export const heldBytes = (pid: number): number => KIB * field(read(`/proc/${pid}/status`), "VmRSS")

/** Bytes that a process and all below it hold now, what they share counted once. */
export const treeBytes = (pid: number): number =>
  KIB * treeOf(pid).reduce((sum, one) => sum + field(read(`/proc/${one}/smaps_rollup`), "Pss"), 0)

const treeOf = (pid: number): ReadonlyArray<number> => {
  const found = [pid]
  for (let at = 0; at < found.length; at++) {
    const one = found[at] as number
    for (const child of read(`/proc/${one}/task/${one}/children`).split(" ")) {
      if (child !== "") found.push(Number(child))
    }
  }
  return found
}

/** User and system time of its own, and of its children that are gone. */
const ticksOf = (pid: number): number => {
  const text = read(`/proc/${pid}/stat`)
  // The name may hold anything; what follows its bracket does not.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15).map(Number)
  return user + system + childrenUser + childrenSystem
}

const field = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+([0-9]+)`, "m").exec(text)?.[1] ?? 0)

const read = (file: string): string => {
  try {
    return Fs.readFileSync(file, "utf8")
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === "ENOENT" || code === "ESRCH") return ""
    throw cause
  }
}
