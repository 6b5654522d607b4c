import * as Locks from "#domain/Locks.ts"
import type { RequestOf } from "#domain/Operations.ts"
import { type Actor, alice, bob } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { awaited, file, locked } from "#domain/testing/Steps.ts"
import { ask } from "#domain/testing/World.ts"
import { describe, it } from "vitest"

const test = (actor: Actor, fields: Partial<RequestOf<"testLock">> = {}) =>
  ask(actor, "testLock", ({ at }) => ({
    inode: at("/x"),
    family: "posix",
    owner: 7,
    start: 0,
    end: Locks.END,
    type: "write",
    ...fields
  }))

describe("getlk", () => {
  it("tells what is in the way, and whose it is", () => {
    given(file("/x"), locked(alice, "/x", { start: 10, end: 19, type: "read" }))
      .when(test(bob)).answers({ conflict: { type: "read", start: 10, end: 19, pid: 1000 } })
      .when(test(bob, { start: 19, end: 19 })).answers({ conflict: { type: "read", start: 10, end: 19, pid: 1000 } })
  })

  it("finds nothing where a lock could be taken", () => {
    given(file("/x"), locked(alice, "/x", { start: 10, end: 19, type: "read" }))
      .when(test(bob, { type: "read" })).answers({ conflict: undefined })
      .when(test(bob, { end: 9 })).answers({ conflict: undefined })
      .when(test(bob, { family: "flock" })).answers({ conflict: undefined })
      .when(test(alice)).answers({ conflict: undefined })
  })

  it("does not look at who waits", () => {
    given(file("/x"), locked(alice, "/x", { type: "read" }), awaited("bob", bob, "/x"))
      .when(test(bob, { owner: 8, type: "read" })).answers({ conflict: undefined })
  })

  it("tells two owners of one session apart", () => {
    given(file("/x"), locked(alice, "/x"))
      .when(test(alice, { owner: 8 })).answers({ conflict: { type: "write", start: 0, end: Locks.END, pid: 1000 } })
  })

  it("refuses what is not there, and ranges that end before they start", () => {
    given(file("/x"))
      .when(ask(bob, "testLock", { inode: 99, family: "posix", owner: 7, start: 0, end: 1, type: "read" }))
      .refuses("ESTALE")
      .when(test(bob, { start: 5, end: 4 })).refuses("EINVAL")
  })
})
