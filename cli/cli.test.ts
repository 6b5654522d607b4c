import * as Program from "#cli/testing/Program.ts"
import * as Posix from "#native/Posix.ts"
import * as Database from "#persistence/Database.ts"
import * as DataFolder from "#runners/DataFolder.ts"
import { temporaryFolder } from "#runners/testing/Cluster.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import { join } from "node:path"
import { describe, expect } from "vitest"

/** Each command starts a program: on a busy machine a dozen of them take long. */
const MINUTES = 120_000
const asRoot = process.getuid?.() === 0

/** A tree with what real ones have: depth, links of both kinds, odd modes, holes, large and empty files, odd names. */
const makeTree = (folder: string, files: number): void => {
  for (let index = 0; index < files; index++) {
    const place = join(folder, `d${index % 7}`, `e${index % 13}`)
    Fs.mkdirSync(place, { recursive: true })
    Fs.writeFileSync(join(place, `file-${index}`), randomBytes(index % 5 === 0 ? 0 : (index * 37) % 5000))
  }
  Fs.writeFileSync(join(folder, "large"), randomBytes(9_000_000))
  Fs.writeFileSync(join(folder, "setuid"), "x", { mode: 0o755 })
  Fs.chmodSync(join(folder, "setuid"), 0o4751)
  Fs.writeFileSync(join(folder, "read-only"), "x", { mode: 0o400 })
  Fs.linkSync(join(folder, "large"), join(folder, "d0", "hard"))
  Fs.symlinkSync("../nowhere", join(folder, "d0", "dangling"))
  Fs.symlinkSync("/etc/passwd", join(folder, "absolute"))
  Fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe, 0x41])]), "bytes")
  Fs.mkdirSync(join(folder, "empty"))
  Fs.chmodSync(join(folder, "empty"), 0o1777)
  const sparse = Fs.openSync(join(folder, "sparse"), "w")
  Fs.writeSync(sparse, Buffer.alloc(4096, 1), 0, 4096, 5_000_000)
  Fs.ftruncateSync(sparse, 20_000_000)
  Fs.closeSync(sparse)
  Fs.writeFileSync(join(folder, "only-hole"), "")
  Fs.truncateSync(join(folder, "only-hole"), 1_000_000)
  if (asRoot) Fs.chownSync(join(folder, "d1"), 1234, 5678)
}

/** Every name with its type, mode, owner, links, size, time, and link target; contents by diff. */
const describeTree = (folder: string): string => {
  const format = "%P %y %m %U %G %n %s %T@ %l\\n"
  const lines = execFileSync("find", [folder, "-mindepth", "1", "-not", "-type", "d", "-printf", format], {
    encoding: "latin1"
  })
  const folders = execFileSync("find", [folder, "-mindepth", "1", "-type", "d", "-printf", "%P %m %U %G %T@\\n"], {
    encoding: "latin1"
  })
  return [...lines.split("\n"), ...folders.split("\n")].sort().join("\n")
}

const expectSameTree = (a: string, b: string): void => {
  expect(describeTree(b)).toBe(describeTree(a))
  execFileSync("diff", ["-r", "--no-dereference", a, b])
}

const ok = (ended: Program.Ended): Program.Ended => {
  if (ended.code !== 0) throw new Error(`exit ${ended.code}: ${ended.stderr}${ended.stdout}`)
  return ended
}

