import { Access } from "#domain/Session.ts"
import { type Actor, alice, bob, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { directory, fifo, file, opened, sized, written } from "#domain/testing/Steps.ts"
import { ask } from "#domain/testing/World.ts"
import { describe, it } from "vitest"

const seek = (by: Actor, path: string, target: "data" | "hole", offset: number, label?: string) =>
  ask(by, "seek", ({ at, the }) => ({
    inode: at(path),
    handle: label === undefined ? 0 : the(label),
    offset,
    target
  }))

/** `/x` holds data at 50-99 and 100-149 (two slices) and at 180-199, where it ends. */
const start = () =>
  given(file("/x", { mode: 0o604 }), written("/x", 50, 50), written("/x", 100, 50), written("/x", 180, 20))

describe("seek", () => {
  it("finds the next data", () => {
    start()
      .when(seek(alice, "/x", "data", 0)).answers({ offset: 50 })
      .when(seek(alice, "/x", "data", 149)).answers({ offset: 149 })
      .when(seek(alice, "/x", "data", 150)).answers({ offset: 180 })
      .when(seek(alice, "/x", "data", 199)).answers({ offset: 199 })
  })

  it("finds the next hole, the last of which is the end", () => {
    start()
      .when(seek(alice, "/x", "hole", 0)).answers({ offset: 0 })
      .when(seek(alice, "/x", "hole", 60)).answers({ offset: 150 })
      .when(seek(alice, "/x", "hole", 180)).answers({ offset: 200 })
  })

  it("finds no data in a hole that ends the file", () => {
    start().and(sized("/x", 300))
      .when(seek(alice, "/x", "data", 200)).refuses("ENXIO")
      .when(seek(alice, "/x", "hole", 200)).answers({ offset: 200 })
  })

  it("finds nothing at the end or beyond it", () => {
    start()
      .when(seek(alice, "/x", "data", 200)).refuses("ENXIO")
      .when(seek(alice, "/x", "hole", 200)).refuses("ENXIO")
      .when(seek(alice, "/x", "hole", Number.MAX_SAFE_INTEGER)).refuses("ENXIO")
      .and(file("/empty"))
      .when(seek(alice, "/empty", "hole", 0)).refuses("ENXIO")
  })

  it("is for who may read, or has any handle", () => {
    given(file("/x", { mode: 0o602 }), sized("/x", 9), opened("/x", "w", alice, Access.write))
      .when(seek(alice, "/x", "hole", 0)).refuses("EACCES")
      .when(seek(bob, "/x", "hole", 0, "w")).refuses("EBADF")
      .when(seek(alice, "/x", "hole", 0, "w")).answers({ offset: 0 })
  })

  it("is of regular files alone", () => {
    given(directory("/d"), fifo("/p"))
      .when(seek(root, "/d", "hole", 0)).refuses("EISDIR")
      .when(seek(root, "/p", "hole", 0)).refuses("EINVAL")
      .when(ask(root, "seek", { inode: 99, handle: 0, offset: 0, target: "hole" })).refuses("ESTALE")
  })
})
