import { type Actor, alice, bob, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, file, removed, snapshot } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, it } from "vitest"

const list = (by: Actor, path: string, all = false) =>
  ask(by, "listSnapshots", ({ at }) => ({ directory: at(path), all }))

/** Those of the names, in their order, as the state has them. */
const listed = (...names: ReadonlyArray<string>) => ({ live }: World) => ({
  snapshots: live.snapshots.filter(({ name }) => names.includes(name))
})

describe("list-snapshots", () => {
  it("lists those of one directory, oldest first, none of those above and below", () => {
    given(directory("/d"), directory("/d/e"), snapshot("/d", "b"), snapshot("/d/e", "c"), snapshot("/", "d"))
      .and(snapshot("/d", "a"))
      .when(list(root, "/d")).answers(listed("b", "a"))
      .when(list(root, "/d/e")).answers(listed("c"))
  })

  it("tells whoever may search the directory", () => {
    given(directory("/d", { mode: 0o711 }), directory("/p", { mode: 0o700 }), snapshot("/d", "a"))
      .when(list(alice, "/d")).answers(listed("a"))
      .when(list(alice, "/p")).refuses("EACCES")
  })

  it("lists those of the whole zone, of directories that are gone too", () => {
    given(directory("/d"), directory("/e"), snapshot("/d", "a"), snapshot("/e", "b"), removed("/e", "e"))
      .when(list(root, "/d", true)).answers(listed("a", "b"))
  })

  it("tells of the whole zone to others than root what is theirs", () => {
    given(directory("/d", { owner: alice }), directory("/e", { owner: bob }), snapshot("/d", "by root of alice"))
      .and(snapshot("/e", "by bob", bob), snapshot("/", "by root"), removed("/e", "e"))
      .when(list(alice, "/", true)).answers(listed("by root of alice"))
      .when(list(bob, "/", true)).answers(listed("by bob"))
  })

  it("refuses what is no directory and what is not there", () => {
    given(file("/x"))
      .when(list(root, "/x")).refuses("ENOTDIR")
      .when(ask(root, "listSnapshots", { directory: 99, all: false })).refuses("ESTALE")
  })
})