describe.skipIf(Posix.load() === undefined)("a tree", () => {
  it.scopedLive(
    "goes in and comes out as it was: contents, links, modes, owners, times, holes, names",
    () =>
      Effect.gen(function*() {
        const folder = yield* temporaryFolder
        const machine = yield* Program.machine
        makeTree(join(folder, "tree"), 500)
        ok(yield* machine.up())
        ok(yield* machine.run(["put", join(folder, "tree"), "/"]))
        ok(yield* machine.run(["get", "/tree", join(folder, "copy")]))
        expectSameTree(join(folder, "tree"), join(folder, "copy"))
        expect(Fs.statSync(join(folder, "copy", "sparse")).blocks).toBeLessThan(1000)
        expect(Fs.statSync(join(folder, "copy", "only-hole")).blocks).toBeLessThan(16)
        const again = ok(yield* machine.run(["put", join(folder, "tree"), "/", "--json"]))
        expect(JSON.parse(again.stdout)).toMatchObject({ files: 0, failures: 0 })
        ok(yield* machine.run(["cp", "-r", "/tree", "/second"]))
        ok(yield* machine.run(["rm", "-r", "/tree"]))
        ok(yield* machine.run(["get", "/second", join(folder, "second")]))
        execFileSync("diff", ["-r", "--no-dereference", join(folder, "tree"), join(folder, "second")])
        ok(yield* machine.run(["audit", "verify"]))
      }),
    MINUTES
  )

  it.scopedLive.skipIf(!asRoot)(
    "keeps attributes, those of files that nobody may write and capabilities included",
    () =>
      Effect.gen(function*() {
        const folder = yield* temporaryFolder
        const machine = yield* Program.machine
        const tree = join(folder, "tree")
        const { calls } = Posix.load() as Posix.Posix
        Fs.mkdirSync(tree)
        Fs.writeFileSync(join(tree, "file"), "x")
        Fs.chownSync(join(tree, "file"), 1234, 5678)
        const attributes = {
          "security.capability": Buffer.from("0100000200140000000000000000000000000000", "hex"),
          "user.note": Buffer.from("a\0b")
        }
        for (const [name, value] of Object.entries(attributes)) {
          expect(calls.lsetxattr(Buffer.from(join(tree, "file")), Buffer.from(name), value, 0)).toBe(0)
        }
        Fs.chmodSync(join(tree, "file"), 0o511)
        ok(yield* machine.up())
        ok(yield* machine.run(["put", tree, "/"]))
        ok(yield* machine.run(["get", "/tree", join(folder, "copy")]))
        // What is the same already gets its owner again.
        ok(yield* machine.run(["get", "/tree/file", join(folder, "copy")]))
        for (const [name, value] of Object.entries(attributes)) {
          expect(calls.lgetxattr(Buffer.from(join(folder, "copy", "file")), Buffer.from(name))).toEqual(value)
        }
      }),
    MINUTES
  )

  it.scopedLive(
    "survives kill -9 of the server in the middle: the put goes on, nothing is lost or doubled",
    () =>
      Effect.gen(function*() {
        const folder = yield* temporaryFolder
        const machine = yield* Program.machine
        makeTree(join(folder, "tree"), 12_000)
        ok(yield* machine.up())
        const put = yield* machine.begin(["put", join(folder, "tree"), "/"])
        yield* untilFiles(machine, 500)
        expect(put.process.exitCode, "it was over before the server was killed").toBeNull()
        yield* machine.kill
        ok(yield* machine.up())
        ok(yield* put.ended)
        ok(yield* machine.run(["get", "/tree", join(folder, "copy")]))
        expectSameTree(join(folder, "tree"), join(folder, "copy"))
        ok(yield* machine.run(["audit", "verify"]))
      }),
    MINUTES
  )
})

