import * as DataFolder from "#runners/DataFolder.ts"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, expect } from "vitest"

const REPOSITORY = dirname(import.meta.dirname)

let root = ""
beforeEach(() => {
  root = Fs.mkdtempSync(join(tmpdir(), "cadastre-folder-"))
})
afterEach(() => Fs.rmSync(root, { recursive: true, force: true }))

/** A hold whose end is in the test's hands. */
const hold = (path: string) =>
  Effect.gen(function*() {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const folder = yield* Scope.extend(DataFolder.hold(path), scope)
    return { folder, end: Scope.close(scope, Exit.void) }
  })

const refusal = (path: string) => Effect.map(Effect.flip(DataFolder.hold(path)), ({ message }) => message)

const ENDPOINT = { host: "fs.example", port: 7070, pid: 4321 }

describe("a data folder", () => {
  it.scoped("is made with all above it, and says where its parts lie", () =>
    Effect.gen(function*() {
      const path = join(root, "a/b c")
      const folder = yield* DataFolder.hold(path)
      expect(folder).toEqual(DataFolder.at(path))
      expect(Fs.statSync(path).isDirectory()).toBe(true)
      for (const part of [folder.postgres, folder.blocks, folder.secretFile, folder.endpointFile, folder.logFile]) {
        expect(dirname(part)).toBe(path)
      }
    }))

  it("is named by its absolute path", () => {
    expect(DataFolder.at("some/where/../folder/").path).toBe(join(process.cwd(), "some/folder"))
  })

  it.scoped("is held by one: another is refused and told who holds it and how to stop him", () =>
    Effect.gen(function*() {
      const { folder } = yield* hold(root)
      expect(yield* refusal(root)).toBe(
        `${root}: another process serves this folder already; stop it with: cadastre down --data ${root}`
      )
      DataFolder.writeEndpoint(folder, ENDPOINT)
      expect(yield* refusal(root)).toBe(
        `${root}: process 4321, at fs.example:7070 serves this folder already; ` +
          `stop it with: cadastre down --data ${root}`
      )
    }))

  it.scoped("is held by another though its endpoint cannot be read", () =>
    Effect.gen(function*() {
      const { folder } = yield* hold(root)
      Fs.writeFileSync(folder.endpointFile, "{")
      expect(yield* refusal(root)).toContain("another process serves this folder already")
    }))

  it.scoped("is the same folder by whatever path it is reached", () =>
    Effect.gen(function*() {
      const link = join(root, "link")
      Fs.mkdirSync(join(root, "data"))
      Fs.symlinkSync(join(root, "data"), link)
      yield* hold(join(root, "data"))
      expect(yield* refusal(link)).toContain("serves this folder already")
      yield* hold(join(root, "other"))
    }))

  it.scoped("is free again when its holder's scope closes", () =>
    Effect.gen(function*() {
      const { end } = yield* hold(root)
      yield* refusal(root)
      yield* end
      yield* hold(root)
    }))

  it.scopedLive("is free again when its holder is killed", () =>
    Effect.gen(function*() {
      const script = `
        const DataFolder = await import("#runners/DataFolder.ts")
        const Effect = await import("effect/Effect")
        await Effect.runPromise(Effect.scoped(Effect.flatMap(
          DataFolder.hold(process.argv[1]),
          () => Effect.zipRight(Effect.sync(() => console.log("held")), Effect.never)
        )))`
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, ["--input-type=module", "-e", script, root], {
            cwd: REPOSITORY,
            stdio: ["ignore", "pipe", "inherit"]
          })
        ),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      yield* Effect.promise(() => once(child.stdout, "data"))
      expect(yield* refusal(root)).toContain("serves this folder already")
      child.kill("SIGKILL")
      yield* Effect.promise(() => once(child, "exit"))
      yield* hold(root)
    }))

  it.scoped("that cannot be made is refused with the reason", () =>
    Effect.gen(function*() {
      const file = join(root, "file")
      Fs.writeFileSync(file, "")
      expect(yield* refusal(join(file, "data"))).toBe(
        `${file}/data: ENOTDIR: not a directory, mkdir '${file}/data'`
      )
    }))

  it.scoped("has a secret that is made once, for its owner's eyes alone", () =>
    Effect.gen(function*() {
      const { end, folder } = yield* hold(root)
      expect(Fs.statSync(folder.secretFile).mode & 0o777).toBe(0o600)
      const secret = Redacted.value(DataFolder.readSecret(folder))
      expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/)
      yield* end
      const again = yield* hold(root)
      expect(Redacted.value(DataFolder.readSecret(again.folder))).toBe(secret)
      const other = yield* hold(join(root, "other"))
      expect(Redacted.value(DataFolder.readSecret(other.folder))).not.toBe(secret)
    }))

  it.scoped("has its secret made anew when a power cut left it empty", () =>
    Effect.gen(function*() {
      Fs.writeFileSync(join(root, "secret"), "\n")
      const { folder } = yield* hold(root)
      expect(Redacted.value(DataFolder.readSecret(folder))).toHaveLength(43)
      expect(Fs.statSync(folder.secretFile).mode & 0o777).toBe(0o600)
    }))

  it.scoped("keeps the secret that its owner put there", () =>
    Effect.gen(function*() {
      Fs.writeFileSync(join(root, "secret"), "of my own\n")
      const { folder } = yield* hold(root)
      expect(Redacted.value(DataFolder.readSecret(folder))).toBe("of my own")
    }))
})

describe("the endpoint in a data folder", () => {
  it("is read as it was written, the newest one", () => {
    const folder = DataFolder.at(root)
    expect(DataFolder.readEndpoint(folder)).toBeUndefined()
    DataFolder.writeEndpoint(folder, { host: "::1", port: 1, pid: 2 })
    DataFolder.writeEndpoint(folder, ENDPOINT)
    expect(DataFolder.readEndpoint(folder)).toEqual(ENDPOINT)
    expect(Fs.readdirSync(root)).toEqual(["endpoint.json"])
  })

  it("is none when it lacks a field or has one of another kind", () => {
    const folder = DataFolder.at(root)
    for (const wrong of [{}, [], 5, { ...ENDPOINT, port: "7070" }, { host: "a", port: 1 }, { port: 1, pid: 2 }]) {
      Fs.writeFileSync(folder.endpointFile, JSON.stringify(wrong))
      expect(DataFolder.readEndpoint(folder), `${JSON.stringify(wrong)}`).toBeUndefined()
    }
  })

  it("is none when the file is cut short, empty or something else", () => {
    const folder = DataFolder.at(root)
    for (const text of ["", "{\"host\":\"fs.exa", "null", "\0\0\0\0", "hello"]) {
      Fs.writeFileSync(folder.endpointFile, text)
      expect(DataFolder.readEndpoint(folder), `${JSON.stringify(text)}`).toBeUndefined()
    }
  })
})
