import { describe, it } from "@effect/vitest"
import { execFileSync, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterEach, beforeEach, expect } from "vitest"

import * as Posix from "#native/Posix.ts"

const posix = Posix.load()!
const isRoot = process.geteuid?.() === 0
const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_WRONLY, S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, S_IFSOCK } = fs.constants
const KIB = 1024
const ORDINARY: Posix.User = { uid: 65_001, gid: 65_002, groups: [65_003, 65_004] }

let directory: string
let stat: Float64Array

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "posix-"))
  fs.chmodSync(directory, 0o777)
  stat = Posix.makeStat()
})
afterEach(() => {
  fs.rmSync(directory, { recursive: true })
})

/** A path in the temporary directory. */
const at = (name: string | Buffer): Buffer => Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name)])

const file = (name: string | Buffer, contents = ""): Buffer => {
  fs.writeFileSync(at(name), contents)
  return at(name)
}

const modeOf = (target: Buffer): number => {
  posix.lstat(target, stat)
  return stat[Posix.Stat.mode]!
}

const failure = (run: () => unknown): Posix.PosixError => {
  try {
    run()
  } catch (error) {
    if (error instanceof Posix.PosixError) return error
    throw error
  }
  throw new Error("it succeeded")
}

const built = posix === undefined ? "not built: run native/build.sh" : "built"

