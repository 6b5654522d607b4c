import { Errno, type ErrnoName } from "#domain/Errno.ts"
import { alice } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { LONGEST } from "#domain/testing/Names.ts"
import { directory, file, symlink } from "#domain/testing/Steps.ts"
import { ask, type World } from "#domain/testing/World.ts"
import { describe, it } from "vitest"

const walk = (path: string, start = ({ root }: World): number => root) =>
  ask(alice, "walk", (world) => ({ start: start(world), names: path.split("/").filter((name) => name !== "") }))

/** The attributes of these paths, and why the walk ended. */
const reached = (paths: ReadonlyArray<string>, errno?: ErrnoName) => ({ stat }: World) => ({
  found: paths.map(stat),
  errno: errno === undefined ? 0 : Errno[errno]
})

const tree = () => given(directory("/a"), directory("/a/b"), file("/a/b/x"), symlink("/a/l", "b"), file("/f"))

describe("walk", () => {
  it("resolves names to the end", () => {
    tree()
      .when(walk("/a/b/x")).answers(reached(["/a", "/a/b", "/a/b/x"]))
      .when(walk("b/x", ({ at }) => at("/a"))).answers(reached(["/a/b", "/a/b/x"]))
      .when(walk("")).answers(reached([]))
  })

  it("stops at a symbolic link, the first or the last, without an error", () => {
    tree()
      .when(walk("/a/l/x")).answers(reached(["/a", "/a/l"]))
      .when(walk("/a/l")).answers(reached(["/a", "/a/l"]))
  })

  it("stops where a name is missing, with what it found so far", () => {
    tree()
      .when(walk("/a/no/x")).answers(reached(["/a"], "ENOENT"))
      .when(walk("/no")).answers(reached([], "ENOENT"))
  })

  it("stops at what is no directory", () => {
    tree()
      .when(walk("/f/x")).answers(reached(["/f"], "ENOTDIR"))
      .when(walk("x", ({ at }) => at("/a/l"))).answers(reached([], "ENOTDIR"))
  })

  it("stops where the caller may not search", () => {
    given(directory("/a"), directory("/a/shut", { mode: 0o700 }), file("/a/shut/x"))
      .when(walk("/a/shut/x")).answers(reached(["/a", "/a/shut"], "EACCES"))
  })

  it("stops at names that cannot be", () => {
    tree()
      .when(walk(`/a/${LONGEST}n`)).answers(reached(["/a"], "ENAMETOOLONG"))
      .when(walk("/a/..")).answers(reached(["/a"], "EINVAL"))
  })

  it("says so if there is nothing to start from", () => {
    tree().when(walk("x", () => 99)).answers(reached([], "ESTALE"))
  })
})
