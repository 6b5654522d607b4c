import { readFileSync } from "node:fs"

/**
 * Bytes of memory that this process holds, once garbage and the room that the collector keeps for more have gone. It
 * must have been started with `--expose-gc`.
 */
export const residentBytes = (): number => {
  if (globalThis.gc === undefined) throw new Error("the process was not started with --expose-gc")
  for (let i = 0; i < 3; i++) globalThis.gc({ type: "major", execution: "sync", flavor: "last-resort" })
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1")) ?? []
  if (kib === undefined) throw new Error("/proc/self/status does not tell VmRSS")
  return Number(kib) * 1024
}