describe("a file system on one machine", () => {
  it.scopedLive("is there again after down and up, with the same identity", () =>
    Effect.gen(function*() {
      const machine = yield* Program.machine
      ok(yield* machine.up(["--zones", "3"]))
      ok(yield* machine.run(["put", "-", "/hello"], { input: "hello" }))
      const before = JSON.parse(ok(yield* machine.run(["info", "--json"])).stdout) as object
      expect(ok(yield* machine.down).stderr).toContain("stopped")
      const gone = yield* machine.run(["ls"])
      expect(gone.code).toBe(2)
      expect(gone.stderr).toContain("cadastre up --data")
      ok(yield* machine.up())
      expect(JSON.parse(ok(yield* machine.run(["info", "--json"])).stdout)).toMatchObject({
        ...before,
        runners: expect.anything() as unknown
      })
      expect(ok(yield* machine.run(["cat", "/hello"])).stdout).toBe("hello")
      const grown = yield* machine.down
      expect(grown.code).toBe(0)
      ok(yield* machine.up(["--zones", "5"]))
      ok(yield* machine.run(["ls", "-d", "/.zones/4"]))
      ok(yield* machine.down)
      const shrunk = yield* machine.up(["--zones", "2"])
      expect(shrunk.code).toBe(1)
      expect(shrunk.stderr).toContain("cannot have 2")
    }), MINUTES)

  it.scopedLive("goes on when there is no room for what it says", () =>
    Effect.gen(function*() {
      const machine = yield* Program.machine
      const server = yield* Program.begin(["up", "--data", machine.data, "--port", "0"], { said: "/dev/full" })
      yield* Effect.promise(() =>
        expect.poll(() => Fs.existsSync(join(machine.data, "endpoint.json")), { timeout: 20_000 }).toBe(true)
      )
      ok(yield* machine.run(["mkdir", "/here"]))
      server.process.kill("SIGTERM")
      expect((yield* server.ended).code).toBe(0)
    }), MINUTES)

  it.scopedLive("lets nobody else serve its folder, and says who does", () =>
    Effect.gen(function*() {
      const machine = yield* Program.machine
      ok(yield* machine.up())
      const second = yield* machine.up()
      expect(second.code).toBe(1)
      const { pid } = DataFolder.readEndpoint(DataFolder.at(machine.data))!
      expect(second.stderr).toContain(`process ${pid}`)
      expect(second.stderr).toContain("cadastre down")
      ok(yield* machine.run(["ls"]))
    }), MINUTES)

  it.scopedLive("exports its log as it shows it, and as Parquet, and takes a retention", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const machine = yield* Program.machine
      ok(yield* machine.up(["--zones", "2", "--journal-retention", "0"]))
      for (const name of ["a", "b"]) ok(yield* machine.run(["mkdir", `/${name}`]))
      const log = ok(yield* machine.run(["audit", "log", "--json", "--zone", "0", "--until", "0s"])).stdout
      ok(yield* machine.run(["mkdir", "/later"]))
      const until = JSON.parse(log.trimEnd().split("\n").at(-1) as string) as { readonly time: string }
      const file = join(folder, "log.jsonl")
      ok(yield* machine.run(["audit", "export", "--zone", "0", "--until", until.time, "--output", file]))
      expect(Fs.readFileSync(file, "utf8")).toBe(log)
      ok(yield* machine.run(["audit", "export", "--format", "parquet", "--output", join(folder, "log.parquet")]))
      expect(Fs.readFileSync(join(folder, "log.parquet")).subarray(0, 4).toString()).toBe("PAR1")
      expect(Fs.readdirSync(folder).sort()).toEqual(["log.jsonl", "log.parquet"])
      const refused = yield* machine.run(["audit", "export", "--output", join(folder, "no", "where")])
      expect(refused.code).toBe(1)
      expect(refused.stderr).toContain("is not written: ENOENT")
      expect((yield* machine.run(["audit", "export", "--format", "xml"])).code).toBe(2)
      expect((yield* machine.run(["up", "--journal-retention", "soon"])).code).toBe(2)
    }), MINUTES)

  it.scopedLive(
    "names the first event whose byte was changed, and keeps that zone closed",
    () =>
      Effect.gen(function*() {
        const machine = yield* Program.machine
        ok(yield* machine.up())
        for (const name of ["a", "b", "c"]) ok(yield* machine.run(["mkdir", `/${name}`]))
        const log = ok(yield* machine.run(["audit", "log", "--path", "/b", "--json"]))
        const { sequence } = JSON.parse(log.stdout) as { readonly sequence: number }
        yield* inDatabase(machine, (database) =>
          database.query(
            "tamper",
            `
          update cadastre.journal set payload = set_byte(payload, length(payload) - 2, get_byte(payload, length(payload) - 2) # 1)
          where zone = 0 and first <= $1 and last >= $1`,
            [sequence]
          ))
        const verdict = yield* machine.run(["audit", "verify", "--zone", "0"])
        expect(verdict.code).toBe(4)
        expect(verdict.stderr).toMatch(/BROKEN at event \d+/)
        const [, named] = /BROKEN at event (\d+)/.exec(verdict.stderr) ?? []
        expect(Math.abs(Number(named) - sequence)).toBeLessThanOrEqual(1)
        yield* machine.kill
        ok(yield* machine.up())
        const closed = yield* machine.run(["ls", "/", "--retry-for", "2"])
        expect(closed.code).not.toBe(0)
        expect(closed.stderr).toContain("is damaged at event")
      }),
    MINUTES
  )

  it.scopedLive("finds a journal row that was cut short", () =>
    Effect.gen(function*() {
      const machine = yield* Program.machine
      ok(yield* machine.up())
      ok(yield* machine.run(["mkdir", "/a"]))
      yield* inDatabase(machine, (database) =>
        database.query(
          "tamper",
          "update cadastre.journal set payload = substr(payload, 1, length(payload) - 3) where zone = 0 and first > 1"
        ))
      const verdict = yield* machine.run(["audit", "verify", "--zone", "0"])
      expect(verdict.code).toBe(4)
      expect(verdict.stderr).toMatch(/BROKEN at event 2:/)
    }), MINUTES)

  it.scopedLive(
    "waits for its database and goes on when that is back, without losing what it acknowledged",
    () =>
      Effect.gen(function*() {
        const machine = yield* Program.machine
        ok(yield* machine.up())
        ok(yield* machine.run(["mkdir", "/before"]))
        const pid = Number(
          Fs.readFileSync(join(machine.data, "postgres", "data", "postmaster.pid"), "utf8").split("\n")[0]
        )
        process.kill(pid, "SIGKILL")
        ok(yield* machine.run(["mkdir", "/during"]))
        expect(ok(yield* machine.run(["ls"])).stdout).toBe("before\nduring\n")
        ok(yield* machine.run(["audit", "verify"]))
      }),
    MINUTES
  )

  it.scopedLive.skipIf(!asRoot)(
    "on a full disk refuses with a clear error and loses nothing",
    () =>
      Effect.gen(function*() {
        const folder = yield* temporaryFolder
        const machine = yield* Program.machine
        ok(yield* machine.up())
        ok(yield* machine.run(["put", "-", "/kept"], { input: "kept" }))
        const blocks = join(machine.data, "blocks")
        ok(yield* machine.down)
        // The blocks' own small file system, so that the test fills nothing else.
        const moved = join(folder, "moved")
        Fs.renameSync(blocks, moved)
        Fs.mkdirSync(blocks)
        execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", blocks])
        yield* Effect.addFinalizer(() => Effect.sync(() => execFileSync("umount", ["-l", blocks])))
        execFileSync("cp", ["-a", `${moved}/.`, blocks])
        ok(yield* machine.up())
        Fs.writeFileSync(join(folder, "big"), randomBytes(16_000_000))
        const full = yield* machine.run(["put", join(folder, "big"), "/"])
        expect(full.code).toBe(1)
        expect(full.stderr).toContain("full")
        expect((yield* machine.run(["stat", "/big"])).code).toBe(1)
        expect(ok(yield* machine.run(["cat", "/kept"])).stdout).toBe("kept")
        ok(yield* machine.down)
      }),
    MINUTES
  )
})