describe.skipIf(posix === undefined)(`the native calls (${built})`, () => {
  it("loads once and gives the same object again", () => {
    expect(Posix.load()).toBe(posix)
  })

  it("stats without rounding, into the caller's array", () => {
    const target = file("a", "hello")
    posix.utimensat(target, 1_234_567_890, 123_456_789, 987_654_321, 987_654_321, true)
    expect(posix.lstat(target, stat)).toBe(0)
    const expected = fs.lstatSync(target, { bigint: true })
    const exact = new BigInt64Array(stat.length)
    posix.lstat(target, exact)
    for (const name of ["mode", "uid", "gid", "nlink", "size", "rdev", "dev", "ino", "blocks"] as const) {
      expect([name, exact[Posix.Stat[name]]]).toEqual([name, expected[name]])
      expect([name, stat[Posix.Stat[name]]]).toEqual([name, Number(expected[name])])
    }
    expect(stat[Posix.Stat.atimeSeconds]).toBe(1_234_567_890)
    expect(stat[Posix.Stat.atimeNanos]).toBe(123_456_789)
    expect(stat[Posix.Stat.mtimeSeconds]).toBe(987_654_321)
    expect(stat[Posix.Stat.mtimeNanos]).toBe(987_654_321)
    const ctime = exact[Posix.Stat.ctimeSeconds]! * 1_000_000_000n + exact[Posix.Stat.ctimeNanos]!
    expect(ctime).toBe(expected.ctimeNs)
  })

  it("stats an open file that has no name any more", () => {
    const target = file("a", "hello")
    const fd = posix.open(target, O_RDONLY, 0)
    posix.unlink(target)
    posix.fstat(fd, stat)
    expect([stat[Posix.Stat.nlink], stat[Posix.Stat.size]]).toEqual([0, 5])
    posix.close(fd)
  })

  it("sets the present moment, and leaves a time that is to be left", () => {
    const target = file("a")
    posix.utimensat(target, 1, 2, 3, 4, true)
    const before = Math.floor(Date.now() / 1000) - 1
    posix.utimensat(target, 0, Posix.UTIME_NOW, 0, Posix.UTIME_OMIT, true)
    posix.lstat(target, stat)
    expect(stat[Posix.Stat.atimeSeconds]).toBeGreaterThanOrEqual(before)
    expect([stat[Posix.Stat.mtimeSeconds], stat[Posix.Stat.mtimeNanos]]).toEqual([3, 4])
  })

  it("sets the times of a symbolic link or of what it points to", () => {
    const target = file("a")
    posix.symlink(Buffer.from("a"), at("link"))
    posix.utimensat(at("link"), 1, 0, 2, 0, true)
    posix.utimensat(at("link"), 3, 0, 4, 0, false)
    posix.lstat(at("link"), stat)
    expect(stat[Posix.Stat.mtimeSeconds]).toBe(2)
    posix.lstat(target, stat)
    expect(stat[Posix.Stat.mtimeSeconds]).toBe(4)
  })

  it("takes any bytes as a name and gives them back", () => {
    const name = Buffer.from([0xff, 0xfe, 0x0a, 0x80, 0xc3])
    posix.mkdir(at(name), 0o755)
    const { names, types } = posix.scandir(Buffer.from(directory))
    expect(names).toEqual([name])
    expect([...types]).toEqual([4])
    posix.rename(at(name), at("plain"), 0)
    expect(fs.readdirSync(directory)).toEqual(["plain"])
  })

  it("lists a directory that takes many reads, with types", () => {
    for (let i = 0; i < 3000; i++) fs.writeFileSync(at(`file-${i}-${"x".repeat(40)}`), "")
    posix.symlink(Buffer.from("nowhere"), at("link"))
    const { names, types } = posix.scandir(Buffer.from(directory))
    expect(new Set(names.map(String)).size).toBe(3001)
    const link = names.findIndex((name) => name.toString() === "link")
    expect(types[link]).toBe(10)
    expect(types.filter((type) => type === 8).length).toBe(3000)
  })

  it("lists an empty directory as empty", () => {
    expect(posix.scandir(Buffer.from(directory)).names).toEqual([])
  })

  it("changes modes", () => {
    const target = file("a")
    posix.chmod(target, 0o4751)
    expect(modeOf(target) & 0o7777).toBe(0o4751)
  })

  it("makes fifos and sockets", () => {
    posix.mknod(at("fifo"), S_IFIFO | 0o600, 0)
    posix.mknod(at("socket"), S_IFSOCK | 0o600, 0)
    expect(modeOf(at("fifo")) & S_IFMT).toBe(S_IFIFO)
    expect(modeOf(at("socket")) & S_IFMT).toBe(S_IFSOCK)
  })

  it.skipIf(!isRoot)("makes devices, with large numbers too (needs root)", () => {
    const large = (0x123 << 8) | 0x45 | (0x67800 << 12)
    posix.mknod(at("null"), S_IFCHR | 0o600, 0x103)
    posix.mknod(at("disk"), S_IFBLK | 0o600, large)
    posix.lstat(at("disk"), stat)
    expect(stat[Posix.Stat.rdev]).toBe(large)
    expect(modeOf(at("disk")) & S_IFMT).toBe(S_IFBLK)
    expect(modeOf(at("null")) & S_IFMT).toBe(S_IFCHR)
  })

  it("makes and reads symbolic links of any bytes", () => {
    const target = Buffer.from([0x2f, 0xff, 0x00 + 1, 0xe4])
    posix.symlink(target, at("link"))
    expect(posix.readlink(at("link"))).toEqual(target)
    expect(failure(() => posix.readlink(file("a"))).code).toBe("EINVAL")
  })

  it("links a symbolic link itself", () => {
    posix.symlink(Buffer.from("nowhere"), at("link"))
    posix.link(at("link"), at("second"))
    posix.lstat(at("second"), stat)
    expect(stat[Posix.Stat.nlink]).toBe(2)
  })

  it("renames without replacing, and exchanges", () => {
    file("a", "A")
    file("b", "B")
    expect(failure(() => posix.rename(at("a"), at("b"), Posix.RENAME_NOREPLACE)).code).toBe("EEXIST")
    posix.rename(at("a"), at("b"), Posix.RENAME_EXCHANGE)
    expect(fs.readFileSync(at("a"), "utf8") + fs.readFileSync(at("b"), "utf8")).toBe("BA")
  })

  it("removes files and directories, each with its own call", () => {
    posix.mkdir(at("dir"), 0o700)
    file("a")
    expect(failure(() => posix.unlink(at("dir"))).code).toBe("EISDIR")
    expect(failure(() => posix.rmdir(at("a"))).code).toBe("ENOTDIR")
    posix.rmdir(at("dir"))
    posix.unlink(at("a"))
    expect(fs.readdirSync(directory)).toEqual([])
  })

  it("opens, writes, reads and cuts", () => {
    const fd = posix.open(at("a"), O_RDWR | O_CREAT | O_EXCL, 0o640)
    expect(posix.pwrite(fd, Buffer.from("hello"), 3)).toBe(5)
    const into = Buffer.alloc(16, 0xff)
    expect(posix.pread(fd, into, 2)).toBe(6)
    expect(into.subarray(0, 6).toString()).toBe("\0hello")
    posix.ftruncate(fd, 4)
    posix.fstat(fd, stat)
    expect(stat[Posix.Stat.size]).toBe(4)
    posix.truncate(at("a"), 2 ** 33)
    posix.fstat(fd, stat)
    expect(stat[Posix.Stat.size]).toBe(2 ** 33)
    posix.close(fd)
    expect(failure(() => posix.close(fd)).code).toBe("EBADF")
  })

  it("finds the data and holes that it makes", () => {
    const fd = posix.open(at("a"), O_RDWR | O_CREAT, 0o600)
    posix.pwrite(fd, Buffer.alloc(64 * KIB, 1), 0)
    posix.fallocate(fd, 3, 16 * KIB, 16 * KIB)
    expect(posix.lseek(fd, 0, Posix.SEEK_HOLE)).toBe(16 * KIB)
    expect(posix.lseek(fd, 16 * KIB, Posix.SEEK_DATA)).toBe(32 * KIB)
    expect(failure(() => posix.lseek(fd, 64 * KIB, Posix.SEEK_DATA)).code).toBe("ENXIO")
    posix.close(fd)
  })

  it("copies a range within the kernel", () => {
    const from = posix.open(file("a", "0123456789"), O_RDONLY, 0)
    const to = posix.open(at("b"), O_WRONLY | O_CREAT, 0o600)
    expect(posix.copyFileRange(from, 4, to, 1, 100)).toBe(6)
    posix.close(from)
    posix.close(to)
    expect(fs.readFileSync(at("b"), "latin1")).toBe("\x00456789")
  })

  it("sets, reads, lists and removes extended attributes", () => {
    const target = file("a")
    const name = Buffer.from("user.\xff", "latin1")
    const value = Buffer.from([0, 1, 255])
    expect(posix.llistxattr(target)).toEqual([])
    posix.lsetxattr(target, name, value, Posix.XATTR_CREATE)
    expect(failure(() => posix.lsetxattr(target, name, value, Posix.XATTR_CREATE)).code).toBe("EEXIST")
    expect(posix.lgetxattr(target, name)).toEqual(value)
    posix.lsetxattr(target, name, Buffer.alloc(0), Posix.XATTR_REPLACE)
    expect(posix.lgetxattr(target, name)).toEqual(Buffer.alloc(0))
    expect(posix.llistxattr(target)).toEqual([name])
    posix.lremovexattr(target, name)
    expect(failure(() => posix.lgetxattr(target, name)).code).toBe("ENODATA")
  })

  it("tells what may be accessed", () => {
    const target = file("a")
    posix.chmod(target, 0o600)
    expect(posix.access(target, 6)).toBe(0)
    expect(failure(() => posix.access(target, 1)).code).toBe("EACCES")
  })

  it("tells what file system it is on", () => {
    const info = posix.statfs(Buffer.from(directory))
    const expected = fs.statfsSync(directory)
    expect([info.type, info.blockBytes, info.blocks]).toEqual([expected.type, expected.bsize, expected.blocks])
    expect(info.blocksAvailable).toBeLessThanOrEqual(info.blocks)
  })

  it("sets the umask and gives the one before", () => {
    expect([0, 1]).toContain(posix.trimMemory())
    const before = posix.setUmask(0o077)
    try {
      posix.mkdir(at("dir"), 0o777)
      expect(modeOf(at("dir")) & 0o777).toBe(0o700)
    } finally {
      expect(posix.setUmask(before)).toBe(0o077)
    }
  })

  it("throws an error that says what failed, where and why", () => {
    const error = failure(() => posix.rename(at("missing"), at("b"), 0))
    expect([error.code, error.errno, error.syscall]).toEqual(["ENOENT", 2, "rename"])
    expect(error.message).toBe(`rename ${directory}/missing ${directory}/b: no such file or directory (ENOENT)`)
  })

  it("answers -errno where the caller prefers numbers", () => {
    expect(posix.calls.lstat(at("missing"), stat)).toBe(-os.constants.errno.ENOENT)
    expect(posix.calls.readlink(at("missing"))).toBe(-os.constants.errno.ENOENT)
    expect(posix.calls.scandir(file("a"))).toBe(-os.constants.errno.ENOTDIR)
  })

  it("refuses a path with a zero byte, and one that is too long, before it acts", () => {
    file("a")
    expect(failure(() => posix.unlink(at("a\0b"))).code).toBe("EINVAL")
    expect(failure(() => posix.mkdir(Buffer.alloc(4096, "x"), 0o700)).code).toBe("ENAMETOOLONG")
    expect(failure(() => posix.mkdir(Buffer.alloc(4095, "x"), 0o700)).code).toBe("ENAMETOOLONG")
    expect(fs.readdirSync(directory)).toEqual(["a"])
  })

  it("throws a TypeError for an argument of the wrong type", () => {
    const text = "text" as unknown as Uint8Array
    expect(() => posix.unlink(text)).toThrow(new TypeError("argument 1 must be a Uint8Array"))
    expect(() => posix.readlink(text)).toThrow(TypeError)
    expect(() => posix.chmod(at("a"), "1" as unknown as number)).toThrow("argument 2 must be a number")
    expect(() => posix.lstat(at("a"), new Float64Array(3))).toThrow("argument 2 must be a Float64Array")
  })
})

