import * as Child from "#bench/peers/Child.ts"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { existsSync, readFileSync } from "node:fs"
import { describe, expect, vi } from "vitest"

const shell = (script: string, secondsMax: number, onLine?: (line: string) => void) =>
  Child.run("sh", ["-c", script], onLine === undefined ? { secondsMax } : { secondsMax, onLine })

/** Whether it runs: one that ended may stay in the table of processes for a while, as Z. */
const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))

describe("a program that runs to its end", () => {
  it.live("answers what it said", () =>
    Effect.gen(function*() {
      const options = { secondsMax: 30, env: { WHO: "you" } }
      expect(yield* Child.run("sh", ["-c", "echo \"$WHO\"; echo two"], options)).toEqual(["you", "two"])
    }))

  it.live("is an error with its last words when it ends badly", () =>
    Effect.gen(function*() {
      const { message } = yield* Effect.flip(shell("echo 'no room' >&2; exit 3", 30))
      expect(message).toContain("it ended with 3")
      expect(message).toContain("no room")
    }))

  it.live("is an error when it is not there", () =>
    Effect.gen(function*() {
      const { message } = yield* Effect.flip(Child.run("/nowhere/program", [], { secondsMax: 30 }))
      expect(message).toContain("/nowhere/program does not start")
    }))

  it.live("is ended with its children when it takes too long", () =>
    Effect.gen(function*() {
      let pid = 0
      const { message } = yield* Effect.flip(shell("sleep 600 & echo $!; wait", 0.5, (line) => pid = Number(line)))
      expect(message).toContain("not done after 0.5 s")
      expect(pid).toBeGreaterThan(0)
      expect(isAlive(pid)).toBe(false)
    }))

  it.live("is gone when who waits for it is interrupted", () =>
    Effect.gen(function*() {
      const heard = yield* Effect.makeLatch()
      let pid = 0
      const fiber = yield* Effect.fork(shell("echo $$; exec sleep 600", 600, (line) => {
        pid = Number(line)
        heard.unsafeOpen()
      }))
      yield* heard.await
      expect(isAlive(pid)).toBe(true)
      yield* Fiber.interrupt(fiber)
      expect(isAlive(pid)).toBe(false)
    }))
})

describe("a program's environment", () => {
  it.live("has nothing of the caller's Cadastre", () =>
    Effect.gen(function*() {
      vi.stubEnv("CADASTRE_LEASE_SECONDS", "1")
      yield* Effect.addFinalizer(() => Effect.sync(() => vi.unstubAllEnvs()))
      const options = { secondsMax: 30, env: { CADASTRE_ZONES: "3" } }
      const script = "echo \"${CADASTRE_LEASE_SECONDS-none} $CADASTRE_ZONES\""
      expect(yield* Child.run("sh", ["-c", script], options)).toEqual(["none 3"])
    }).pipe(Effect.scoped))
})

describe("a server", () => {
  it.live("is there when it says so, until its scope closes", () =>
    Effect.gen(function*() {
      const ready = (line: string) => line.startsWith("ready ") ? Number(line.slice("ready ".length)) : undefined
      const pid = yield* Effect.scoped(Effect.gen(function*() {
        const script = "echo begins; echo ready $$; exec sleep 600"
        const pid = yield* Child.serve("sh", ["-c", script], { secondsMax: 30, ready })
        expect(isAlive(pid)).toBe(true)
        return pid
      }))
      expect(isAlive(pid)).toBe(false)
    }))

  it.live("that ends before it is ready is an error", () =>
    Effect.gen(function*() {
      const serve = Child.serve("sh", ["-c", "echo 'address in use'"], { secondsMax: 30, ready: () => undefined })
      const { message } = yield* Effect.flip(Effect.scoped(serve))
      expect(message).toContain("before it was ready")
      expect(message).toContain("address in use")
    }))
})