describe("commands", () => {
  it.scopedLive("of two words take options of their own, also where the first word has one of that name", () =>
    Effect.gen(function*() {
      const ended = yield* Program.run(["simulate", "mutants", "--only", "no-such-bug", "--seeds", "3"])
      expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining("no-such-bug")])
    }))

  it.scopedLive("do what their names say, and complain as Unix tools do", () =>
    Effect.gen(function*() {
      const machine = yield* Program.machine
      const folder = yield* temporaryFolder
      ok(yield* machine.up())
      const does = (...args: ReadonlyArray<string>) => Effect.map(machine.run(args), ok)
      const fails = (...args: ReadonlyArray<string>) =>
        Effect.map(machine.run(args), (ended) => {
          expect(ended.code, `${args.join(" ")}: ${ended.stdout}${ended.stderr}`).toBe(1)
          return ended.stderr
        })
      yield* does("mkdir", "-p", "/a/b/c", "-m", "0750")
      expect((yield* does("ls", "-l", "/a/b")).stdout).toMatch(/^drwxr-x--- /)
      expect(yield* fails("mkdir", "/a")).toContain("exists already (EEXIST)")
      expect(yield* fails("mkdir", "/missing/x")).toContain("/missing/x: no such file or directory (ENOENT)")
      yield* Effect.map(machine.run(["put", "-", "/a/file"], { input: "contents" }), ok)
      expect(yield* fails("mkdir", "/a/file/x")).toContain("not a directory (ENOTDIR)")
      expect(yield* fails("touch", `/${"n".repeat(256)}`)).toContain("name too long (ENAMETOOLONG)")
      yield* does("touch", `/${"n".repeat(255)}`)
      yield* does("ln", "/a/file", "/a/hard")
      yield* does("ln", "-s", "file", "/a/soft")
      expect((yield* does("cat", "/a/soft")).stdout).toBe("contents")
      expect((yield* does("cat", "/a/hard", "--offset", "3", "--length", "2")).stdout).toBe("te")
      expect(JSON.parse((yield* does("stat", "/a/file", "--json")).stdout)).toMatchObject({
        links: 2,
        size: 8,
        type: "file"
      })
      yield* does("mv", "/a/file", "/a/b/")
      yield* does("mv", "-n", "/a/b/file", "/moved")
      expect(yield* fails("mv", "-n", "/moved", "/a/hard")).toContain("EEXIST")
      yield* does("mv", "--exchange", "/moved", "/a/soft")
      expect((yield* does("ls", "/a")).stdout).toBe("b\nhard\nsoft\n")
      yield* does("chmod", "u=rw,go=", "/a/hard")
      yield* does("chown", "1000:100", "/a/hard")
      expect((yield* does("ls", "-l", "/a/hard")).stdout).toMatch(/^-rw------- +2 +1000 +100 /)
      yield* does("touch", "--date", "2001-02-03T04:05:06.789Z", "/a/hard")
      expect(JSON.parse((yield* does("stat", "/a/hard", "--json")).stdout)).toMatchObject({
        mtime: "2001-02-03T04:05:06.789000000Z"
      })
      yield* does("cp", "/a/hard", "/copy")
      expect((yield* does("cat", "/copy")).stdout).toBe("contents")
      expect(yield* fails("rm", "/a")).toContain("is a folder")
      expect(yield* fails("rm", "/none")).toContain("ENOENT")
      yield* does("rm", "-f", "/none")
      expect((yield* does("tree", "/a", "--json")).stdout.split("\n").length).toBe(5)
      expect(JSON.parse((yield* does("du", "-s", "/a", "--json")).stdout)).toMatchObject({
        files: 1,
        folders: 2,
        size: 8
      })
      yield* does("rm", "-r", "/a")
      expect(JSON.parse((yield* does("df", "--json")).stdout)).toMatchObject({ inodes: 16 + 3 })
      yield* does("get", "/copy", join(folder, "copy"))
      expect(Fs.readFileSync(join(folder, "copy"), "utf8")).toBe("contents")
      const removed = (yield* does("audit", "log", "--operation", "unlink,rmdir", "--json")).stdout.trim().split("\n")
      expect(removed.map((line) => (JSON.parse(line) as { path: string }).path)).toContain("/a/hard")
      const before = (yield* does("audit", "log", "--operation", "unlink", "--json")).stdout.trim().split("\n")[0]!
      const { sequence } = JSON.parse(before) as { readonly sequence: number }
      expect((yield* does("audit", "replay", "--at", String(sequence - 1), "ls", "/a")).stdout).toContain("hard")
      expect((yield* does("audit", "replay", "--at", String(sequence - 1), "diff", "/", "--json")).stdout).toContain(
        "\"removed\""
      )
      const followed = yield* machine.begin(["audit", "log", "--follow", "--path", "/followed", "--json"])
      yield* does("mkdir", "/followed")
      yield* Effect.promise(() => expect.poll(() => followed.said(), { timeout: 10_000 }).toContain("/followed"))
      followed.process.kill("SIGINT")
      expect((yield* followed.ended).code).toBe(130)
      yield* does("audit", "verify")
    }), MINUTES)

  it.effect("answer usage errors with 2, and say where help is", () =>
    Effect.gen(function*() {
      expect((yield* Program.run(["nonsense"])).code).toBe(2)
      expect((yield* Program.run(["ls", "--nonsense"])).code).toBe(2)
      expect((yield* Program.run(["up", "--zones", "many"])).code).toBe(2)
      const nowhere = yield* Program.run(["ls", "--data", "/nonexistent"])
      expect(nowhere.code).toBe(2)
      expect(nowhere.stderr).toContain("cadastre up --data")
      const secret = yield* Program.run(["ls", "--endpoint", "127.0.0.1:1", "--retry-for", "0"], {
        env: { CADASTRE_SECRET: "x" }
      })
      expect(secret.code).toBe(3)
      const help = yield* Program.run(["put", "--help"])
      expect(help.code).toBe(0)
      expect(help.stdout).toContain("Examples:")
      for (const shell of ["bash", "zsh", "fish"]) expect((yield* Program.run(["completion", shell])).code).toBe(0)
    }), MINUTES)

  it.effect("print a completion script that bash takes", () =>
    Effect.gen(function*() {
      const { stdout } = yield* Program.run(["completion", "bash"])
      const complete = (words: ReadonlyArray<string>): string =>
        execFileSync("bash", [
          "-c",
          `${stdout}
          COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${
            words.length - 1
          }; _cadastre; echo "\${COMPREPLY[*]}"`
        ], { encoding: "utf8" }).trim()
      expect(complete(["cadastre", "aud"])).toBe("audit")
      expect(complete(["cadastre", "audit", "v"])).toBe("verify")
      expect(complete(["cadastre", "put", "--chec"])).toBe("--checksum")
      expect(complete(["cadastre", "audit", "log", "--fol"])).toBe("--follow")
    }), MINUTES)
})