describe.skipIf(posix === undefined || !isRoot)(`another identity (${built}, ${isRoot ? "" : "not "}root)`, () => {
  it("decides rights and owners, and is given back", () => {
    const secret = file("secret")
    posix.chmod(secret, 0o600)
    const answer = posix.asUser(ORDINARY, () => {
      expect([process.geteuid!(), process.getegid!()]).toEqual([ORDINARY.uid, ORDINARY.gid])
      expect(failure(() => posix.open(secret, O_RDONLY, 0)).code).toBe("EACCES")
      expect(failure(() => posix.access(secret, 4)).code).toBe("EACCES")
      expect(failure(() => posix.lchown(secret, ORDINARY.uid, Posix.UNCHANGED)).code).toBe("EPERM")
      posix.mkdir(at("mine"), 0o700)
      posix.lchown(at("mine"), Posix.UNCHANGED, 65_004)
      return "done"
    })
    expect(answer).toBe("done")
    expect([process.geteuid!(), process.getegid!()]).toEqual([0, 0])
    posix.lstat(at("mine"), stat)
    expect([stat[Posix.Stat.uid], stat[Posix.Stat.gid]]).toEqual([ORDINARY.uid, 65_004])
    posix.lchown(secret, ORDINARY.uid, ORDINARY.gid)
    posix.lstat(secret, stat)
    expect([stat[Posix.Stat.uid], stat[Posix.Stat.gid]]).toEqual([ORDINARY.uid, ORDINARY.gid])
  })

  it("is given back when the function throws, with all rights and groups", () => {
    const groups = process.getgroups!()
    expect(() =>
      posix.asUser(ORDINARY, () => {
        throw new Error("mine")
      })
    ).toThrow("mine")
    expect(process.geteuid!()).toBe(0)
    expect(process.getgroups!()).toEqual(groups)
    posix.mknod(at("null"), S_IFCHR | 0o600, 0x103)
  })

  it("cannot be changed further by who has no right to, and stays as it was", () => {
    const inner = posix.asUser(ORDINARY, () => {
      const error = failure(() => posix.asUser({ uid: 0, gid: 0, groups: [] }, () => undefined))
      return [error.code, process.geteuid!()]
    })
    expect(inner).toEqual(["EPERM", ORDINARY.uid])
    expect(process.geteuid!()).toBe(0)
  })

  it("belongs to the calling thread alone: work of other threads keeps its own", async () => {
    fs.chmodSync(directory, 0o755)
    const written = posix.asUser(ORDINARY, () => fs.promises.writeFile(at("by-pool"), "x"))
    await written
    posix.lstat(at("by-pool"), stat)
    expect(stat[Posix.Stat.uid]).toBe(0)
  })

  it("runs the function once, with what it gives", () => {
    let runs = 0
    expect(posix.asUser({ uid: 0, gid: 0, groups: [] }, () => ++runs)).toBe(1)
    expect(posix.asUser(ORDINARY, () => undefined)).toBe(undefined)
    expect(runs).toBe(1)
  })
})

