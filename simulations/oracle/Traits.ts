/**
 * What has to be known of a file system and its kernel to compare with it fairly. It is found out by asking.
 */
import * as Acl from "#domain/Acl.ts"
import * as Mode from "#domain/Mode.ts"
import * as Native from "#native/Posix.ts"
import * as fs from "node:fs"
import * as path from "node:path"

export interface Traits {
  readonly type: "tmpfs" | "ext4"
  /** Mounted so that nothing on it can be run. */
  readonly noexec: boolean
  /** Whether a change always shows in the times, once they were looked at (multigrain timestamps, Linux 6.13). */
  readonly preciseTimes: boolean
  readonly protectedSymlinks: number
  readonly protectedHardlinks: number
  readonly protectedFifos: number
  readonly protectedRegular: number
}

const TYPES: ReadonlyMap<number, Traits["type"]> = new Map([[0x0102_1994, "tmpfs"], [0xef53, "ext4"]])

/** The traits of the file system of an empty directory; text if it cannot serve, and why. */
export const find = (posix: Native.Posix, directory: string): Traits | string => {
  const { type: magic } = posix.statfs(Buffer.from(directory))
  const type = TYPES.get(magic)
  if (type === undefined) return `a file system of type 0x${magic.toString(16)}, not tmpfs or ext4`
  const name = path.join(directory, "probe")
  const file = Buffer.from(name)
  fs.writeFileSync(name, "")
  try {
    const missing = inability(posix, file)
    if (missing !== undefined) return `${type}, where root may not ${missing}`
    return {
      type,
      noexec: isNoexec(posix, file),
      preciseTimes: isPrecise(posix, file),
      protectedSymlinks: setting("protected_symlinks"),
      protectedHardlinks: setting("protected_hardlinks"),
      protectedFifos: setting("protected_fifos"),
      protectedRegular: setting("protected_regular")
    }
  } finally {
    fs.unlinkSync(name)
  }
}

/** What a kernel, a mount or a container withholds, of all that the scripts do. */
const inability = ({ calls }: Native.Posix, file: Buffer): string | undefined => {
  const device = Buffer.concat([file, Buffer.from("-device")])
  if (calls.mknod(device, Mode.S_IFCHR | 0o600, 0x103) < 0) return "make devices"
  calls.unlink(device)
  const acl = Acl.format([
    { tag: Acl.USER_OBJ, permissions: 6, id: 0 },
    { tag: Acl.USER, permissions: 6, id: 1 },
    { tag: Acl.GROUP_OBJ, permissions: 6, id: 0 },
    { tag: Acl.MASK, permissions: 6, id: 0 },
    { tag: Acl.OTHER, permissions: 6, id: 0 }
  ])
  return ["user.probe", "trusted.probe", "security.probe", Acl.ACCESS]
    .filter((name) => calls.lsetxattr(file, Buffer.from(name), Buffer.from(acl, "latin1"), 0) < 0)
    .map((name) => `set the attribute ${name}`)[0]
}

const isNoexec = (posix: Native.Posix, file: Buffer): boolean => {
  posix.chmod(file, 0o700)
  return posix.calls.access(file, 1) < 0
}

/** Far more changes than a coarse clock has ticks in the time that they take. */
const PROBES = 50

const isPrecise = (posix: Native.Posix, file: Buffer): boolean => {
  const stat = Native.makeStat()
  const seen = new Set<string>()
  for (let i = 0; i < PROBES; i++) {
    posix.chmod(file, 0o600)
    posix.lstat(file, stat)
    seen.add(`${stat[Native.Stat.ctimeSeconds]}.${stat[Native.Stat.ctimeNanos]}`)
  }
  return seen.size === PROBES
}

const setting = (name: string): number => Number(fs.readFileSync(`/proc/sys/fs/${name}`, "utf8"))