/** Returns once the file system holds so many inodes. */
const untilFiles = (machine: Program.Machine, count: number) =>
  Effect.repeat(
    Effect.map(
      machine.run(["df", "--json"]),
      ({ stdout }) => (JSON.parse(stdout) as { readonly inodes: number }).inodes
    ),
    { until: (inodes) => inodes >= count }
  )

const inDatabase = <A, E>(machine: Program.Machine, use: (database: Database.DatabaseService) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.gen(function*() {
    const postgres = join(machine.data, "postgres")
    const database = yield* Database.make({
      host: postgres,
      port: 5432,
      user: "cadastre",
      password: Redacted.make(Fs.readFileSync(join(postgres, "password"), "utf8").trim()),
      database: "postgres",
      tls: false,
      connectionsMax: 1,
      statementMillisMax: 5000
    })
    return yield* use(database)
  }))

describe("snapshots and restore", () => {
  it.scopedLive("show a folder as it was, tell what it costs, and bring all of it back", () =>
    Effect.gen(function*() {
      const machine = yield* Program.machine
      ok(yield* machine.up(["--history-retention", "30"]))
      const does = (...args: ReadonlyArray<string>) => Effect.map(machine.run(args), (ended) => ok(ended).stdout)
      const fails = (...args: ReadonlyArray<string>) =>
        Effect.map(machine.run(args), (ended) => {
          expect([args, ended.code === 0]).toEqual([args, false])
          return ended.stderr
        })
      const json = <A>(...args: ReadonlyArray<string>) =>
        Effect.map(does(...args, "--json"), (line) => JSON.parse(line) as A)
      const put = (path: string, input: string) => Effect.map(machine.run(["put", "-", path], { input }), ok)
      const facts = (path: string, ...more: ReadonlyArray<string>) =>
        Effect.map(does("ls", "-R", "-a", "--json", path, ...more), (lines) =>
          lines.trim().split("\n").map((line) => {
            const { atime: _, ctime: __, inode: ___, path: at, ...rest } = JSON.parse(line) as {
              readonly [name: string]: unknown
            }
            return { ...rest, path: String(at).slice(String(at).indexOf("e/")) }
          }))
      yield* does("mkdir", "-p", "/d/e/f", "-m", "0750")
      yield* put("/d/e/x", "old contents")
      yield* does("ln", "/d/e/x", "/d/e/f/hard")
      yield* does("ln", "-s", "../x", "/d/e/f/soft")
      yield* does("chmod", "0440", "/d/e/x")
      yield* does("chown", "1000:100", "/d/e/x")
      yield* does("touch", "--date", "2001-02-03T04:05:06.789Z", "/d/e/x")
      const before = yield* facts("/d/e")
      expect(yield* does("snapshot", "create", "/d", "good")).toBe("/d/.snapshots/good\n")
      const sequence = String((yield* json<{ readonly sequence: number }>("snapshot", "list", "/d")).sequence)
      yield* does("rm", "-r", "/d/e/f")
      yield* put("/d/e/x", "new")

      expect(yield* does("cat", "/d/.snapshots/good/e/x")).toBe("old contents")
      expect(yield* does("cat", "/d/e/x", "--at", sequence)).toBe("old contents")
      expect(yield* facts("/d/.snapshots/good/e")).toEqual(before)
      expect(yield* facts("/d/e", "--at", sequence)).toEqual(before)
      const now = yield* json<{ readonly inode: number }>("ls", "-d", "/d/e/x")
      expect(yield* json("stat", "/d/.snapshots/good/e/x")).toMatchObject({ inode: now.inode, zone: 0, size: 12 })
      expect(yield* json("ls", "-d", "/d/.snapshots/good/e/x")).toMatchObject({ inode: now.inode, size: 12 })
      const costs = (...args: ReadonlyArray<string>) =>
        Effect.map(does("snapshot", "cost", "--json", ...args), (lines) =>
          lines.trim().split("\n").map((line) => JSON.parse(line) as { readonly [name: string]: unknown }))
      const sums = { zones: 16, live: 3, shared: 0, history: 0 }
      expect(yield* costs()).toEqual([
        expect.objectContaining({ name: "good", files: 2, bytes: 12, cost: 0 }),
        { ...sums, retentionDays: 30, both: 12, nothing: 0 }
      ])
      expect(yield* costs("--retention", "0")).toEqual([
        expect.objectContaining({ name: "good", files: 2, bytes: 12, cost: 12 }),
        { ...sums, retentionDays: 0, both: 0, nothing: 0 }
      ])
      expect((yield* does("snapshot", "cost", "--zone", "0", "--retention", "0")).split("\n")).toEqual([
        "         3 B  live files",
        "        12 B  snapshot /d/.snapshots/good alone",
        "         0 B  shared by snapshots",
        "         0 B  snapshots and history within its retention (0 days)",
        "         0 B  history within its retention (0 days)",
        "         0 B  nothing needs",
        ""
      ])
      expect(yield* fails("snapshot", "cost", "--zone", "16")).toContain("zones 0 to 15")
      expect(yield* does("snapshot", "list", "/d", "--cost", "--retention", "0"))
        .toMatch(/ {2}0 {2} +\d+ {2} +2 files {2} +12 B {2} +12 B {2}\/d {2}good\n$/)
      expect(yield* fails("rm", "-r", "/d/.snapshots/good/e")).toContain("EROFS")
      expect(yield* does("ls", "-a", "/d")).toBe("e\n")

      expect(yield* fails("restore", "--snapshot", "good", "/d/e")).toContain("is there")
      expect(yield* fails("restore", "--snapshot", "bad", "/d/e")).toContain("has a snapshot bad")
      expect(yield* fails("restore", "/d/e")).toContain("--at TIME or --snapshot")
      expect(yield* json("restore", "--at", sequence, "/d/e", "--dry-run", "--to", "/x"))
        .toEqual({ dryRun: true, path: "/x", files: 3, folders: 2, bytes: 24, aside: false })
      yield* does("restore", "--at", sequence, "/d/e/f", "-q")
      yield* does("restore", "--snapshot", "good", "/d/e", "--overwrite", "-q")
      expect(yield* facts("/d/e")).toEqual(before)
      expect(yield* does("cat", "/d/e/x")).toBe("old contents")
      const { inode } = yield* json<{ readonly inode: number }>("stat", "/d/e/x")
      expect(yield* json("stat", "/d/e/f/hard")).toMatchObject({ inode })
      const [, aside = ""] = (yield* does("ls", "/d")).split("\n")
      expect(aside).toMatch(/^e.before-restore-/)
      expect(yield* does("cat", `/d/${aside}/x`)).toBe("new")

      yield* does("snapshot", "rm", "/d", "good")
      expect(yield* fails("ls", "/d/.snapshots/good")).toContain("ENOENT")
      expect(yield* does("snapshot", "list")).toBe("")
      expect(yield* does("audit", "log", "--operation", "take-snapshot,remove-snapshot")).toMatch(/\/d.*good/)
      yield* does("audit", "verify", "-q")
    }), 180_000)
})