describe("native/build.sh", () => {
  const tools = ["dirname", "find", "uname", "mkdir", "mv", "rm", "touch", "cat"]
  const locate = (tool: string): string =>
    execFileSync("/bin/sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).trim()

  /** A copy of the sources with a compiler that only takes note of being called; none if undefined. */
  const prepare = (compiler: string | undefined): void => {
    for (const folder of ["native", "bin"]) fs.mkdirSync(at(folder))
    for (const name of ["build.sh", "posix.cc"]) {
      fs.copyFileSync(path.join(import.meta.dirname, name), at(`native/${name}`))
    }
    fs.symlinkSync(path.join(import.meta.dirname, "../node_modules"), at("node_modules"))
    for (const tool of tools) fs.symlinkSync(locate(tool), at(`bin/${tool}`))
    if (compiler !== undefined) fs.writeFileSync(at("bin/g++"), `#!/bin/sh\n${compiler}`, { mode: 0o755 })
  }
  const build = (): { readonly status: number | null; readonly said: string } => {
    const { status, stderr, stdout } = spawnSync("/bin/sh", [`${directory}/native/build.sh`], {
      encoding: "utf8",
      env: { PATH: `${directory}/bin` }
    })
    return { status, said: stdout + stderr }
  }
  const compiles = `while [ "$1" != -o ]; do shift; done; touch "$2"; echo x >> "$(dirname "$0")/../calls"\n`
  const calls = (): number => fs.readFileSync(at("calls"), "utf8").length / 2

  it("succeeds with one line when there is no compiler", () => {
    prepare(undefined)
    const { said, status } = build()
    expect(status).toBe(0)
    expect(said).toMatch(/^native\/build.sh: no g\+\+; native parts are optional: apt-get install g\+\+ [^\n]*\n$/)
    expect(fs.existsSync(at("native/build"))).toBe(false)
  })

  it("compiles quietly, and again only when the source is newer", () => {
    prepare(compiles)
    expect([build(), build()]).toEqual([{ status: 0, said: "" }, { status: 0, said: "" }])
    expect(fs.readdirSync(at("native/build"))).toEqual(["posix.node"])
    expect(calls()).toBe(1)
    fs.utimesSync(at("native/build/posix.node"), 1, 1)
    build()
    expect(calls()).toBe(2)
  })

  it("fails as the compiler does, and leaves nothing half done", () => {
    prepare("echo broken >&2; exit 1\n")
    expect(build()).toEqual({ status: 1, said: "broken\n" })
    expect(fs.readdirSync(at("native/build"))).toEqual([])
  })
})
